"""Reading labels and results of a data set in KITTI's layout, and where they came from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from smoke_ros.data.kitti import KittiObject, read_objects
from smoke_ros.data.layout import read_split
from smoke_ros.evaluation.run_info import RunInfo, leakage_warnings, read_run_info
from smoke_ros.files import list_files


@dataclass(frozen=True)
class Provenance:
    """What a report says about its figures, beside the figures."""

    labels: str
    detections: str
    #: Which frames of the data set, in words.
    split: str
    warnings: tuple[str, ...] = ()
    run_info: RunInfo | None = None


@dataclass(frozen=True, eq=False)
class LabelledFrames:
    """Labels and detections of some frames, ready to be scored."""

    names: tuple[str, ...]
    truth: list[list[KittiObject]]
    detections: list[list[KittiObject]]
    provenance: Provenance


def read_frames(
    labels: Path, detections: Path, split: Path | None = None, trained_on: Path | None = None
) -> LabelledFrames:
    """Read label files and the result files of the same names.

    Parameters
    ----------
    labels, detections
        Folders of ``FRAME.txt``. A frame without a result file counts as one without detections;
        an empty file is one.
    split
        A file with a frame name on each line (KITTI's ImageSets); all labelled frames if None.
    trained_on
        Such a file of the frames that the model was trained on, to warn of those that are scored.

    Raises
    ------
    FileNotFoundError
        If a folder, the label of a frame of the split, or every result file is missing.
    KittiFormatError
        Naming file, line and field of what cannot be read.
    ValueError
        If the split names no frame, or one twice, or the file about the model is damaged.
    """
    labelled, detected = _frame_names(labels, 'label'), _frame_names(detections, 'result')
    names = sorted(labelled) if split is None else read_split(split)
    for name in names:
        if name not in labelled:
            raise FileNotFoundError(f'{labels / name}.txt: no label of a frame that {split} names')
    if not detected.intersection(names):
        raise FileNotFoundError(
            f'{detections}: expected result files such as {names[0]}.txt, found none of the '
            f'{len(names)} frames (one without detections has an empty file)'
        )
    warnings = _missing_warnings(names, detected, extra=split is None)
    truth = [read_objects(labels / f'{name}.txt') for name in _progress(names, 'labels')]
    results = [
        read_objects(detections / f'{name}.txt') if name in detected else []
        for name in _progress(names, 'results')
    ]
    warnings += _score_warnings(results, names, detections)
    run_info = read_run_info(detections)
    warnings += _leakage(run_info, trained_on, names)
    provenance = Provenance(
        labels=str(labels),
        detections=str(detections),
        split=str(split) if split else 'all labelled frames',
        warnings=tuple(warnings),
        run_info=run_info,
    )
    return LabelledFrames(tuple(names), truth, results, provenance)


def _frame_names(folder: Path, kind: str) -> set[str]:
    if not folder.is_dir():
        raise FileNotFoundError(f'{folder}: expected a folder of {kind} files, found none')
    names = {path.stem for path in list_files(folder, ('.txt',))}
    if not names:
        inside = sorted({str(path.parent) for path in folder.glob('*/*.txt')})
        hint = f'; did you mean {inside[0]}?' if inside else ''
        raise FileNotFoundError(f'{folder}: expected {kind} files FRAME.txt, found none{hint}')
    return names


def _missing_warnings(names: list[str], detected: set[str], *, extra: bool) -> list[str]:
    warnings = []
    missing = [name for name in names if name not in detected]
    if missing:
        warnings.append(
            f'{len(missing)} of {len(names)} frames have no result file (the first is '
            f'{missing[0]}.txt): each is scored as a frame without detections'
        )
    unlabelled = sorted(detected.difference(names))
    if extra and unlabelled:
        warnings.append(
            f'{len(unlabelled)} result files have no label (the first is {unlabelled[0]}.txt) and '
            'are left out'
        )
    return warnings


def _score_warnings(results: list[list[KittiObject]], names: list[str], folder: Path) -> list[str]:
    """Allow label files as results, all of them without scores, but no mixture."""
    unscored = [name for name, items in zip(names, results, strict=True) if _lacks_score(items)]
    if not unscored:
        return []
    if any(item.score is not None for items in results for item in items):
        read_objects(folder / f'{unscored[0]}.txt', with_score=True)  # says which line
    return ['the detections have no scores, as labels have none: each counts as sure (score 1)']


def _lacks_score(items: list[KittiObject]) -> bool:
    return any(item.score is None for item in items)


def _leakage(run_info: RunInfo | None, trained_on: Path | None, names: list[str]) -> list[str]:
    if trained_on is not None:
        model = run_info.model if run_info else 'the model'
        told = RunInfo(
            model, trained_on=str(trained_on), training_frames=tuple(read_split(trained_on))
        )
        return leakage_warnings(told, names)
    return leakage_warnings(run_info, names) if run_info else []


def _progress(names: list[str], what: str) -> Iterable[str]:
    return tqdm(names, desc=f'reading {what}', unit=' files', leave=False, disable=None)
