"""A node with a stand-in for the network, and a peer that talks to it over DDS."""

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('vision_msgs')

from fake_detector import FakeDetector  # isort: skip
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import Detection3DArray

from smoke_ros.ros.node import SmokeNode

WIDTH, HEIGHT, FOCAL = 64, 48, 50.0

RELIABLE = QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE)


def make_image(stamp_s: float = 1.0, **fields) -> Image:
    """A grey bgr8 image; `fields` replace its own."""
    message = Image(
        width=WIDTH, height=HEIGHT, encoding='bgr8', step=3 * WIDTH, data=bytes(3 * WIDTH * HEIGHT)
    )
    for name, value in fields.items():
        setattr(message, name, value)
    return stamped(message, stamp_s)


def make_camera_info(stamp_s: float = 1.0, **fields) -> CameraInfo:
    """The camera info of :func:`make_image`; `fields` replace its own."""
    message = CameraInfo(width=WIDTH, height=HEIGHT, distortion_model='plumb_bob', d=[0.0] * 5)
    message.k = [FOCAL, 0.0, WIDTH / 2, 0.0, FOCAL, HEIGHT / 2, 0.0, 0.0, 1.0]
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    message.p = [FOCAL, 0.0, WIDTH / 2, 0.0, 0.0, FOCAL, HEIGHT / 2, 0.0, 0.0, 0.0, 1.0, 0.0]
    for name, value in fields.items():
        setattr(message, name, value)
    return stamped(message, stamp_s)


def make_calibration_yaml(fx: float = FOCAL) -> str:
    """What camera_calibration writes for a camera of the same size."""
    return (
        f'image_width: {WIDTH}\nimage_height: {HEIGHT}\ndistortion_model: plumb_bob\n'
        f'camera_matrix: {{rows: 3, cols: 3, data: [{fx}, 0, 32, 0, {fx}, 24, 0, 0, 1]}}\n'
        'distortion_coefficients: {rows: 1, cols: 5, data: [0, 0, 0, 0, 0]}\n'
    )


def stamped(message, stamp_s: float):
    message.header.frame_id = 'camera_optical'
    message.header.stamp.sec = int(stamp_s)
    message.header.stamp.nanosec = round((stamp_s - int(stamp_s)) * 1e9)
    return message


def stamp_of(message) -> float:
    return message.header.stamp.sec + message.header.stamp.nanosec * 1e-9


class Recorder:
    """Keeps what rclpy's logger is given."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def has(self, level: str, text: str) -> bool:
        return any(lv == level and text in line for lv, line in list(self.lines))


@dataclasses.dataclass
class Bench:
    """A running SmokeNode and a peer with the topics that tests need."""

    node: SmokeNode
    detector: FakeDetector
    peer: Node
    log: Recorder
    spin_until: Callable[..., bool]
    received: dict[str, list] = dataclasses.field(default_factory=dict)

    def advertise(self, message_type, topic: str, qos=qos_profile_sensor_data):
        return self.peer.create_publisher(message_type, topic, qos)

    def listen(self, message_type, topic: str, qos=RELIABLE) -> list:
        messages = self.received.setdefault(topic, [])
        self.peer.create_subscription(message_type, topic, messages.append, qos)
        return messages

    def wait(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
        return self.spin_until(condition, self.peer, timeout_s=timeout_s)

    def connect(
        self, qos=qos_profile_sensor_data, image_type=Image, images=True, camera_infos=True
    ) -> None:
        """Publish the inputs, listen to the outputs, and wait until all have found each other."""
        self.advertise_inputs(qos, image_type, images, camera_infos)
        self.detections = self.listen(Detection3DArray, 'smoke_node/detections')
        self.diagnostics = self.listen(DiagnosticArray, '/diagnostics')
        assert self.wait(self.is_connected)

    def advertise_inputs(
        self, qos, image_type=Image, images: bool = True, camera_infos: bool = True
    ) -> None:
        self.images = self.advertise(image_type, 'image', qos) if images else None
        self.infos = self.advertise(CameraInfo, 'camera_info', qos) if camera_infos else None

    def is_connected(self) -> bool:
        ends = [end for end in (self.images, self.infos) if end is not None]
        (stream,) = self.node._streams
        return (
            all(end.get_subscription_count() for end in ends)
            and stream._detections.get_subscription_count() > 0
            and self.node._health._publisher.get_subscription_count() > 0
        )

    def send(self, stamp_s: float, image: Image | None = None, info: CameraInfo | None = None):
        """Publish an image and its camera info."""
        self.infos.publish(info or make_camera_info(stamp_s))
        self.images.publish(image or make_image(stamp_s))

    def answer(self, stamp_s: float, **messages) -> Detection3DArray | None:
        """Publish a frame and wait for what is published for it."""
        self.send(stamp_s, **messages)
        self.wait(lambda: any(stamp_of(m) == stamp_s for m in self.detections))
        return next((m for m in self.detections if stamp_of(m) == stamp_s), None)

    def statistics(self):
        return self.node._streams[0].statistics.report()

    def status(self) -> DiagnosticStatus:
        return self.diagnostics[-1].status[0] if self.diagnostics else DiagnosticStatus()

    def fresh_status(self) -> DiagnosticStatus:
        """Have the node report its health now rather than at the next full second."""
        count = len(self.diagnostics)
        self.node._check_health()
        assert self.wait(lambda: len(self.diagnostics) > count)
        return self.status()

    def values(self) -> dict[str, str]:
        return {pair.key: pair.value for pair in self.status().values}


@pytest.fixture
def start_node(ros_context, spin_until, monkeypatch) -> Iterator[Callable[..., Bench]]:
    """Return start(activate=True, **parameters) -> Bench."""
    with contextlib.ExitStack() as stack:

        def start(activate: bool = True, detector=None, **parameters) -> Bench:
            detector = detector or FakeDetector()
            overrides = [Parameter(name, value=value) for name, value in parameters.items()]
            node = SmokeNode(
                load_detector=lambda *_, **__: detector, parameter_overrides=overrides
            )
            log = _record_log(node, monkeypatch)
            stack.callback(node.close)
            stack.enter_context(_spinning(node))
            peer = Node('peer')
            stack.callback(peer.destroy_node)
            if activate:
                assert node.start()
            return Bench(node, detector, peer, log, spin_until)

        yield start


def _record_log(node: SmokeNode, monkeypatch) -> Recorder:
    recorder, logger = Recorder(), node.get_logger()
    for level in ('info', 'warning', 'error'):

        def record(line: str, level: str = level) -> None:
            recorder.lines.append((level, line))
            print(f'[{level}] {line}')

        monkeypatch.setattr(logger, level, record)
    return recorder


@contextlib.contextmanager
def _spinning(node: Node) -> Iterator[None]:
    """Run a node's callbacks in a thread."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    stop = threading.Event()

    def run() -> None:
        while not stop.is_set():
            executor.spin_once(timeout_sec=0.1)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        executor.shutdown()


@pytest.fixture
def make() -> SimpleNamespace:
    """Return image(stamp, **fields), camera_info(stamp, **fields) and calibration_yaml(fx)."""
    return SimpleNamespace(
        image=make_image, camera_info=make_camera_info, calibration_yaml=make_calibration_yaml
    )
