"""The frames of a replay as columns: some hundred bytes a box, whatever the size of the images."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smoke_ros.data.kitti import KittiObject, detection_to_object
from smoke_ros.evaluation.table import BoolArray, IntArray, ObjectTable
from smoke_ros.replay.records import (
    FRAMES_FILE,
    PROCESSED,
    FrameRecord,
    RunRecord,
    read_fleet,
    read_frames,
    read_run,
    thumbnail_path,
)
from smoke_ros.structures import Detection3D, FloatArray

#: Frames whose boxes are held as objects before they become columns.
FRAMES_AT_A_TIME = 256

#: Stages that contain others, or come after publication: no part of the time that a frame takes.
TOTAL_STAGE = 'total'
STAGES_BESIDE = (TOTAL_STAGE, 'stamp', 'debug_image')


@dataclass(frozen=True, eq=False)
class Stream:
    """N frames of one image topic of one bag, in their order.

    Attributes
    ----------
    bag, topic
        What was read.
    index, stamp_ns
        (N,) as in :class:`FrameRecord`.
    status
        (N,) names.
    labelled
        (N,) whether the frame has ground truth, though it be empty.
    latency_ms
        (N,) NaN where there is none.
    stages_ms
        (N,) by name of the stage; NaN where there is none.
    detections, truth
        Of all frames; ``frame`` is the place in these columns.
    reasons
        Why frames were not processed, and how many each.
    """

    bag: str
    topic: str
    index: IntArray
    stamp_ns: IntArray
    status: np.ndarray
    labelled: BoolArray
    latency_ms: FloatArray
    stages_ms: dict[str, FloatArray]
    detections: ObjectTable
    truth: ObjectTable
    reasons: dict[str, int]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def processed(self) -> BoolArray:
        """(N,) whether the frame has been through the network."""
        return self.status == PROCESSED

    @property
    def scored(self) -> BoolArray:
        """(N,) whether the frame can be evaluated: processed, and with ground truth."""
        return self.processed & self.labelled

    @property
    def processing_ms(self) -> FloatArray:
        """(N,) what a frame took: its stage ``total``, or else the sum of its stages."""
        if TOTAL_STAGE in self.stages_ms:
            return self.stages_ms[TOTAL_STAGE]
        parts = [ms for name, ms in self.stages_ms.items() if name not in STAGES_BESIDE]
        if not parts:
            return np.full(len(self), np.nan)
        known = np.isfinite(parts)
        return np.where(known.any(axis=0), np.where(known, parts, 0.0).sum(axis=0), np.nan)

    def between(self, start_ns: int, end_ns: int) -> Stream:
        """Return the frames with stamps from ``start_ns`` on and before ``end_ns``."""
        rows = (self.stamp_ns >= start_ns) & (self.stamp_ns < end_ns)
        columns = ('index', 'stamp_ns', 'status', 'labelled', 'latency_ms')
        return dataclasses.replace(
            self,
            **{name: getattr(self, name)[rows] for name in columns},
            stages_ms={name: ms[rows] for name, ms in self.stages_ms.items()},
            detections=_renumbered(self.detections, rows),
            truth=_renumbered(self.truth, rows),
            reasons={},
        )


@dataclass(frozen=True, eq=False)
class Replay:
    """One run, or several in folders beside each other, as they were read."""

    folder: Path
    runs: tuple[RunRecord, ...]
    streams: tuple[Stream, ...]
    #: Names of classes as they are written, by their lower case.
    class_names: dict[str, str]
    #: Frames of which there are pictures, with the path of each.
    pictured: tuple[tuple[Path, FrameRecord], ...]
    #: Sentences on bags of which there is no run.
    unread: tuple[str, ...] = ()
    #: How many other runs lie in the folder, of earlier replays.
    left_out: int = 0


def read_replay(folder: Path) -> Replay:
    """Read the folder of a run, or one with folders of runs in it.

    Raises
    ------
    FileNotFoundError
        If there is no run in it.
    ValueError
        Naming the file and line that is damaged.
    """
    builders: list[_Builder] = []
    class_names: dict[str, str] = {}
    pictured: list[tuple[Path, FrameRecord]] = []
    folders, unread, left_out = _select_runs(folder)
    for run_folder in folders:
        of_run: dict[tuple[str, str], _Builder] = {}
        for record in read_frames(run_folder / FRAMES_FILE):
            key = (record.bag, record.topic)
            if key not in of_run:
                of_run[key] = _Builder(*key)
            of_run[key].add(record)
            boxes: tuple[Detection3D | KittiObject, ...] = record.detections
            for box in boxes + (record.ground_truth or ()):
                class_names.setdefault(box.class_name.lower(), box.class_name)
            picture = thumbnail_path(run_folder, record.topic, record.index)
            if picture.exists():
                pictured.append((picture, record))
        builders += of_run.values()
    runs = tuple(read_run(run_folder) for run_folder in folders)
    streams = tuple(builder.build() for builder in builders)
    return Replay(folder, runs, streams, class_names, tuple(pictured), unread, left_out)


def _select_runs(folder: Path) -> tuple[list[Path], tuple[str, ...], int]:
    """Choose the folder itself if it is that of a run, else those inside it that are.

    A fleet has a folder for each bag, and in that one for each segment where bags were cut; those
    of earlier replays do not count.

    Returns
    -------
    The folders of the runs, what of the fleet could not be read, and how many runs do not count.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    if (folder / FRAMES_FILE).exists():
        return [folder], (), 0
    patterns = (f'*/{FRAMES_FILE}', f'*/segment_*/{FRAMES_FILE}')
    inside = sorted(path.parent for pattern in patterns for path in folder.glob(pattern))
    fleet, found = read_fleet(folder), inside
    if fleet is not None:
        found = [each for each in inside if each.relative_to(folder).as_posix() in fleet.runs]
    if not found:
        raise FileNotFoundError(
            f'{folder}: expected the folder that smoke-ros replay --out wrote, found no '
            f'{FRAMES_FILE} in it nor in a folder inside it'
        )
    return found, fleet.unread if fleet else (), len(inside) - len(found)


