"""The whole node over DDS: from the publication of an image to the arrival of its detections."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CameraInfo, Image
from vision_msgs.msg import Detection3DArray

from benchmarks.stages import IMAGE_SIZES, make_camera, make_image, make_message
from benchmarks.timing import Timing, measure
from smoke_ros.detector import Detector
from smoke_ros.ros.node import SmokeNode
from smoke_ros.ros.qos import RELIABLE
from smoke_ros.structures import CameraModel

#: A domain of its own, so that no robot nearby is spoken to.
DOMAIN_ID = 87
TIMEOUT_S = 60.0


class Probe(Node):
    """Publishes a frame and waits for what the node makes of it."""

    def __init__(self) -> None:
        super().__init__('probe')
        self._image = self.create_publisher(Image, 'image', RELIABLE)
        self._info = self.create_publisher(CameraInfo, 'camera_info', RELIABLE)
        self._arrived = threading.Event()
        self.create_subscription(
            Detection3DArray, 'smoke_node/detections', lambda _: self._arrived.set(), RELIABLE
        )

    def wait_for_node(self) -> None:
        """Wait until the node listens."""
        ended = time.monotonic() + TIMEOUT_S
        while not (self._image.get_subscription_count() and self._info.get_subscription_count()):
            if time.monotonic() > ended:
                raise TimeoutError(f'the node did not subscribe within {TIMEOUT_S:.0f} s')
            time.sleep(0.05)

    def round_trip_ms(self, image: Image, info: CameraInfo) -> float:
        """Publish a frame; return how long it took until its detections were here."""
        image.header.stamp = info.header.stamp = self.get_clock().now().to_msg()
        self._arrived.clear()
        begun = time.perf_counter()
        self._info.publish(info)
        self._image.publish(image)
        if not self._arrived.wait(TIMEOUT_S):
            raise TimeoutError(f'no detections within {TIMEOUT_S:.0f} s')
        return 1e3 * (time.perf_counter() - begun)


def measure_node(detector: Detector, repeats: int) -> Iterator[Timing]:
    """Measure the node's round trip, and what it adds to the detector's own time.

    The second figure is taken with a network that answers at once. From each frame's round trip
    goes what the detector took for that same frame: what is left is DDS, conversion, threads and
    publication. `copied by rclpy` is the part of it that turns the serialised image into a Python
    message; from there on the image is read in place, until it is laid into the network's input.
    """
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    yield from _round_trips(detector, 'image to detections', max(3, repeats // 2), IMAGE_SIZES[:1])
    inputs = detector.preprocess(make_image(IMAGE_SIZES[0]), make_camera(IMAGE_SIZES[0]))
    answer = detector.network(inputs)
    detector.network = lambda _: answer
    watch = Stopwatch(detector)
    many = max(repeats, 20)
    for size in IMAGE_SIZES:
        for timing in _round_trips(detector, 'added by the node', many, (size,)):
            own = watch.times_ms[-len(timing.times_ms) :]
            added = (whole - part for whole, part in zip(timing.times_ms, own, strict=True))
            yield Timing(timing.name, tuple(added))
        serialised = serialize_message(make_message(make_image(size)))
        name = f'copied by rclpy {size[0]}x{size[1]}'
        yield measure(name, partial(deserialize_message, serialised, Image), many)


class Stopwatch:
    """Times a detector's calls from within."""

    def __init__(self, detector: Detector) -> None:
        self.times_ms: list[float] = []
        self._detect = detector.detect_timed
        detector.detect_timed = self.detect_timed  # type: ignore[method-assign]

    def detect_timed(self, *args: Any, **named: Any) -> Any:
        """Stand in for :meth:`Detector.detect_timed`."""
        begun = time.perf_counter()
        result = self._detect(*args, **named)
        self.times_ms.append(1e3 * (time.perf_counter() - begun))
        return result


def _round_trips(
    detector: Detector, name: str, repeats: int, sizes: tuple[tuple[int, int], ...]
) -> Iterator[Timing]:
    rclpy.init(domain_id=DOMAIN_ID)
    probe = Probe()
    node = SmokeNode(
        load_detector=lambda *_, **__: detector,
        parameter_overrides=[Parameter('model', value='random')],
    )
    executor = SingleThreadedExecutor()
    for part in (probe, node):
        executor.add_node(part)
    spinning = threading.Thread(target=executor.spin, daemon=True)
    try:
        node.start()
        spinning.start()
        probe.wait_for_node()
        for size in sizes:
            image, info = make_message(make_image(size)), make_info(make_camera(size))
            probe.round_trip_ms(image, info)
            times = tuple(probe.round_trip_ms(image, info) for _ in range(repeats))
            yield Timing(f'{name} {size[0]}x{size[1]}', times)
    finally:
        executor.shutdown()
        spinning.join()
        node.close()
        probe.destroy_node()
        rclpy.try_shutdown()


def make_info(camera: CameraModel) -> CameraInfo:
    """Return the camera info of a plain pinhole."""
    fields: dict[str, Any] = {'width': camera.width, 'height': camera.height}
    info = CameraInfo(**fields, distortion_model='plumb_bob', d=[0.0] * 5)
    info.k = camera.K.ravel()
    return info
