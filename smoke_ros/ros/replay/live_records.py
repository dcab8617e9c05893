"""From what was recorded in a live replay to a record of each frame that was played."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Iterator, Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from vision_msgs.msg import Detection3DArray

from smoke_ros.replay.records import DROPPED, FAILED, FrameAppender
from smoke_ros.replay.thumbnails import Thumbnails
from smoke_ros.ros.bag_frames import BagFrame, BagFrames, FrameDecoder
from smoke_ros.ros.bags import BagMessage, BagReader
from smoke_ros.ros.camera_stream import SAME_CLOCK_S
from smoke_ros.ros.camera_topics import CameraTopics
from smoke_ros.ros.messages import message_to_detections, with_image_box
from smoke_ros.ros.node_interface import DETECTIONS, read_status
from smoke_ros.ros.replay.frame_records import begin_record, failed_record, write_results
from smoke_ros.ros.replay.labels import LabelFolder
from smoke_ros.ros.replay.request import ReplayRequest
from smoke_ros.ros.replay.run_folder import bag_path, frames_path
from smoke_ros.ros.stamps import stamp_ns
from smoke_ros.ros.tolerant_bag import TolerantBag
from smoke_ros.structures import Detection3D

#: As the node judges stamps; here by the time of recording.
SAME_CLOCK_NS = round(1e9 * SAME_CLOCK_S)

#: How long before and after an image, which the player may send a little late, its answer is
#: looked for; at a multiple of the recorded pace that much longer in bag time.
EARLIEST_ANSWER_NS, LONGEST_ANSWER_NS = 10**9, 60 * 10**9

#: Silence after which, beside some times what a frame takes, nothing more is waited for.
QUIET_S = 5.0
#: What the node counts frames as: all that arrived, and what became of them.
_COUNTS = ('in', 'out', 'dropped', 'refused')

_NO_STAMP = (
    'its stamp is zero: in a live replay the detections of an image are known by its stamp; '
    'a replay without --live needs none'
)


class NodeReport:
    """What the node last said of itself.

    Attributes
    ----------
    values
        The values of its status; see :mod:`smoke_ros.ros.diagnostics`.
    complaint
        What it last said while something was wrong.
    """

    def __init__(self) -> None:
        self.values: Mapping[str, str] = {}
        self.complaint = ''
        self._heard = self._changed = 0.0

    def hear(self, message: DiagnosticArray) -> None:
        """Take what was published on /diagnostics."""
        status = read_status(message)
        if status is None:
            return
        before, self.values = self._ended(), status.values
        self._heard = time.monotonic()
        if status.level in (DiagnosticStatus.WARN, DiagnosticStatus.ERROR):
            self.complaint = status.message
        if self._ended() != before:
            self._changed = self._heard

    def count(self, name: str) -> int:
        """Return one of its counts; 0 where it was not heard of."""
        return int(self.values.get(name, '0'))

    def summary(self) -> str:
        """Return its counts in words."""
        counts = (f'{self.count(f"frames_{name}")} {name}' for name in _COUNTS)
        return 'of all frames the node reported ' + ', '.join(counts)

    def is_done(self, since: float) -> bool:
        """Return whether, heard of after a time, no frame was on its way any more.

        An image whose camera info was lost stays on its way for good; so it counts as well that
        nothing has changed for much longer than a frame takes.
        """
        if not self._heard > since:
            return False
        slowest_s = 1e-3 * float(self.values.get('latency_total_max_ms', '0'))
        quiet_s = self._heard - max(since, self._changed)
        # Before the first frame is out, nothing says how long one takes.
        is_quiet = self.count('frames_out') > 0 and quiet_s > QUIET_S + 3.0 * slowest_s
        return self.count('frames_in') <= self._ended() or is_quiet

    def _ended(self) -> int:
        return sum(self.count(f'frames_{name}') for name in _COUNTS[1:])


def record_frames(
    bag: TolerantBag,
    camera: CameraTopics,
    request: ReplayRequest,
    report: NodeReport,
    rate: float,
    labels: LabelFolder | None,
) -> Iterator[str]:
    """Write a record of every frame that was played; yield what became of each.

    Detections are matched to images by their stamp, in one pass through both bags.
    """
    decoder = FrameDecoder(request.rectification, request.calibration)
    thumbnails = Thumbnails(request.out, camera.image, request.pictures)
    with (
        BagReader(bag_path(request.out)) as recorded,
        FrameAppender(frames_path(request.out)) as appender,
    ):
        answers = _Answers(recorded, rate)
        for frame in BagFrames(bag, [camera], request.selection):
            try:
                if not frame.stamp_ns:
                    raise ValueError(_NO_STAMP)
                decoded = decoder.decode(frame)
                record = begin_record(frame, decoded, request, labels)
            except ValueError as error:
                appender.append(failed_record(frame, request, str(error)))
                yield FAILED
                continue
            answer = answers.take(frame.stamp_ns, frame.received_ns)
            if answer is None:
                record = dataclasses.replace(record, status=DROPPED, reason=_why_dropped(report))
            else:
                arrived_ns, found = answer
                record = dataclasses.replace(
                    record,
                    detections=tuple(with_image_box(item, decoded.camera) for item in found),
                    latency_ms=_latency_ms(frame, arrived_ns, rate),
                )
                write_results(request, record)
                thumbnails.offer(record, decoded.image_bgr, decoded.camera)
            appender.append(record)
            yield record.status


class _Answers:
    """The recorded detections: those that came in a while around an image's own arrival.

    Stamps may jump back in a bag, and come again: only bag time always runs on.
    """

    def __init__(self, recorded: BagReader, rate: float) -> None:
        self._longest_ns = round(LONGEST_ANSWER_NS * max(rate, 1.0))
        self._messages = recorded.messages([DETECTIONS])
        self._next: BagMessage | None = next(self._messages, None)
        #: Arrival and message of the answers to an image's stamp, the first come first.
        self._near: dict[int, deque[tuple[int, Detection3DArray]]] = {}

    def take(self, wanted_ns: int, received_ns: int) -> tuple[int, list[Detection3D]] | None:
        """Return arrival (bag time, ns) and detections of an image, if it was answered.

        Parameters
        ----------
        wanted_ns
            The image's stamp.
        received_ns
            When it came, in bag time; from one call to the next it does not decrease.
        """
        while self._next is not None and self._next.stamp_ns <= received_ns + self._longest_ns:
            decoded = self._next.decode(Detection3DArray)
            answers = self._near.setdefault(stamp_ns(decoded.header.stamp), deque())
            answers.append((self._next.stamp_ns, decoded))
            self._next = next(self._messages, None)
        self._forget(received_ns - EARLIEST_ANSWER_NS)
        answers = self._near.get(wanted_ns, deque())
        if not answers:
            return None
        arrived_ns, message = answers.popleft()
        return arrived_ns, message_to_detections(message)

    def _forget(self, before_ns: int) -> None:
        """Drop answers that came before a time; stamps are kept in the order of arrival."""
        while self._near:
            stamp, answers = next(iter(self._near.items()))
            while answers and answers[0][0] < before_ns:
                answers.popleft()
            if answers:
                return
            del self._near[stamp]


def _latency_ms(frame: BagFrame, arrived_ns: int, rate: float) -> float:
    """Return the time from stamp to publication, as it would have been on the vehicle."""
    underway_ns = frame.received_ns - frame.stamp_ns
    if not 0 <= underway_ns <= SAME_CLOCK_NS:
        underway_ns = 0
    return 1e-6 * (underway_ns + (arrived_ns - frame.received_ns) / rate)


def _why_dropped(report: NodeReport) -> str:
    reason = f'no detections were published for it; {report.summary()}'
    if report.count('frames_refused'):
        reason += f', the last because: {report.values.get("last_error", "")}'
    if report.complaint:
        reason += f'; it said: {report.complaint}'
    return reason