def segments(streams: Sequence[Stream], count: int) -> Iterator[tuple[float, float, list[Stream]]]:
    """Cut streams of one bag into equal lengths of time.

    Yields
    ------
    Start and end of a segment in seconds since the bag's first frame, and its part of every
    stream. Nothing for streams without frames, one segment for a single stamp. Frames whose
    stamp was never set, zero far from all others, belong to none.
    """
    stamps = np.concatenate([np.empty(0, np.int64), *(stream.stamp_ns for stream in streams)])
    if not len(stamps):
        return
    stamps = given_stamps(stamps)
    first, last = int(stamps.min()), int(stamps.max())
    count = min(count, last - first) or 1
    edges = [first + (last - first) * i // count for i in range(count + 1)]
    for low, high in itertools.pairwise(edges):
        end = high + 1 if high == last else high
        parts = [stream.between(low, end) for stream in streams]
        yield (low - first) / 1e9, (high - first) / 1e9, parts


def given_stamps(stamps_ns: IntArray) -> IntArray:
    """Return the stamps of a bag without those that were never set: zero, far from all others."""
    given = stamps_ns[stamps_ns != 0]
    # A clock of a simulation starts at zero.
    return given if len(given) and given.min() > np.ptp(given) else stamps_ns


def _renumbered(table: ObjectTable, rows: BoolArray) -> ObjectTable:
    """Return the objects of some frames, numbered by their place among these."""
    kept = table.where(rows[table.frame])
    return dataclasses.replace(kept, frame=(np.cumsum(rows) - 1)[kept.frame])


class _Builder:
    """Collects the records of one stream."""

    def __init__(self, bag: str, topic: str) -> None:
        self._bag, self._topic = bag, topic
        self._rows: list[tuple[int, int, str, bool, float]] = []
        self._stages: dict[str, dict[int, float]] = {}
        self._reasons: Counter[str] = Counter()
        self._waiting: list[tuple[list[KittiObject], list[KittiObject]]] = []
        self._tables: list[tuple[ObjectTable, ObjectTable]] = []
        self._sizes: list[int] = []

    def add(self, record: FrameRecord) -> None:
        """Add the next frame."""
        latency = np.nan if record.latency_ms is None else record.latency_ms
        for name, ms in record.stages_ms.items():
            self._stages.setdefault(name, {})[len(self._rows)] = ms
        labelled = record.ground_truth is not None
        self._rows.append((record.index, record.stamp_ns, record.status, labelled, latency))
        if record.status != PROCESSED:
            self._reasons[record.reason or 'no reason given'] += 1
        detections = [detection_to_object(detection) for detection in record.detections]
        self._waiting.append((list(record.ground_truth or ()), detections))
        if len(self._waiting) >= FRAMES_AT_A_TIME:
            self._store()

    def build(self) -> Stream:
        """Return the stream of what was added."""
        self._store()
        index, stamps, status, labelled, latency = zip(*self._rows, strict=True)
        return Stream(
            self._bag,
            self._topic,
            index=np.array(index, np.int64),
            stamp_ns=np.array(stamps, np.int64),
            status=np.array(status, np.str_),
            labelled=np.array(labelled, np.bool_),
            latency_ms=np.array(latency, np.float64),
            stages_ms={name: self._column(values) for name, values in self._stages.items()},
            truth=ObjectTable.joined([truth for truth, _ in self._tables], self._sizes),
            detections=ObjectTable.joined([found for _, found in self._tables], self._sizes),
            reasons=dict(self._reasons.most_common()),
        )

    def _store(self) -> None:
        if not self._waiting:
            return
        truth, detections = zip(*self._waiting, strict=True)
        self._tables.append((ObjectTable.from_frames(truth), ObjectTable.from_frames(detections)))
        self._sizes.append(len(self._waiting))
        self._waiting = []

    def _column(self, values: dict[int, float]) -> FloatArray:
        column = np.full(len(self._rows), np.nan)
        column[list(values)] = list(values.values())
        return column
