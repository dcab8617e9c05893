"""How detections are scored against labels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from smoke_ros.config.options import check, from_mapping, option, read_yaml


@dataclass(frozen=True)
class EvaluationConfig:
    """Options of :func:`smoke_ros.evaluation.evaluate_frames`; the defaults are KITTI's."""

    classes: tuple[str, ...] = option(
        ('Car', 'Pedestrian', 'Cyclist'), 'class names to score, upper and lower case alike'
    )
    overlaps: tuple[float, ...] = option(
        (0.7, 0.5, 0.5),
        'intersection over union, by class, above which AP takes a detection for right: what '
        "KITTI's benchmark asks for in the image, from above and in space",
    )
    devkit_overlaps: tuple[float, ...] = option(
        (0.5, 0.25, 0.25),
        "the same from above and in space as KITTI's evaluation program was first published "
        "(2017); reported beside the benchmark's",
    )
    neighbours: tuple[tuple[str, str], ...] = option(
        (('Car', 'Van'), ('Pedestrian', 'Person_sitting')),
        'pairs of a class and a labelled class so like it that finding it is neither right nor '
        'wrong',
    )
    score_threshold: float = option(
        0.25, 'detections below this score count for AP and calibration only', low=0.0, high=1.0
    )
    match_overlap: float = option(
        0.5,
        'intersection over union in the image at which a detection is taken to be of an object, '
        'however wrong its depth',
        low=0.05, high=0.95,
    )  # fmt: skip
    distance_bin_m: float = option(
        10.0, 'width of the bins of distance along the optical axis', unit='m', low=1.0, high=100.0
    )
    false_box_rates: tuple[float, ...] = option(
        (0.1, 0.25, 0.5, 1.0),
        'false boxes a frame for which the score threshold that allows as many is sought, and '
        'what is found there reported',
    )
    clear_distance_m: float = option(
        40.0, 'objects in full view count as clear up to this distance', unit='m',
        low=1.0, high=1000.0,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)
        names = [name.lower() for name in self.classes]
        if not names or len(set(names)) != len(names):
            raise ValueError(f'classes must be different names, got {self.classes}')
        for option_name in ('overlaps', 'devkit_overlaps'):
            self._check_overlaps(option_name, getattr(self, option_name))
        if any(len(pair) != 2 for pair in self.neighbours):
            raise ValueError(f'neighbours must be pairs of class names, got {self.neighbours}')
        if not all(0.0 <= rate < math.inf for rate in self.false_box_rates):
            raise ValueError(
                f'false_box_rates must be rates from 0 up, got {self.false_box_rates}'
            )

    def _check_overlaps(self, option_name: str, overlaps: tuple[float, ...]) -> None:
        if len(overlaps) != len(self.classes):
            raise ValueError(
                f'{option_name} must have one figure for each of the {len(self.classes)} classes, '
                f'got {len(overlaps)}; give it together with classes'
            )
        for name, overlap in zip(self.classes, overlaps, strict=True):
            if not 0.0 < overlap < 1.0:
                raise ValueError(f'{option_name} of {name} must be between 0 and 1, got {overlap}')

    def neighbours_of(self, class_name: str) -> tuple[str, ...]:
        """Return the labelled classes that are neither right nor wrong for a class."""
        wanted = class_name.lower()
        return tuple(other for name, other in self.neighbours if name.lower() == wanted)


def read_evaluation_config(path: Path) -> EvaluationConfig:
    """Read options from a YAML file; those that it does not name keep their defaults.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not YAML, names an unknown option, or a value is not allowed.
    """
    return from_mapping(EvaluationConfig, read_yaml(path), str(path))
