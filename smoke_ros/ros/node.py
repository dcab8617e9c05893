"""The ROS 2 node: wires topics, parameters and the detector to a lifecycle."""

from __future__ import annotations

import gc
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import rclpy
import torch
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_msgs.msg import Header
from vision_msgs.msg import LabelInfo, VisionInfo

from smoke_ros.config.node import CAMERA_PLACE, NODE_NAME, NodeConfig
from smoke_ros.detector import Detector
from smoke_ros.models import RANDOM
from smoke_ros.ros.camera_info import calibration_from_url
from smoke_ros.ros.camera_stream import CameraStream, Frame
from smoke_ros.ros.diagnostics import HealthReporter
from smoke_ros.ros.messages import label_info, vision_info
from smoke_ros.ros.parameters import Settings, declare_parameters, refuse_empty
from smoke_ros.ros.pipeline import Pipeline
from smoke_ros.ros.process import init, pass_log_on, spin
from smoke_ros.ros.qos import LATCHED
from smoke_ros.ros.signals import StopSignals
from smoke_ros.ros.throttled_log import ThrottledLog
from smoke_ros.ros.worker import Worker
from smoke_ros.structures import CameraModel

DIAGNOSTICS_PERIOD_S = 1.0

#: Makes a detector as Detector.from_model does: (name_or_path, device=..., config=...).
DetectorLoader = Callable[..., Detector]


