"""Overfit six labelled KITTI frames: ``python -m benchmarks.overfit DATA``.

A network that cannot do that has a fault somewhere between the labels and the boxes, so this is
the shortest proof that data, targets, losses, optimiser, checkpoint and decoding fit together. It
says nothing about frames that were not learnt.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from smoke_ros.data.kitti import KittiObject
from smoke_ros.data.layout import KittiFolder
from smoke_ros.detector import Detector
from smoke_ros.geometry import wrap_angle
from smoke_ros.overlap import box_rows, overlap_3d
from smoke_ros.structures import CameraModel, Detection3D, FloatArray
from smoke_ros.training.loop import train
from smoke_ros.training.processes import Processes
from smoke_ros.training.run_config import Sections
from smoke_ros.training.state import FINAL

#: 3D intersection over union at which an object counts as found: KITTI's.
OVERLAPS = {'Car': 0.7, 'Pedestrian': 0.5, 'Cyclist': 0.5}

#: The full network at a fifth of KITTI's size, each frame as it is. The corners' distance alone
#: would leave some headings wrong by 138 degrees (docs/training.md). A gradient cut short keeps a
#: heading's vector that passes zero, where its slope has no limit, from throwing the rest off. In
#: the end the learning rate falls to almost nothing, so that the boxes come to rest.
SECTIONS: Sections = {
    'model': {'input_width': 224, 'input_height': 64},
    'data': {'flip_probability': 0.0, 'shift_scale_probability': 0.0},
    'loss': {'heading_weight': 100.0},
    'training': {
        'iterations': 1000, 'batch_size': 2, 'workers': 0, 'learning_rate': 5e-4,
        'warmup_iterations': 20, 'schedule': 'cosine', 'gradient_clip': 30.0,
        # A fifth faster on a CPU, where GroupNorm wants contiguous memory.
        'channels_last': False,
        'log_every': 20, 'checkpoint_every': 1000, 'tensorboard': False,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A labelled object, and the detection of its class that overlaps it most."""

    item: KittiObject
    #: 3D intersection over union, 0 where there is no detection.
    overlap: float
    heading_error_deg: float

    @property
    def is_found(self) -> bool:
        """Whether the overlap is enough."""
        return self.overlap >= OVERLAPS[self.item.class_name]


@dataclass(frozen=True)
class FrameResult:
    """What was found in one frame."""

    frame: str
    objects: list[Found]
    #: Detections that overlap no labelled object of their class enough.
    false: list[Detection3D]


def overfit(data: Path, out: Path, sections: Sections) -> list[FrameResult]:
    """Train on all frames of a data set in KITTI's layout, and detect in the same frames."""
    sections = {**sections, 'data': {**sections['data'], 'root': str(data)}}
    outcome = train(sections, 'overfit', out, Processes(torch.device('cpu')))
    if outcome.signal:
        raise KeyboardInterrupt(f'ended by {outcome.signal.name} after {outcome.iteration} steps')
    detector = Detector.from_model(out / FINAL)
    folder = KittiFolder(data)
    return [detect_frame(detector, folder, frame) for frame in folder.frames()]


def detect_frame(detector: Detector, folder: KittiFolder, frame: str) -> FrameResult:
    """Hold the detections in a frame against its labels."""
    image = folder.image(frame)
    camera = folder.camera(frame, (image.shape[1], image.shape[0]))
    detections = detector.detect(image, camera)
    labels = [item for item in folder.labels(frame) if is_asked_for(item, camera)]
    overlaps = overlap_3d(box_rows(labels)[:, None], box_rows(detections)[None])
    same = [[d.class_name == item.class_name for d in detections] for item in labels]
    overlaps = np.where(np.array(same, bool).reshape(overlaps.shape), overlaps, 0.0)
    objects = [_best(item, detections, row) for item, row in zip(labels, overlaps, strict=True)]
    best = overlaps.max(axis=0, initial=0.0)
    false = [d for d, o in zip(detections, best, strict=True) if o < OVERLAPS[d.class_name]]
    return FrameResult(frame, objects, false)


def _best(item: KittiObject, detections: list[Detection3D], overlaps: FloatArray) -> Found:
    if not overlaps.any():
        return Found(item, 0.0, float('nan'))
    index = int(overlaps.argmax())
    turned = wrap_angle(detections[index].rotation_y - item.rotation_y)
    return Found(item, float(overlaps[index]), abs(math.degrees(turned)))


def is_asked_for(item: KittiObject, camera: CameraModel) -> bool:
    """Whether an object is of a class that is learnt and its 3D centre is in the image."""
    if item.class_name not in OVERLAPS:
        return False
    x, y = camera.project(item.location)
    return bool(0 <= x < camera.width and 0 <= y < camera.height)


def print_results(results: list[FrameResult]) -> None:
    """Print a line for each object and each false box."""
    for result in results:
        for found in result.objects:
            item, asked = found.item, OVERLAPS[found.item.class_name]
            print(
                f'{result.frame} {item.class_name:10} at {item.location[2]:5.1f} m: 3D overlap '
                f'{found.overlap:.2f} (asked {asked:.1f}), heading off by '
                f'{found.heading_error_deg:.0f} degrees: {"found" if found.is_found else "MISSED"}'
            )
        for detection in result.false:
            print(
                f'{result.frame} {detection.class_name:10} at {detection.location[2]:5.1f} m: '
                f'score {detection.score:.2f}: FALSE'
            )


def main() -> int:
    """Learn the frames, print what is found; exit code 1 where anything is missed or false."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.overfit', description=__doc__)
    parser.add_argument('data', type=Path, metavar='DATA', help="a few frames in KITTI's layout")
    parser.add_argument('--iterations', type=int, default=SECTIONS['training']['iterations'])
    args = parser.parse_args()
    logging.basicConfig(format='%(levelname)s: %(message)s', level=logging.INFO)
    training = {**SECTIONS['training'], 'iterations': args.iterations}
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        results = overfit(args.data, Path(folder) / 'run', {**SECTIONS, 'training': training})
    minutes = (time.perf_counter() - start) / 60
    print_results(results)
    objects = [found for result in results for found in result.objects]
    right = sum(found.is_found for found in objects)
    false = sum(len(result.false) for result in results)
    print(
        f'{right} of {len(objects)} objects found, {false} false boxes, after {args.iterations} '
        f'steps in {minutes:.1f} minutes'
    )
    return 0 if right == len(objects) and not false else 1


if __name__ == '__main__':
    sys.exit(main())
