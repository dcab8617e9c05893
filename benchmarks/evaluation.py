"""Measure how long it takes to evaluate a validation set of KITTI's size.

Run it as `python -m benchmarks.evaluation`.

Frames are made by seed: boxes on the ground before KITTI's camera, and detections of most of them
with noise, beside others of nothing. The clock runs over what `smoke-ros evaluate` does: reading
the files, scoring, and writing the reports.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.data.kitti import KittiObject, write_objects
from smoke_ros.evaluation import evaluate_frames
from smoke_ros.evaluation.frames import read_frames
from smoke_ros.evaluation.report_html import format_html
from smoke_ros.evaluation.report_text import format_text
from smoke_ros.geometry import alpha_from_rotation_y
from smoke_ros.structures import Box3D, CameraModel

CAMERA = CameraModel.from_intrinsics(
    [[721.5, 0.0, 609.6], [0.0, 721.5, 172.9], [0.0, 0.0, 1.0]], 1242, 375
)

#: Class names with length, height, width in metres, and how often they come.
SIZES = {
    'Car': (3.9, 1.5, 1.6),
    'Van': (5.1, 2.2, 1.9),
    'Pedestrian': (0.9, 1.7, 0.7),
    'Cyclist': (1.8, 1.7, 0.6),
}
SHARES = (0.6, 0.1, 0.2, 0.1)

#: Share of the objects that are detected.
FOUND = 0.8


def make_frame(
    rng: np.random.Generator, objects: int, detections: int
) -> tuple[list[KittiObject], list[KittiObject]]:
    """Return the labels and the detections of one frame."""
    truth = [_random_object(rng, score=None) for _ in range(objects)]
    results = [_detected(rng, item) for item in truth if rng.random() < FOUND][:detections]
    missing = detections - len(results)
    results += [_random_object(rng, score=float(rng.beta(2, 6))) for _ in range(missing)]
    return truth, results


def _random_object(rng: np.random.Generator, score: float | None) -> KittiObject:
    name = str(rng.choice(list(SIZES), p=SHARES))
    z = rng.uniform(5.0, 60.0)
    size = tuple(np.array(SIZES[name]) * rng.normal(1.0, 0.08, 3))
    location = (rng.uniform(-0.7, 0.7) * z, 1.65 - size[1] / 2, z)
    box = Box3D(location, size, rng.uniform(-np.pi, np.pi))
    return _as_object(box, name, int(rng.integers(0, 4)), score)


def _detected(rng: np.random.Generator, item: KittiObject) -> KittiObject:
    x, y, z = item.location
    off = 1.0 + 0.04 * rng.standard_normal()
    box = Box3D(
        (x * off, y * off, z * off),
        tuple(np.array(item.dimensions) * rng.normal(1.0, 0.05, 3)),
        item.rotation_y + rng.normal(0.0, 0.15),
    )
    name = 'Car' if item.class_name == 'Van' else item.class_name
    return _as_object(box, name, -1, float(rng.beta(6, 3)))


def _as_object(box: Box3D, name: str, occlusion: int, score: float | None) -> KittiObject:
    pixels = CAMERA.project(box.corners())
    limits = (CAMERA.width - 1, CAMERA.height - 1)
    low, high = (np.clip(edge, 0, limits) for edge in (pixels.min(axis=0), pixels.max(axis=0)))
    alpha = alpha_from_rotation_y(box.rotation_y, box.location[0], box.location[2])
    return KittiObject(
        box.location, box.dimensions, box.rotation_y, name, 0.0 if score is None else -1.0,
        occlusion, float(alpha), (*low, *high), score,
    )  # fmt: skip


def measure(folder: Path) -> dict[str, float]:
    """Evaluate the frames in a folder; return the seconds of each part."""
    marks = [time.perf_counter()]
    frames = read_frames(folder / 'label_2', folder / 'results')
    marks.append(time.perf_counter())
    evaluation = evaluate_frames(frames.truth, frames.detections, EvaluationConfig())
    marks.append(time.perf_counter())
    with contextlib.redirect_stdout(io.StringIO()):
        print(format_text(evaluation, frames.provenance))
    format_html(evaluation, frames.provenance)
    marks.append(time.perf_counter())
    seconds = np.diff(marks).tolist()
    return dict(zip(('reading', 'scoring', 'reports'), seconds, strict=True))


def main(arguments: list[str] | None = None) -> int:
    """Make the frames, evaluate them, print seconds and frames a second."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--frames', type=int, default=3769, help="default: KITTI's validation set")
    parser.add_argument('--objects', type=int, default=10, help='labelled objects in a frame')
    parser.add_argument('--detections', type=int, default=20, help='detections in a frame')
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args(arguments)
    rng = np.random.default_rng(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in tqdm(range(args.frames), 'making frames', leave=False, disable=None):
            truth, results = make_frame(rng, args.objects, args.detections)
            write_objects(folder / 'label_2' / f'{number:06d}.txt', truth)
            write_objects(folder / 'results' / f'{number:06d}.txt', results)
        seconds = measure(folder)
    total = sum(seconds.values())
    parts = ', '.join(f'{part} {value:.2f} s' for part, value in seconds.items())
    print(
        f'{args.frames} frames with {args.objects} objects and {args.detections} detections each: '
        f'{total:.2f} s, {args.frames / total:.0f} frames/s ({parts})'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
