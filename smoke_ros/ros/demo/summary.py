"""What came of a run: frames, drops, rate and latency."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from vision_msgs.msg import Detection3DArray

from smoke_ros.files import write_text_atomically
from smoke_ros.ros.bags import BagReader
from smoke_ros.ros.messages import message_to_detections
from smoke_ros.ros.node_interface import DETECTIONS, DIAGNOSTICS, read_status
from smoke_ros.ros.player import PlayReport
from smoke_ros.ros.stamps import stamp_ns
from smoke_ros.ros.statistics import STAGES, Latency
from smoke_ros.structures import Detection3D


@dataclass(frozen=True)
class Summary:
    """The figures of one run."""

    source: str
    model: str
    trained_on: str
    device: str
    frames_played: int
    #: Frames a second while the bag was played.
    played_hz: float
    #: How far a frame was behind its time in the bag, at most.
    worst_delay_ms: float
    #: Counted by the node: received, published, given up for a newer one, unusable.
    frames_in: int
    frames_out: int
    frames_dropped: int
    frames_refused: int
    #: Received, but without the camera info that belongs to it.
    frames_unpaired: int
    #: Frames published a second, from the first to the last.
    out_hz: float
    detections: int
    latency: dict[str, Latency]

    def write(self, path: Path) -> None:
        """Write the figures as JSON."""
        write_text_atomically(path, json.dumps(dataclasses.asdict(self), indent=2) + '\n')

    def text(self) -> str:
        """Say it in a few lines."""
        stages = ', '.join(f'{name} {took.mean_ms:.0f}' for name, took in self.latency.items())
        lines = [
            f'source      {self.source}',
            f'model       {self.model}, trained on {self.trained_on}, on {self.device}',
            f'frames in   {self.frames_in} of {self.frames_played}, played at '
            f'{self.played_hz:.1f} Hz, at most {self.worst_delay_ms:.0f} ms late',
            f'frames out  {self.frames_out}, at {self.out_hz:.2f} Hz, with {self.detections} '
            'detections',
            f'dropped     {self.frames_dropped} for a newer one, {self.frames_refused} refused, '
            f'{self.frames_unpaired} without camera info',
            f'latency     {stages or "none"} (mean, ms)',
        ]
        if self.frames_dropped and 'total' in self.latency:
            lines.append(
                f'A frame takes {self.latency["total"].mean_ms:.0f} ms here and one comes every '
                f'{1e3 / self.played_hz:.0f} ms: the newest wins, the others are dropped.'
            )
        return '\n'.join(lines)


def summarise(recording: Path, report: PlayReport, image_topic: str, source: str) -> Summary:
    """Sum up a recording.

    Parameters
    ----------
    recording
        The bag of what the node published.
    report
        What was played.
    image_topic
        The topic whose messages are the frames.
    source
        The drive, in words.
    """
    values: Mapping[str, str] = {}
    received_ns, detections = [], 0
    with BagReader(recording) as bag:
        for message in bag.messages([DETECTIONS, DIAGNOSTICS]):
            if message.topic == DIAGNOSTICS:
                status = read_status(message.decode(DiagnosticArray))
                values = values if status is None else status.values
            else:
                received_ns.append(message.stamp_ns)
                detections += len(message.decode(Detection3DArray).detections)
    frames = report.messages[image_topic]
    names = ('frames_in', 'frames_out', 'frames_dropped', 'frames_refused')
    counts = {name: int(values[name]) for name in names}
    return Summary(
        source=source,
        model=values['model'],
        trained_on=values['trained_on'],
        device=values['device'],
        frames_played=frames,
        played_hz=_rate(frames, report.duration_s),
        worst_delay_ms=1e3 * report.worst_delay_s,
        **counts,
        frames_unpaired=2 * counts['frames_in'] - sum(counts.values()),
        out_hz=_rate(len(received_ns), (received_ns[-1] - received_ns[0]) * 1e-9)
        if received_ns
        else 0.0,
        detections=detections,
        latency={
            stage: Latency(
                float(values[f'latency_{stage}_ms']), float(values[f'latency_{stage}_max_ms'])
            )
            for stage in STAGES
            if f'latency_{stage}_ms' in values
        },
    )


def read_answers(recording: Path) -> dict[int, list[Detection3D]]:
    """Return what the node published, by the stamp of the image in nanoseconds."""
    with BagReader(recording) as bag:
        messages = [message.decode(Detection3DArray) for message in bag.messages([DETECTIONS])]
    return {stamp_ns(m.header.stamp): message_to_detections(m) for m in messages}


def _rate(count: int, duration_s: float) -> float:
    """Return the frequency of events whose first and last are a duration apart."""
    return (count - 1) / duration_s if count > 1 and duration_s > 0.0 else 0.0
