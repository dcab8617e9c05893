"""The two files that a replay leaves: ``run.json``, and ``frames.jsonl`` with a line a frame.

``frames.jsonl`` grows frame by frame, and is where an interrupted run goes on. A last line that
was only half written, as after a kill, is left out by the reader and cut by the appender.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from smoke_ros.data.box_records import (
    detection_from_record,
    detection_record,
    object_from_record,
    object_record,
)
from smoke_ros.data.kitti import KittiObject
from smoke_ros.files import write_text_atomically
from smoke_ros.structures import CameraModel, Detection3D

RUN_FILE = 'run.json'
#: Of a replay of several bags, beside the folders of its runs.
FLEET_FILE = 'fleet.json'
FRAMES_FILE = 'frames.jsonl'
THUMBNAILS_FOLDER = 'thumbnails'

#: What became of a frame: through the network; arrived but was passed over; could not be used.
PROCESSED, DROPPED, FAILED = 'processed', 'dropped', 'failed'
STATUSES = (PROCESSED, DROPPED, FAILED)

OFFLINE, LIVE = 'offline', 'live'

#: Rows of K.
Intrinsics = tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class FrameRecord:
    """One image of a bag, and what came of it.

    Attributes
    ----------
    bag, topic
        Path of the bag, and the image topic.
    index
        Place of the image among those of its topic in the whole bag, from 0; with a stride or a
        start, indices are left out.
    stamp_ns
        The header's stamp.
    status, reason
        One of :data:`STATUSES`, and where it is not processed, why.
    width, height, K
        Of the image as it arrived; 0, 0 and None where not even that is known.
    detections, ground_truth
        In the camera's optical frame; ground_truth is None for a frame without labels, and empty
        for one that is labelled as having no object.
    stages_ms
        How long each stage took: name to milliseconds.
    latency_ms
        Live: from the image's stamp to publication of its detections.
    """

    bag: str
    topic: str
    index: int
    stamp_ns: int
    status: str = PROCESSED
    reason: str = ''
    width: int = 0
    height: int = 0
    K: Intrinsics | None = None
    detections: tuple[Detection3D, ...] = ()
    ground_truth: tuple[KittiObject, ...] | None = None
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    latency_ms: float | None = None

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f'status must be one of {", ".join(STATUSES)}, got {self.status!r}')

    @classmethod
    def of_camera(cls, camera: CameraModel, **values: Any) -> FrameRecord:
        """Make a record whose size and K are those of a camera."""
        return cls(width=camera.width, height=camera.height, K=_rows(camera.K), **values)

    def camera(self) -> CameraModel | None:
        """Return the image's pinhole, without distortion; None where it is not known."""
        if self.K is None:
            return None
        return CameraModel.from_intrinsics(np.array(self.K), self.width, self.height)

    def to_json(self) -> dict[str, Any]:
        """Return the record as what json.dumps takes."""
        truth = self.ground_truth
        return {
            'bag': self.bag,
            'topic': self.topic,
            'index': self.index,
            'stamp_ns': self.stamp_ns,
            'status': self.status,
            'reason': self.reason,
            'width': self.width,
            'height': self.height,
            'K': None if self.K is None else [list(row) for row in self.K],
            'detections': [detection_record(detection) for detection in self.detections],
            'ground_truth': None if truth is None else [object_record(item) for item in truth],
            'stages_ms': dict(self.stages_ms),
            'latency_ms': self.latency_ms,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> FrameRecord:
        """Return the record of :meth:`to_json`; KeyError, TypeError or ValueError if damaged."""
        truth, K = values['ground_truth'], values['K']
        latency = values['latency_ms']
        return cls(
            bag=str(values['bag']),
            topic=str(values['topic']),
            index=int(values['index']),
            stamp_ns=int(values['stamp_ns']),
            status=values['status'],
            reason=str(values['reason']),
            width=int(values['width']),
            height=int(values['height']),
            K=None if K is None else _rows(K),
            detections=tuple(map(detection_from_record, values['detections'])),
            ground_truth=None if truth is None else tuple(map(object_from_record, truth)),
            stages_ms={name: float(ms) for name, ms in values['stages_ms'].items()},
            latency_ms=None if latency is None else float(latency),
        )


@dataclass(frozen=True)
class LoadSample:
    """What the process under test took at one time of a live replay."""

    #: Since the start of the replay.
    time_s: float
    #: Of one core: 200 is two cores.
    cpu_percent: float
    memory_mb: float


@dataclass(frozen=True)
class RunRecord:
    """What ran, on what and with what; everything of a run that is not of one frame.

    Attributes
    ----------
    mode
        :data:`OFFLINE` or :data:`LIVE`.
    smoke_ros
        Version of this package.
    model
        ``name``, ``sha256``, ``trained_on``.
    device, engine
        What the network ran on, in words, and what ran it, whatever was asked for: engine and
        precision.
    versions
        Of python, torch, OS, CPU and the like: name to version.
    bags, topics
        What was replayed.
    options
        Of the replay, as given or by default.
    started, ended
        ISO 8601 with time zone; ended is empty for a run that was cut off.
    counts
        Frames by status and the like.
    problems
        Sentences on what could not be read.
    load
        Live: CPU and memory over time.
    """

    mode: str
    smoke_ros: str
    model: Mapping[str, Any]
    device: str
    bags: tuple[str, ...]
    topics: tuple[str, ...]
    started: str
    ended: str = ''
    engine: str = ''
    versions: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    load: tuple[LoadSample, ...] = ()

    def __post_init__(self) -> None:
        if self.mode not in (OFFLINE, LIVE):
            raise ValueError(f'mode must be {OFFLINE} or {LIVE}, got {self.mode!r}')

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> RunRecord:
        """Return the record of ``dataclasses.asdict``; TypeError or ValueError if damaged."""
        values = dict(values)
        for name in ('bags', 'topics', 'problems'):
            values[name] = tuple(values.get(name, ()))
        values['load'] = tuple(LoadSample(**sample) for sample in values.get('load', ()))
        return cls(**values)


def write_run(folder: Path, record: RunRecord) -> None:
    """Write ``run.json`` into the folder of a run, atomically."""
    text = json.dumps(dataclasses.asdict(record), indent=1, allow_nan=False)
    write_text_atomically(folder / RUN_FILE, text + '\n')


def read_run(folder: Path) -> RunRecord:
    """Read ``run.json`` from the folder of a run.

    Raises
    ------
    FileNotFoundError
        If it has none.
    ValueError
        If it is damaged.
    """
    path = folder / RUN_FILE
    try:
        return RunRecord.from_json(json.loads(path.read_text(encoding='utf-8')))
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f'{path}: expected the record of a replay ({error})') from error


