"""One camera: its topics, its calibration, its counts. Several share one detector."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from rclpy.lifecycle import LifecycleNode
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray
from visualization_msgs.msg import MarkerArray

from smoke_ros.calibration import Calibration, camera_from_calibration
from smoke_ros.config.error_model import ErrorModel
from smoke_ros.config.node import NodeConfig
from smoke_ros.detector import CameraSetup
from smoke_ros.drawing import annotate
from smoke_ros.ros.camera_info import CameraSource, is_rectified
from smoke_ros.ros.compressed import message_to_bgr
from smoke_ros.ros.covariance import pose_covariance
from smoke_ros.ros.images import BgrImage, bgr_to_image
from smoke_ros.ros.inputs import CameraInputs
from smoke_ros.ros.markers import delete_all, detections_to_markers
from smoke_ros.ros.messages import detections_to_message
from smoke_ros.ros.pairing import ImageMessage
from smoke_ros.ros.qos import RELIABLE, SENSOR_DATA
from smoke_ros.ros.statistics import FrameStatistics
from smoke_ros.ros.throttled_log import ThrottledLog
from smoke_ros.structures import CameraModel, Detection3D, FloatArray

#: Stamps that are further off than this are of another clock, such as that of an old recording.
SAME_CLOCK_S = 60.0


@dataclass(frozen=True)
class Frame:
    """An image as it came, with its camera info, and when (a monotonic time in seconds)."""

    image: ImageMessage
    camera_info: CameraInfo | None
    arrived: float


@dataclass(frozen=True)
class PreparedFrame:
    """An image and its camera, ready for the detector."""

    header: Header
    image_bgr: BgrImage
    camera: CameraModel
    arrived: float
    stages_ms: dict[str, float] = field(default_factory=dict)


class CameraStream:
    """Receives a camera's images and publishes what was found in them.

    Parameters
    ----------
    node
        The node whose relative topic names are used.
    config
        How images are received, and how markers are shown.
    log
        For warnings about frames.
    calibration
        Stands for camera infos, where there is a calibration file.
    errors
        What the covariances are made from.
    name
        Stands before the names of all its topics, where it has one.
    """

    def __init__(
        self, node: LifecycleNode, config: NodeConfig, log: ThrottledLog,
        calibration: Calibration | None = None, errors: ErrorModel | None = None, name: str = '',
    ) -> None:  # fmt: skip
        self._node = node
        self._config = config
        self._log = log
        self._errors = errors or ErrorModel()
        self._folder = f'{name}/' if name else ''
        self.image_topic = node.resolve_topic_name(f'{self._folder}image')
        self.rectified = is_rectified(config.rectification, self.image_topic)
        if calibration is not None:
            camera_from_calibration(calibration, rectified=self.rectified)  # is it usable at all?
        self._source = CameraSource(rectified=self.rectified, fixed=calibration)
        self._inputs: CameraInputs | None = None
        self._shown_markers = 0
        self._last_header = Header()
        #: The last image's camera, and what the detector made of it.
        self.camera: CameraModel | None = None
        self.setup: CameraSetup | None = None
        self.statistics = FrameStatistics()
        create = node.create_lifecycle_publisher
        self._detections = create(Detection3DArray, f'~/{self._folder}detections', RELIABLE)
        self._markers = create(MarkerArray, f'~/{self._folder}markers', RELIABLE)
        self._debug_image = create(Image, f'~/{self._folder}debug_image', SENSOR_DATA)

    def start(self, put: Callable[[CameraStream, Frame], bool]) -> None:
        """Subscribe; ``put`` takes each frame and says whether it dropped one for it."""

        def deliver(image: ImageMessage, info: CameraInfo | None, arrived: float) -> None:
            if put(self, Frame(image, info, arrived)):
                self.statistics.dropped()

        self.statistics = FrameStatistics()
        self.camera = self.setup = None
        self._inputs = CameraInputs(
            self._node, self._config, self._log, folder=self._folder,
            arrived=self.statistics.arrived, deliver=deliver, refuse=self.refuse_image,
        )  # fmt: skip

    def stop_input(self) -> None:
        """Unsubscribe."""
        if self._inputs is not None:
            self._inputs.close()
            self._inputs = None

    def clear_view(self) -> None:
        """Remove all markers that are shown."""
        if self._shown_markers:
            self._markers.publish(delete_all(self._last_header))
            self._shown_markers = 0

    def destroy(self) -> None:
        """Take the topics down."""
        self.stop_input()
        for publisher in (self._detections, self._markers, self._debug_image):
            self._node.destroy_lifecycle_publisher(publisher)

    def missing_input(self) -> tuple[str, bool]:
        """Say why no frames come ('' where they do), and whether there are no images at all."""
        if self._inputs is None:
            return '', False
        return self._inputs.problem(), self._inputs.is_silent

    def prepare(self, frame: Frame) -> PreparedFrame | None:
        """Convert an image and find its camera; None where one of them cannot be used."""
        begun = time.monotonic()
        try:
            image_bgr = message_to_bgr(frame.image)
        except ValueError as error:
            self.refuse_image(str(error))
            return None
        height, width = image_bgr.shape[:2]
        try:
            self.camera = self._source.camera(frame.camera_info, (width, height))
        except ValueError as error:
            info = frame.camera_info
            uncalibrated = info is not None and info.k[0] == 0.0
            self.refuse_image(str(error), 'camera', error=uncalibrated)
            return None
        stages = {
            'waiting': 1e3 * (begun - frame.arrived),
            'convert': 1e3 * (time.monotonic() - begun),
        }
        return PreparedFrame(frame.image.header, image_bgr, self.camera, frame.arrived, stages)

    def publish(
        self, frame: PreparedFrame, detections: Sequence[Detection3D], heatmap_pixel_px: float,
        stages_ms: Mapping[str, float],
    ) -> None:  # fmt: skip
        """Publish an image's detections; see :func:`pose_covariance` for the heatmap's pixels."""
        if not self._node.context.ok():
            return
        begun = time.monotonic()

        def covariance(detection: Detection3D) -> FloatArray:
            return pose_covariance(detection, frame.camera, heatmap_pixel_px, self._errors)

        self._detections.publish(detections_to_message(detections, frame.header, covariance))
        self._publish_markers(frame.header, detections)
        now = time.monotonic()
        stages = {**frame.stages_ms, **stages_ms}
        stages['publish'] = 1e3 * (now - begun)
        stages['total'] = 1e3 * (now - frame.arrived)
        age = (self._node.get_clock().now() - Time.from_msg(frame.header.stamp)).nanoseconds * 1e-9
        if abs(age) < SAME_CLOCK_S:
            stages['stamp'] = 1e3 * age
        self.statistics.published(stages)
        self._publish_debug_image(frame, detections)

    def refuse_image(self, reason: str, kind: str = 'image', *, error: bool = False) -> None:
        """Leave an image out, and say why, once in a while for reasons of one kind."""
        text = f'image on {self.image_topic} left out: {reason}'
        say = self._log.error if error else self._log.warning
        say(f'{kind} of {self.image_topic}', text)
        self.statistics.refused(text, error=error)

    def fail(self, reason: str) -> None:
        """Leave an image out because something went wrong on this side."""
        if self._node.context.ok():  # otherwise ROS was shut down under it, which is no failure
            self.refuse_image(reason, 'failure', error=True)

    def _publish_markers(self, header: Header, detections: Sequence[Detection3D]) -> None:
        if not self._markers.get_subscription_count():
            return
        shown, self._shown_markers = self._shown_markers, len(detections)
        self._last_header = header
        self._markers.publish(
            detections_to_markers(detections, header, shown, self._config.marker_lifetime)
        )

    def _publish_debug_image(
        self, frame: PreparedFrame, detections: Sequence[Detection3D]
    ) -> None:
        if not self._debug_image.get_subscription_count():
            return
        begun = time.monotonic()
        picture = annotate(frame.image_bgr, detections, frame.camera)
        self._debug_image.publish(bgr_to_image(picture, frame.header))
        self.statistics.took('debug_image', 1e3 * (time.monotonic() - begun))
