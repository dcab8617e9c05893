"""Everything that is measured on some frames: a whole replay, one topic, or a segment of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.config.report import ReportConfig
from smoke_ros.evaluation.evaluate import Evaluation, evaluate_tables
from smoke_ros.evaluation.table import ObjectTable
from smoke_ros.replay.records import DROPPED, FAILED, PROCESSED
from smoke_ros.replay.steadiness import Steadiness, measure_steadiness
from smoke_ros.replay.streams import Replay, Stream, segments
from smoke_ros.replay.timing import Times, jitter_ms, summarise_times

#: Farther detections share the last bin of distance.
MOST_DISTANCE_BINS = 10


@dataclass(frozen=True)
class Counts:
    """Frames, and the detections that reach the score threshold."""

    frames: int
    processed: int
    dropped: int
    failed: int
    #: Frames that have ground truth, and those of them that were processed.
    labelled: int
    scored: int
    detections: int
    #: Low ends of the bins of distance in metres; the last bin has no end.
    bins_m: tuple[float, ...]
    #: By class, spelled as in the records: detections in each bin.
    by_class: dict[str, tuple[int, ...]]

    @property
    def why_no_truth(self) -> str:
        """Why accuracy is not known, where it is not."""
        if self.labelled:
            return 'no frame with ground truth was processed'
        return 'there is no ground truth'

    @property
    def detections_per_frame(self) -> float | None:
        """Detections of a processed frame."""
        return self.detections / self.processed if self.processed else None


@dataclass(frozen=True, eq=False)
class Measurement:
    """What :func:`measure` found."""

    counts: Counts
    latency: Times
    jitter_ms: float | None
    processing: Times
    stages: dict[str, Times]
    steadiness: Steadiness
    #: None without ground truth.
    evaluation: Evaluation | None


@dataclass(frozen=True, eq=False)
class Segment:
    """A length of time of a bag, in seconds from its first frame."""

    bag: str
    start_s: float
    end_s: float
    measurement: Measurement


@dataclass(frozen=True, eq=False)
class ReplayMeasurements:
    """A replay, measured as a whole and in its parts."""

    whole: Measurement
    #: In the order of the replay's streams.
    streams: tuple[Measurement, ...]
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Measuring:
    """How it is measured."""

    report: ReportConfig = ReportConfig()
    evaluation: EvaluationConfig = EvaluationConfig()


def measure_replay(replay: Replay, how: Measuring) -> ReplayMeasurements:
    """Measure a replay as a whole, by stream, and by segment of each bag."""
    streams = replay.streams
    parts = [measure([stream], replay.class_names, how) for stream in streams]
    whole = parts[0] if len(parts) == 1 else measure(streams, replay.class_names, how)
    cut = []
    for bag in dict.fromkeys(stream.bag for stream in streams):
        of_bag = [stream for stream in streams if stream.bag == bag]
        for start, end, pieces in segments(of_bag, how.report.segments):
            cut.append(Segment(bag, start, end, measure(pieces, replay.class_names, how)))
    return ReplayMeasurements(whole, tuple(parts), tuple(cut))


def measure(streams: Sequence[Stream], names: dict[str, str], how: Measuring) -> Measurement:
    """Measure the frames of some streams together.

    Parameters
    ----------
    streams
        Any number, none included.
    names
        Of classes as they are written, by their lower case.
    how
        Thresholds and bins.
    """
    stages = dict.fromkeys(name for stream in streams for name in stream.stages_ms)
    latencies = [stream.latency_ms for stream in streams]
    return Measurement(
        counts=_count(streams, names, how.evaluation),
        latency=summarise_times(_joined(latencies)),
        jitter_ms=jitter_ms(latencies),
        processing=summarise_times(_joined([stream.processing_ms for stream in streams])),
        stages={
            name: summarise_times(
                _joined([s.stages_ms[name] for s in streams if name in s.stages_ms])
            )
            for name in stages
        },
        steadiness=measure_steadiness(streams, how.evaluation.score_threshold, how.report),
        evaluation=_evaluate(streams, how.evaluation),
    )


def _count(streams: Sequence[Stream], names: dict[str, str], config: EvaluationConfig) -> Counts:
    status = np.concatenate([np.zeros(0, np.str_), *(stream.status for stream in streams)])
    sizes = [len(stream) for stream in streams]
    table = ObjectTable.joined([stream.detections for stream in streams], sizes)
    table = table.where(table.score >= config.score_threshold)
    place = np.clip(table.boxes[:, 2] // config.distance_bin_m, 0, MOST_DISTANCE_BINS - 1)
    by_class = {
        names.get(name, name): tuple(
            np.bincount(
                place[table.class_name == name].astype(int), minlength=MOST_DISTANCE_BINS
            ).tolist()
        )
        for name in np.unique(table.class_name).tolist()
    }
    return Counts(
        frames=len(status),
        processed=int((status == PROCESSED).sum()),
        dropped=int((status == DROPPED).sum()),
        failed=int((status == FAILED).sum()),
        labelled=sum(int(stream.labelled.sum()) for stream in streams),
        scored=sum(int(stream.scored.sum()) for stream in streams),
        detections=len(table),
        bins_m=tuple(config.distance_bin_m * i for i in range(MOST_DISTANCE_BINS)),
        by_class=by_class,
    )


def _evaluate(streams: Sequence[Stream], config: EvaluationConfig) -> Evaluation | None:
    scored = [stream.scored for stream in streams]
    frames = sum(int(rows.sum()) for rows in scored)
    if not frames:
        return None
    sizes = [len(stream) for stream in streams]
    keep = np.concatenate(scored)
    truth = ObjectTable.joined([stream.truth for stream in streams], sizes)
    detections = ObjectTable.joined([stream.detections for stream in streams], sizes)
    return evaluate_tables(
        truth.where(keep[truth.frame]), detections.where(keep[detections.frame]), frames, config
    )


def _joined(columns: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *columns])
