"""Who made a folder of results: a small JSON file beside them, and the guard against leakage."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smoke_ros.files import write_text_atomically

if TYPE_CHECKING:
    from smoke_ros.detector import Detector

#: Lies in the folder of result files; KITTI's own program reads *.txt only.
RUN_INFO_FILE = 'smoke_ros_run.json'


@dataclass(frozen=True)
class RunInfo:
    """The model behind some results, and what it was trained on."""

    #: Name or file of the model.
    model: str
    #: Of the weights file, in hexadecimal; '' where there is none.
    weights_sha256: str = ''
    #: Data and split, in words.
    trained_on: str = ''
    #: Names of the frames that training saw, such as 000003; empty where they are not known.
    training_frames: tuple[str, ...] = ()
    #: Whether it saw others too, whose names are not known.
    other_frames: bool = False

    @classmethod
    def of(cls, detector: Detector) -> RunInfo:
        """Return what there is to say of a detector's results."""
        info = detector.info
        return cls(
            info.name, info.sha256, detector.model.trained_on, info.training.frames,
            info.training.other_frames,
        )  # fmt: skip


def write_run_info(folder: Path | str, info: RunInfo) -> None:
    """Write the file into a folder of results, atomically."""
    text = json.dumps(dataclasses.asdict(info), indent=1)
    write_text_atomically(Path(folder) / RUN_INFO_FILE, text + '\n')


def read_run_info(folder: Path | str) -> RunInfo | None:
    """Read the file from a folder of results; None if there is none.

    Raises
    ------
    ValueError
        If the file is there and damaged; the message names it and what is wrong.
    """
    path = Path(folder) / RUN_INFO_FILE
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path}: expected JSON, got something else ({error})') from error
    names = {field.name for field in dataclasses.fields(RunInfo)}
    if not isinstance(values, dict) or 'model' not in values or not set(values) <= names:
        raise ValueError(f'{path}: expected an object with {", ".join(sorted(names))}')
    frames, others = values.pop('training_frames', []), values.pop('other_frames', False)
    texts = [*values.values(), *(frames if isinstance(frames, list) else [None])]
    if not all(isinstance(text, str) for text in texts) or not isinstance(others, bool):
        raise ValueError(
            f'{path}: expected texts, a list of texts for training_frames, and true or false for '
            'other_frames'
        )
    return RunInfo(training_frames=tuple(frames), other_frames=others, **values)


def names_data(trained_on: str) -> bool:
    """Return whether what a model was trained on, in words, is any data at all."""
    return bool(trained_on) and not trained_on.startswith('nothing')


def leakage_warnings(info: RunInfo, frames: Iterable[str]) -> list[str]:
    """Say what is to be said when a model is scored on these frames.

    Frames are told apart by name only: the same name in another data set looks the same, so the
    warning quotes what the model was trained on.
    """
    scored = set(frames)
    seen = scored.intersection(info.training_frames)
    trained_on = info.trained_on or 'data that it does not name'
    if seen:
        return [
            f'{len(seen)} of the {len(scored)} frames have names of frames that {info.model} was '
            f'trained on ({trained_on}): if they are the same frames, these figures say nothing '
            'about new ones'
        ]
    if info.other_frames or (not info.training_frames and names_data(info.trained_on)):
        which = 'which other frames' if info.training_frames else 'which frames'
        return [
            f'{info.model} was trained on {trained_on}; {which} is not known, so make sure that '
            'these are others'
        ]
    return []