class SmokeNode(LifecycleNode):
    """A managed node that turns images and camera infos into 3D boxes.

    ``configure`` loads the model and warms it up, ``activate`` subscribes and starts the worker,
    ``deactivate`` stops both, ``cleanup`` releases the model.

    Parameters
    ----------
    load_detector
        Stands in for Detector.from_model.
    options
        Passed on to rclpy's node, for example ``parameter_overrides``.

    Raises
    ------
    ValueError
        In one sentence, where a parameter has a wrong name or value.
    """

    def __init__(
        self, *, load_detector: DetectorLoader = Detector.from_model, **options: Any
    ) -> None:
        try:
            super().__init__(
                NODE_NAME, automatically_declare_parameters_from_overrides=True, **options
            )
        except ValueError as error:
            # rclpy does not say which parameter has nothing for a value.
            refuse_empty(getattr(self, '_parameter_overrides', {}), error)
            raise
        try:
            self._settings = declare_parameters(self)
        except ValueError:
            self.destroy_node()
            raise
        self.add_on_set_parameters_callback(self._on_set_parameters)
        self._load_detector = load_detector
        self._state, self._failure = 'unconfigured', ''
        self._log = ThrottledLog(self.get_logger(), self._settings.node.warning_period)
        self._detector: Detector | None = None
        self._pipeline: Pipeline | None = None
        self._worker: Worker[CameraStream, Frame] | None = None
        self._streams: list[CameraStream] = []
        self._vision_info = self.create_lifecycle_publisher(VisionInfo, '~/vision_info', LATCHED)
        self._label_info = self.create_lifecycle_publisher(LabelInfo, '~/label_info', LATCHED)
        self._health = HealthReporter(self, self._log)
        # Simulated time may stand still; the node's health does not.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(DIAGNOSTICS_PERIOD_S, self._check_health, clock=steady)
        self._refuse_impossible_transitions()

    def start(self) -> bool:
        """Configure and activate where ``autostart`` says so; return whether that went well."""
        if not self._settings.node.autostart:
            self.get_logger().info('waiting to be configured (autostart is false)')
            return True
        steps = (self.trigger_configure, self.trigger_activate)
        return all(step() == TransitionCallbackReturn.SUCCESS for step in steps)

    def close(self) -> None:
        """Stop all threads and let go of everything, in whatever state the node is."""
        self._stop()
        self._release()
        self.destroy_node()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load the model and create the topics of the cameras."""
        self._enter('configuring')
        self._failure = ''
        try:
            self._configure(self._settings)
        except Exception as error:  # noqa: BLE001, rclpy would swallow it without a word
            self._release()
            self._report_failure('cannot be configured', error)
            self._enter('unconfigured')
            return TransitionCallbackReturn.FAILURE
        self._enter('inactive')
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start to receive and to detect."""
        self._failure = ''
        result = super().on_activate(state)
        try:
            self._activate()
        except Exception as error:  # noqa: BLE001, rclpy would swallow it without a word
            self._stop()
            super().on_deactivate(state)
            self._report_failure('cannot be activated', error)
            self._enter('inactive')
            return TransitionCallbackReturn.FAILURE
        # Last: who waits for them, as demo.launch.py does, sends images next.
        self._publish_class_names()
        self._enter('active')
        return result

    def _activate(self) -> None:
        assert self._pipeline is not None and self._detector is not None
        self._worker = Worker(self._pipeline.process)
        for stream in self._streams:
            stream.start(self._worker.put)
            how = 'rectified' if stream.rectified else 'raw'
            self.get_logger().info(
                f'active: waiting for images on {stream.image_topic}, taken as {how}'
            )

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop to receive and to detect; the model stays loaded."""
        self._stop()
        for stream in self._streams:
            stream.clear_view()
        self._enter('inactive')
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release the model and the topics of the cameras."""
        self._release()
        self._failure = ''
        self._enter('unconfigured')
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything, for good."""
        self._stop()
        for stream in self._streams:
            stream.clear_view()
        self._release()
        self._enter('finalized')
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start anew after a transition that went wrong half way."""
        self._stop()
        self._release()
        self._enter('unconfigured')
        return super().on_error(state)

    def _configure(self, settings: Settings) -> None:
        config = settings.node
        _set_threads(config)
        for camera in config.cameras:  # one by one: _release() finds those of a failed attempt
            self._streams.append(self._open_stream(settings, camera))
        detector = self._load_detector(
            config.model, device=config.device, config=settings.detector
        )
        config.selected(detector.model.classes)
        duration = _warm_up(detector, len(self._streams))
        self._detector = detector
        self._pipeline = Pipeline(detector, settings, self.get_logger())
        self.get_logger().info(
            f'running {detector.info.name}, trained on {detector.model.trained_on}, on '
            f'{detector.device} (engine {detector.engine_summary}); classes '
            f'{", ".join(detector.model.classes)}; first pass took {duration:.1f} s'
        )
        if detector.info.name == RANDOM:
            self.get_logger().warning(
                'the model has random weights: it is for trying out topics and speed, and detects '
                'nothing; choose another with the parameter model'
            )

    def _open_stream(self, settings: Settings, camera: str) -> CameraStream:
        config, errors = settings.node, settings.errors
        if not config.camera_info_url:
            return CameraStream(self, config, self._log, errors=errors, name=camera)
        url = config.camera_info_url.replace(CAMERA_PLACE, camera)
        calibration = calibration_from_url(url)
        try:
            return CameraStream(self, config, self._log, calibration, errors, camera)
        except ValueError as error:
            raise ValueError(f'{url}: {error}') from error

    def _stop(self) -> None:
        for stream in self._streams:
            stream.stop_input()
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    def _release(self) -> None:
        for stream in self._streams:
            stream.destroy()
        self._streams = []
        self._pipeline = self._detector = None
        gc.collect()
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()

    def _report_failure(self, what: str, error: Exception) -> None:
        self.get_logger().debug(''.join(traceback.format_exception(error)))
        self._failure = f'{what}: {error}'
        self.get_logger().error(self._failure)

    def _enter(self, state: str) -> None:
        self._state = state
        self._check_health()

    def _publish_class_names(self) -> None:
        assert self._detector is not None
        header = Header(stamp=self.get_clock().now().to_msg())
        settings, classes = self._settings, self._detector.model.classes
        self._vision_info.publish(vision_info(header, self._label_info.topic_name))
        thresholds = settings.detector.thresholds(classes)
        lowest = min(thresholds[name] for name in settings.node.selected(classes))
        self._label_info.publish(label_info(header, classes, lowest))

    def _on_set_parameters(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        try:
            settings = self._settings.updated(parameters)
            if self._detector is not None:
                settings.node.selected(self._detector.model.classes)
                settings.detector.thresholds(self._detector.model.classes)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._settings = settings
        if self._pipeline is not None:
            self._pipeline.settings = settings
        if self._state == 'active':
            self._publish_class_names()
        return SetParametersResult(successful=True)

    def _check_health(self) -> None:
        if self.context.ok():
            self._health.publish(self._state, self._failure, self._streams, self._detector)

    def _refuse_impossible_transitions(self) -> None:
        """Answer a transition that the state does not have with a refusal.

        rclpy lets the error through, and with it the node would end.
        """
        service = self._service_change_state
        change_state = service.callback

        def answer(
            request: ChangeState.Request, response: ChangeState.Response
        ) -> ChangeState.Response:
            try:
                return change_state(request, response)
            except RuntimeError as error:  # RCLError, which has no public name
                wanted = request.transition.label or request.transition.id
                self.get_logger().warning(
                    f'transition {wanted} is not possible while {self._state}: {error}'
                )
                response.success = False
                return response

        service.callback = answer


def _set_threads(config: NodeConfig) -> None:
    if config.torch_threads:
        torch.set_num_threads(config.torch_threads)
    if config.opencv_threads:
        cv2.setNumThreads(config.opencv_threads)


def _warm_up(detector: Detector, cameras: int) -> float:
    """Run the detector, which the first frame need not wait for then; return the seconds.

    Once for every number of images that may come together: an engine may compile for each.
    """
    model = detector.model
    width, height = model.input_width, model.input_height
    focal = model.reference_focal_px
    K = [[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]]
    black = np.zeros((height, width, 3), np.uint8)
    begun = time.monotonic()
    camera = CameraModel.from_intrinsics(K, width, height)
    for count in range(1, cameras + 1):
        detector.detect_batch([black] * count, [camera] * count)
    return time.monotonic() - begun


def main(
    args: list[str] | None = None,
    load_detector: DetectorLoader = Detector.from_model,
    signals: StopSignals | None = None,
) -> int:
    """Run the node until it is told to stop; return the exit code of the process."""
    signals = signals or StopSignals()
    node, code = None, 0
    try:
        executor = init(args)
        with signals.raising():
            node = SmokeNode(load_detector=signals.restoring()(load_detector))
            pass_log_on(node.get_logger())
            if node.start():
                spin(node, executor, signals)
            elif rclpy.ok():
                code = 1
    except KeyboardInterrupt:
        pass  # told to stop
    except (ValueError, RuntimeError) as error:
        print(f'{NODE_NAME}: {" ".join(str(error).split())}', file=sys.stderr)
        code = 1
    finally:
        if node is not None:
            node.close()
        rclpy.try_shutdown()
    return code


if __name__ == '__main__':
    sys.exit(main())
