"""From frames to published detections: convert, detect, publish."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from rclpy.impl.rcutils_logger import RcutilsLogger

from smoke_ros.detector import Detector, StageTimes
from smoke_ros.ros.camera_stream import CameraStream, Frame, PreparedFrame
from smoke_ros.ros.parameters import Settings
from smoke_ros.structures import Detection3D


class Pipeline:
    """What the worker does with the newest frame of each camera.

    Attributes
    ----------
    settings
        May be replaced at any time; a call uses those that it began with.
    """

    def __init__(self, detector: Detector, settings: Settings, logger: RcutilsLogger) -> None:
        self._detector = detector
        self._logger = logger
        self.settings = settings

    def process(self, frames: Mapping[CameraStream, Frame]) -> None:
        """Detect in all frames with one pass of the network, and publish.

        Never raises: a frame that cannot be used, or on which the detector fails, costs itself.
        """
        prepared: dict[CameraStream, PreparedFrame] = {}
        for stream, frame in frames.items():
            try:
                if (usable := stream.prepare(frame)) is not None:
                    # Here a lens that cannot be undistorted costs its own camera only.
                    stream.setup = self._detector.camera_setup(usable.camera)
                    prepared[stream] = usable
            except ValueError as error:
                stream.refuse_image(str(error))
            except Exception as error:  # noqa: BLE001, the worker outlives every frame
                self._report([stream], error)
        if not prepared:
            return
        try:
            detections, times = self._detect(list(prepared.values()))
        except ValueError as error:
            for stream in prepared:
                stream.refuse_image(str(error))
        except Exception as error:  # noqa: BLE001, such as an exhausted GPU
            self._report(list(prepared), error)
        else:
            for (stream, ready), found in zip(prepared.items(), detections, strict=True):
                self._publish(stream, ready, found, times)

    def _detect(self, frames: list[PreparedFrame]) -> tuple[list[list[Detection3D]], StageTimes]:
        settings, classes = self.settings, self._detector.model.classes
        return self._detector.detect_timed(
            [frame.image_bgr for frame in frames],
            [frame.camera for frame in frames],
            score_threshold=settings.detector.thresholds(classes),
            max_detections=settings.detector.max_detections,
            classes=settings.node.selected(classes),
        )

    def _publish(
        self, stream: CameraStream, frame: PreparedFrame, detections: list[Detection3D],
        times: StageTimes,
    ) -> None:  # fmt: skip
        stages = {
            'preprocess': times.preprocess_ms,
            'network': times.network_ms,
            'decode': times.decode_ms,
        }
        try:
            pixel = self._detector.camera_setup(frame.camera).heatmap_pixel_px
            stream.publish(frame, detections, pixel, stages)
        except Exception as error:  # noqa: BLE001, the worker outlives every frame
            self._report([stream], error)

    def _report(self, streams: list[CameraStream], error: Exception) -> None:
        self._logger.debug(traceback.format_exc())
        for stream in streams:
            stream.fail(f'{type(error).__name__}: {error}')
