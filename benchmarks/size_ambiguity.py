"""Measure how well cars could be placed if all but their size were known.

Run it as `python -m benchmarks.size_ambiguity TRAIN TEST`, with two data sets that
`smoke-ros synth` made, the second with --held-out.

One camera shows proportions and directions; how far a thing is follows from how large it is. The
first row is a detector that finds every car, draws its 2D box, its heading and its proportions
without error, and takes for its scale the median of the training cars of such proportions. No
network that judges cars one by one can be expected to do better on these scenes, unless it knows
what each car is. The other rows know sizes, and err in depth as much as they say: what an average
precision takes.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.data.kitti import KittiObject
from smoke_ros.data.layout import KittiFolder
from smoke_ros.evaluation import evaluate_frames
from smoke_ros.structures import FloatArray

#: Whose sizes are looked at; to KITTI's rules a van is neither a right nor a wrong car.
NAMES = ('Car', 'Van')
#: Training cars of about the same proportions whose median scale is taken.
NEIGHBOURS = 64
#: Standard deviations of the logarithm of depth, for the rows that know sizes.
SPREADS = (0.02, 0.03, 0.045, 0.06)
OVERLAP = 0.5
#: Smaller cars are not looked at for their sizes.
SMALLEST_PX = 12.0


class Scales:
    """What the training cars tell of a car's scale, the geometric mean of its dimensions."""

    def __init__(self, frames: Sequence[Sequence[KittiObject]]) -> None:
        sizes = [item.dimensions for item in _cars(frames)]
        if len(sizes) < NEIGHBOURS:
            raise SystemExit(f'expected {NEIGHBOURS} cars to learn from, got {len(sizes)}')
        self._scales, self._proportions = _split(np.array(sizes))

    def seen_as(self, item: KittiObject) -> KittiObject:
        """Return what is detected of a car of the scale that its proportions let expect."""
        scale, proportions = _split(np.array([item.dimensions]))
        distances = np.abs(self._proportions - proportions).max(1)
        alike = np.argpartition(distances, NEIGHBOURS - 1)[:NEIGHBOURS]
        ratio = float(np.exp(np.median(self._scales[alike]) - scale[0]))
        return moved(item, ratio, ratio)


def _split(sizes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return (n,) logarithms of scales and (n, 3) of proportions."""
    logs = np.log(sizes)
    scales = logs.mean(1)
    return scales, logs - scales[:, None]


def _cars(frames: Sequence[Sequence[KittiObject]]) -> Iterator[KittiObject]:
    for item in (item for objects in frames for item in objects if item.class_name in NAMES):
        if item.bbox_xyxy_px[3] - item.bbox_xyxy_px[1] > SMALLEST_PX:
            yield item


def moved(item: KittiObject, depth: float, scale: float) -> KittiObject:
    """Return what is detected of a car: farther along its ray, and larger, by these factors.

    The nearer, the surer: the same error in depth is a smaller part of a near car.
    """
    x, y, z = (depth * value for value in item.location)
    length, height, width = (scale * value for value in item.dimensions)
    return dataclasses.replace(
        item, class_name='Car', location=(x, y, z), dimensions=(length, height, width),
        score=1.0 / (1.0 + z / 20.0),
    )  # fmt: skip


def score(
    truth: Sequence[Sequence[KittiObject]], found: Sequence[Sequence[KittiObject]]
) -> tuple[float, float]:
    """Return the median relative error of depth up to 40 m, in percent, and the moderate 3D AP."""
    overlaps = (OVERLAP,)
    config = EvaluationConfig(classes=('Car',), overlaps=overlaps, devkit_overlaps=overlaps)
    (cars,) = evaluate_frames(truth, found, config).classes
    (precision,) = (
        part.r40
        for part in cars.benchmark
        if (part.metric, part.difficulty) == ('3d', 'moderate') and part.r40 is not None
    )
    errors = [
        abs(b.location[2] / a.location[2] - 1.0)
        for a, b in zip(_cars(truth), _cars(found), strict=True)
        if a.class_name == 'Car' and a.location[2] <= 40.0
    ]
    return 100.0 * float(np.median(errors)), precision


def read_labels(root: Path) -> list[list[KittiObject]]:
    """Read all labels of a data set in KITTI's layout."""
    folder = KittiFolder(root)
    return [folder.labels(f) for f in tqdm(folder.frames(), str(root), leave=False, disable=None)]


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('train', type=Path, help='data set that sizes are learnt from')
    parser.add_argument('test', type=Path, help='data set to detect the cars of')
    args = parser.parse_args(arguments)
    scales, truth = Scales(read_labels(args.train)), read_labels(args.test)
    cars = [[item for item in objects if item.class_name in NAMES] for objects in truth]
    print(f'| what is not known | median depth error | Car 3D AP_R40 at {OVERLAP}, moderate |')
    print('| --- | ---: | ---: |')
    found = [
        [scales.seen_as(item) for item in objects]
        for objects in tqdm(cars, 'scales', leave=False, disable=None)
    ]
    print('| the scale | {:.1f}% | {:.1f} |'.format(*score(truth, found)))
    for spread in SPREADS:
        rng = np.random.default_rng(0)
        found = [
            [moved(item, float(np.exp(rng.normal(0.0, spread))), 1.0) for item in objects]
            for objects in cars
        ]
        figures = '{:.1f}% | {:.1f}'.format(*score(truth, found))
        print(f'| depth, standard deviation {100 * spread:g}% | {figures} |')
    return 0


if __name__ == '__main__':
    sys.exit(main())
