"""The folder of a run: begun, resumed after an interruption, and finished."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import platform
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

from smoke_ros import __version__
from smoke_ros.replay.records import (
    FRAMES_FILE,
    LIVE,
    RUN_FILE,
    RunRecord,
    read_run,
    topic_folder,
    write_run,
)
from smoke_ros.ros.replay.request import ReplayRequest

logger = logging.getLogger(__name__)

RESULTS_FOLDER = 'detections'
BAG_FOLDER = 'bag'

#: What has to be the same for a run to go on where it was interrupted.
IDENTITY = ('mode', 'smoke_ros', 'model', 'device', 'engine', 'bags', 'topics', 'options')


def describe_run(
    mode: str,
    request: ReplayRequest,
    model: Mapping[str, str],
    device: str,
    topics: Sequence[str],
    engine: str = '',
) -> RunRecord:
    """Return the record of a run that begins now.

    Raises
    ------
    ValueError
        If files of two topics would lie in one folder.
    """
    folders = {topic_folder(topic): topic for topic in topics}
    if len(folders) < len(topics):
        shared = next(topic for topic in topics if folders[topic_folder(topic)] != topic)
        raise ValueError(
            f'{shared} and {folders[topic_folder(shared)]} would share a folder: replay one at a '
            'time, with --topics'
        )
    return RunRecord(
        mode=mode,
        smoke_ros=__version__,
        model=model,
        device=device,
        engine=engine,
        bags=(str(request.bag),),
        topics=tuple(topics),
        started=now(),
        versions=_versions(device),
        options=request.options(),
    )


def engine_that_ran(summary: str) -> str:
    """Return engine and precision of a summary, without the reasons for a fall-back.

    These may name what differs from run to run, such as free memory.
    """
    return summary.partition(';')[0]


def begin(
    folder: Path, run: RunRecord, *, overwrite: bool = False, keep_finished: bool = False
) -> RunRecord:
    """Begin a run in a folder, or go on with the one that was interrupted there.

    Returns the record of the run: that of its beginning; with `keep_finished` that of its end
    where the folder holds just this run, finished.

    Raises
    ------
    FileExistsError
        If the folder holds a finished run, or anything else.
    ValueError
        If it holds an interrupted run of something else.
    """
    if overwrite:
        remove_run(folder)
    if not folder.exists() or not any(folder.iterdir()):
        write_run(folder, run)
        return run
    if not (folder / RUN_FILE).is_file():
        raise FileExistsError(f'{folder} is not empty and holds no run: give another folder')
    before = read_run(folder)
    if before.ended and not keep_finished:
        raise FileExistsError(
            f'{folder} holds a finished run: `smoke-ros report {folder}` reports on it; for '
            'a new one give another folder, or --overwrite'
        )
    what = 'a finished' if before.ended else 'an interrupted'
    # What ran is known at the end of a live run; what was asked for is among its options.
    unknown = ('model', 'device', 'engine') if run.mode == LIVE else ()
    for name in (each for each in IDENTITY if each not in unknown):
        old, new = getattr(before, name), getattr(run, name)
        if old != new:
            raise ValueError(
                f'{folder} holds {what} run with another {name} '
                f'({_difference(old, new)}): give the same again to go on, another folder, '
                'or --overwrite'
            )
    return before


def remove_run(folder: Path) -> None:
    """Remove a folder that holds a run; any other one stays."""
    if (folder / RUN_FILE).is_file():
        shutil.rmtree(folder)


def remove_segments(folder: Path) -> None:
    """Remove the runs over segments of a bag that a folder holds, however many they were."""
    for segment in folder.glob('segment_*'):
        remove_run(segment)


def finish(folder: Path, run: RunRecord) -> RunRecord:
    """Write the record of a run that has come to its end."""
    run = dataclasses.replace(run, ended=now())
    write_run(folder, run)
    return run


def frames_path(folder: Path) -> Path:
    """Return where the frames of a run are recorded."""
    return folder / FRAMES_FILE


def results_folder(folder: Path, topic: str) -> Path:
    """Return where the result files of a camera are, by its image topic."""
    return folder / RESULTS_FOLDER / topic_folder(topic)


def bag_path(folder: Path) -> Path:
    """Return where the bag of what was found is."""
    return folder / BAG_FOLDER


def now() -> str:
    """Return the time in ISO 8601, with its zone."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds')


def _difference(old: object, new: object) -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        return ', '.join(f'{n} was {old.get(n)!r}, is {new.get(n)!r}' for n in names)
    return f'was {old!r}, is {new!r}'


def _versions(device: str) -> dict[str, str]:
    versions = {
        'python': platform.python_version(),
        'torch': torch.__version__,
        'numpy': np.__version__,
        'opencv': cv2.__version__,
        'os': platform.platform(),
        'cpu': _processor(),
    }
    if device.startswith('cuda') and torch.cuda.is_available():
        versions['gpu'] = torch.cuda.get_device_name(device)
    return versions


def _processor() -> str:
    """Return the processor's name, which the standard library does not know on Linux."""
    info = Path('/proc/cpuinfo')
    if info.is_file():
        for line in info.read_text(encoding='utf-8', errors='replace').splitlines():
            if line.startswith('model name'):
                return line.partition(':')[2].strip()
    return platform.processor() or platform.machine()
