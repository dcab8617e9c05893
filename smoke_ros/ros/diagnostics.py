"""What goes to /diagnostics: how one camera's detections are doing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from std_msgs.msg import Header

from smoke_ros.detector import VISIBLE_FRACTION_WARNING, Detector
from smoke_ros.ros.camera_stream import CameraStream
from smoke_ros.ros.node_interface import DIAGNOSTICS
from smoke_ros.ros.qos import RELIABLE
from smoke_ros.ros.statistics import FrameStatistics, Report
from smoke_ros.ros.throttled_log import ThrottledLog

#: A problem colours the status for this long after it was last seen.
RECENT_S = 5.0


@dataclass(frozen=True)
class Health:
    """What decides on a status, beside the frames themselves."""

    #: Label of the lifecycle state, such as 'active'.
    state: str
    #: Why the node could not be configured or activated; '' where it could.
    failure: str = ''
    #: Why no frames come; '' where they do.
    missing: str = ''
    #: Whether that is because no image arrives at all.
    silent: bool = False
    #: What is wrong with the camera for good, such as a field of view that is cut off.
    camera_warning: str = ''


class HealthReporter:
    """Publishes the status of a node's cameras, and warns of what is missing."""

    def __init__(self, node: Node, log: ThrottledLog) -> None:
        self._node = node
        self._log = log
        self._publisher = node.create_publisher(DiagnosticArray, DIAGNOSTICS, RELIABLE)
        self._said_of_silence: dict[str, str] = {}

    def publish(
        self, state: str, failure: str, streams: Sequence[CameraStream], detector: Detector | None
    ) -> None:
        """Publish one status for each camera; without any, one for where it will be.

        Parameters
        ----------
        state
            Label of the node's lifecycle state.
        failure
            Why it could not be configured or activated, or ''.
        streams
            The node's cameras.
        detector
            What serves them; None where no model is loaded.
        """
        facts = _detector_facts(detector)
        statuses = [self._stream_status(state, failure, stream, facts) for stream in streams]
        if not streams:
            name = self._name(self._node.resolve_topic_name('image'))
            nothing = FrameStatistics().report()
            statuses = [_make_status(name, Health(state, failure), nothing, facts)]
        header = Header(stamp=self._node.get_clock().now().to_msg())
        self._publisher.publish(DiagnosticArray(header=header, status=statuses))

    def _stream_status(
        self, state: str, failure: str, stream: CameraStream, facts: Mapping[str, str]
    ) -> DiagnosticStatus:
        missing, silent = stream.missing_input()
        self._warn_of(stream.image_topic, missing, silent)
        warning, camera_facts = _describe_camera(stream)
        return _make_status(
            self._name(stream.image_topic),
            Health(state, failure, missing, silent, warning),
            stream.statistics.report(),
            {**facts, **camera_facts},
        )

    def _warn_of(self, topic: str, missing: str, silent: bool) -> None:
        """Warn again and again where images cannot be used, once where there are none."""
        if missing and not silent:
            self._log.warning(f'input of {topic}', missing)
        elif missing and self._said_of_silence.get(topic) != missing:
            self._node.get_logger().warning(missing)
        self._said_of_silence[topic] = missing if silent else ''

    def _name(self, topic: str) -> str:
        return f'{self._node.get_name()}: {topic}'


def assess(health: Health, report: Report) -> tuple[bytes, str]:
    """Return the level and the one sentence that matter most.

    ERROR where nothing can be detected until somebody acts, WARN where frames are lost or may
    mislead, STALE where there is no input to judge by.
    """
    if health.failure:
        return DiagnosticStatus.ERROR, health.failure
    if health.state != 'active':
        return DiagnosticStatus.OK, health.state
    if report.problem_age_s < RECENT_S:
        level = DiagnosticStatus.ERROR if report.problem_is_error else DiagnosticStatus.WARN
        return level, report.last_problem
    if health.missing:
        return DiagnosticStatus.STALE if health.silent else DiagnosticStatus.WARN, health.missing
    if report.unanswered_s >= RECENT_S and report.rate_in_hz > 0.0:
        return DiagnosticStatus.WARN, (
            f'images come at {report.rate_in_hz:.1f} Hz, but none has been answered for '
            f'{report.unanswered_s:.0f} s: the network is busy with one, or hangs'
        )
    if health.camera_warning:
        return DiagnosticStatus.WARN, health.camera_warning
    return DiagnosticStatus.OK, f'detecting at {report.rate_out_hz:.1f} Hz'


def _report_values(report: Report) -> dict[str, str]:
    values = {
        'frames_in': str(report.frames_in),
        'frames_out': str(report.frames_out),
        'frames_dropped': str(report.frames_dropped),
        'frames_refused': str(report.frames_refused),
        'rate_in_hz': f'{report.rate_in_hz:.2f}',
        'rate_out_hz': f'{report.rate_out_hz:.2f}',
        'last_error': report.last_problem or 'none',
    }
    for stage, latency in report.latencies.items():
        values[f'latency_{stage}_ms'] = f'{latency.mean_ms:.2f}'
        values[f'latency_{stage}_max_ms'] = f'{latency.max_ms:.2f}'
    return values


def _make_status(
    name: str, health: Health, report: Report, facts: Mapping[str, str]
) -> DiagnosticStatus:
    level, message = assess(health, report)
    values = {'state': health.state, **facts, **_report_values(report)}
    return DiagnosticStatus(
        name=name,
        hardware_id=facts['device'],
        level=level,
        message=message,
        values=[KeyValue(key=key, value=value) for key, value in values.items()],
    )


def _detector_facts(detector: Detector | None) -> dict[str, str]:
    if detector is None:
        names = ('model', 'device', 'engine')
        return {'model_sha256': '', 'trained_on': '', **dict.fromkeys(names, 'none')}
    return {
        'model': detector.info.name,
        'model_sha256': detector.info.sha256,
        'trained_on': detector.model.trained_on,
        'device': str(detector.device),
        'engine': detector.engine_summary,
    }


def _describe_camera(stream: CameraStream) -> tuple[str, dict[str, str]]:
    """Return a warning about a stream's camera ('' where all is well), and what it is."""
    camera, setup = stream.camera, stream.setup
    if camera is None or setup is None:
        return '', {'camera': 'none yet'}
    seen = setup.visible_fraction
    facts = {
        'camera': f'{camera.width}x{camera.height} pixels, '
        + ('rectified' if stream.rectified else 'raw'),
        'focal_length_px': f'{camera.K[0, 0]:.1f}',
        'depth_scale': f'{setup.depth_scale:.3f}',
        'visible_fraction': f'{seen:.3f}',
    }
    if seen < VISIBLE_FRACTION_WARNING:
        return f'the network sees {100 * seen:.0f}% of the image', facts
    return '', facts