@dataclass(frozen=True)
class Fleet:
    """What the folder of a replay of several bags is of; see ``fleet.json``.

    Attributes
    ----------
    runs
        The folders of its runs, below it.
    unread
        Sentences on bags, or segments of them, of which there is no run.
    """

    runs: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def write_fleet(folder: Path, fleet: Fleet) -> None:
    """Write ``fleet.json`` into the folder of a replay of several bags, atomically."""
    text = json.dumps(dataclasses.asdict(fleet), indent=1)
    write_text_atomically(folder / FLEET_FILE, text + '\n')


def read_fleet(folder: Path) -> Fleet | None:
    """Read ``fleet.json``; None where there is none.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    path = folder / FLEET_FILE
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
        return Fleet(tuple(map(str, values['runs'])), tuple(map(str, values['unread'])))
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f'{path}: expected the record of a replay ({error!r})') from error


def read_frames(path: Path) -> Iterator[FrameRecord]:
    """Read the frames of a run one at a time, in their order.

    Parameters
    ----------
    path
        ``frames.jsonl``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        Naming the line that is not a record; a last line without its end is left out instead.
    """
    with path.open('rb') as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b'\n'):
                return
            try:
                yield FrameRecord.from_json(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                what = f'{type(error).__name__}: {error}'
                raise ValueError(f'{path}:{number}: expected a frame ({what})') from error


class FrameAppender:
    """Adds frames to ``frames.jsonl``; each is in the file when :meth:`append` returns.

    Goes on behind what the file has; see :func:`read_frames` for what that is.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _cut_half_line(path)
        self._file = path.open('a', encoding='utf-8')

    def append(self, record: FrameRecord) -> None:
        """Write one frame."""
        line = json.dumps(record.to_json(), allow_nan=False, separators=(',', ':'))
        self._file.write(line + '\n')
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> FrameAppender:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def thumbnail_path(folder: Path, topic: str, index: int) -> Path:
    """Return where the annotated picture of a frame lies in the folder of its run."""
    return folder / THUMBNAILS_FOLDER / topic_folder(topic) / f'{index:06d}.jpg'


def topic_folder(topic: str) -> str:
    """Return a topic's name as that of a folder: ``/front/image`` is ``_front_image``."""
    return topic.replace('/', '_')


def _rows(K: Iterable[Iterable[float]]) -> Intrinsics:
    first, second, third = ((float(a), float(b), float(c)) for a, b, c in K)
    return first, second, third


def _cut_half_line(path: Path) -> None:
    """Cut what follows the last end of a line, reading from the end backwards."""
    if not path.exists():
        return
    with path.open('rb+') as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            last = file.read(end - start).rfind(b'\n')
            if last >= 0:
                end = start + last + 1
                break
            end = start
        file.truncate(end)
