"""What a labelled data set holds, and the model references that follow from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from smoke_ros.config.data import BACKGROUND, IGNORE
from smoke_ros.config.model import ModelConfig
from smoke_ros.data.kitti import DONT_CARE, KittiObject
from smoke_ros.data.layout import KittiFolder
from smoke_ros.structures import Vector3


@dataclass(frozen=True)
class ClassStatistics:
    """The labelled objects of one class."""

    name: str
    count: int
    #: Objects with a 3D box in front of the camera, which the means are of.
    boxes: int
    #: Mean length, height and width in metres.
    dimensions: Vector3
    depth_mean_m: float
    depth_std_m: float


@dataclass(frozen=True)
class DatasetStatistics:
    """The labelled objects of a data set."""

    frames: int
    classes: tuple[ClassStatistics, ...]
    #: Over the objects of all classes together.
    depth_mean_m: float
    depth_std_m: float
    #: Median focal length as a part of the image's width.
    relative_focal: float

    def model_options(self, input_size: tuple[int, int]) -> dict[str, Any]:
        """Return options of :class:`ModelConfig`, as plain values, for a network input's size.

        Raises
        ------
        ValueError
            If a class has no 3D box to take references from.
        """
        empty = [part.name for part in self.classes if not part.boxes]
        if empty:
            raise ValueError(f'no {", ".join(empty)} is labelled with a 3D box: no reference size')
        return {
            'classes': [part.name for part in self.classes],
            'dimension_reference': [
                [round(size, 3) for size in part.dimensions] for part in self.classes
            ],
            # With one depth only there is no spread; any scale serves.
            'depth_reference': [
                round(self.depth_mean_m, 2), round(self.depth_std_m, 2) or 1.0
            ],
            'input_width': input_size[0],
            'input_height': input_size[1],
            'reference_focal_px': round(self.relative_focal * input_size[0], 3),
        }  # fmt: skip


def measure(
    folder: KittiFolder, frames: Sequence[str], classes: Sequence[str] = (),
    merged: Mapping[str, str] | None = None,
) -> DatasetStatistics:  # fmt: skip
    """Measure the labels of some frames, which must be readable.

    Parameters
    ----------
    classes
        Whose objects to measure, in this order; every name but DontCare, in alphabetical order,
        if empty.
    merged
        What other names are called: {'Van': 'Car'} counts vans as cars.

    Raises
    ------
    ValueError
        If a class has no object, or a name is called what is no class; names those that there
        are.
    """
    known = {*classes, BACKGROUND, IGNORE}
    lost = [f'{name}={to}' for name, to in (merged or {}).items() if to not in known]
    if classes and lost:
        raise ValueError(
            f'{", ".join(lost)}: expected the name of a class that is measured '
            f'({", ".join(classes)}), {BACKGROUND} or {IGNORE}'
        )
    objects: dict[str, list[KittiObject]] = defaultdict(list)
    focal = []
    for frame in frames:
        size = folder.image_size(frame)
        focal.append(folder.camera(frame, size).K[0, 0] / size[0])
        for item in folder.labels(frame):
            name = (merged or {}).get(item.class_name, item.class_name)
            objects[name].append(item)
    names = list(dict.fromkeys(classes)) or sorted(set(objects) - {DONT_CARE, BACKGROUND, IGNORE})
    if missing := [name for name in names if name not in objects]:
        raise ValueError(
            f'{folder.folder}: no {", ".join(missing)} is labelled; the labels have '
            f'{", ".join(sorted(objects))}'
        )
    parts = {name: _with_box(objects[name]) for name in names}
    depths = np.concatenate([values[:, 3] for values in parts.values()] or [np.empty(0)])
    return DatasetStatistics(
        frames=len(frames),
        classes=tuple(_of_class(name, len(objects[name]), parts[name]) for name in names),
        depth_mean_m=_mean(depths),
        depth_std_m=float(depths.std()) if depths.size else 0.0,
        relative_focal=float(np.median(focal)),
    )


def _with_box(objects: list[KittiObject]) -> np.ndarray:
    """Return (n, 4) length, height, width and depth of the objects that have a 3D box."""
    values = [(*item.dimensions, item.location[2]) for item in objects if item.has_box]
    return np.array(values, dtype=np.float64).reshape(-1, 4)


def _of_class(name: str, count: int, values: np.ndarray) -> ClassStatistics:
    length, height, width, depth = (_mean(column) for column in values.T)
    spread = float(values[:, 3].std()) if len(values) else 0.0
    return ClassStatistics(name, count, len(values), (length, height, width), depth, spread)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else 0.0


def format_table(statistics: DatasetStatistics) -> str:
    """Return a table for the terminal."""
    width = max([len('all'), *(len(part.name) for part in statistics.classes)])
    lines = [
        f'{statistics.frames} frames; length, height, width and depth in metres',
        f'{"class":<{width}}  objects  length  height  width   depth   (std)',
    ]
    for part in statistics.classes:
        length, height, width_m = part.dimensions
        note = '' if part.boxes == part.count else f'  {part.count - part.boxes} without a 3D box'
        lines.append(
            f'{part.name:<{width}}  {part.count:7d}  {length:6.2f}  {height:6.2f}  {width_m:5.2f}'
            f'  {part.depth_mean_m:6.2f}  {part.depth_std_m:6.2f}{note}'
        )
    total = sum(part.count for part in statistics.classes)
    lines.append(
        f'{"all":<{width}}  {total:7d}  {"":6}  {"":6}  {"":5}'
        f'  {statistics.depth_mean_m:6.2f}  {statistics.depth_std_m:6.2f}'
    )
    return '\n'.join(lines) + '\n'


def format_model_config(statistics: DatasetStatistics, input_size: tuple[int, int]) -> str:
    """Return the YAML file of a model's options; see :meth:`DatasetStatistics.model_options`."""
    options = statistics.model_options(input_size)
    ModelConfig(**_as_tuples(options))  # says now what would be refused later
    header = f'# Measured on {statistics.frames} frames by smoke-ros dataset stats.\n'
    return header + yaml.safe_dump(options, sort_keys=False, default_flow_style=None)


def _as_tuples(options: dict[str, Any]) -> dict[str, Any]:
    pairs = {name: value for name, value in options.items() if isinstance(value, list)}
    deep = {n: tuple(tuple(v) if isinstance(v, list) else v for v in p) for n, p in pairs.items()}
    return {**options, **deep}
