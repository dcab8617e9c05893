"""A network with SMOKE's interface that takes milliseconds, and frames that take no disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from smoke_ros.checkpoint import TrainingRecord
from smoke_ros.coder import RegressionLayout
from smoke_ros.config.data import DataConfig
from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.config.model import STRIDE, ModelConfig
from smoke_ros.config.training import TrainingConfig
from smoke_ros.data.dataset import KittiDataset
from smoke_ros.data.kitti import KittiObject, write_objects
from smoke_ros.geometry import projected_extent
from smoke_ros.network.deform_conv import DeformBlock
from smoke_ros.network.heads import SmokeHeads
from smoke_ros.network.smoke import Smoke
from smoke_ros.structures import Box3D, CameraModel
from smoke_ros.training.loop import Job
from smoke_ros.training.run_config import RunConfig

WIDTH, HEIGHT = 128, 64
CHANNELS = 32
MODEL = ModelConfig(
    classes=('Car', 'Pedestrian'),
    dimension_reference=((3.88, 1.63, 1.53), (0.88, 1.73, 0.67)),
    depth_reference=(12.0, 5.0),
    input_width=WIDTH,
    input_height=HEIGHT,
    reference_focal_px=100.0,
)
#: Images are twice as large, so that objects are high enough for KITTI's protocol to count.
CAMERA = CameraModel.from_intrinsics(
    [[200.0, 0.0, WIDTH], [0.0, 200.0, HEIGHT], [0.0, 0.0, 1.0]], 2 * WIDTH, 2 * HEIGHT
)

#: Class, x, z and heading of the objects of each frame, which stand on a road 1.6 m below and go
#: along it, or across.
FRAMES = (
    (('Car', -2.0, 9.0, 1.5), ('Pedestrian', 3.0, 10.0, 0.1)),
    (('Car', 2.5, 12.0, -1.6),),
    (('Pedestrian', -1.0, 7.0, 3.0), ('Car', 3.0, 15.0, -1.5)),
    (('Car', 0.0, 8.0, 1.6),),
)
ROAD_M = 1.6


class TinySmoke(Smoke):
    """Three convolutions, one of them deformable, and the real heads."""

    def __init__(self, model: ModelConfig) -> None:
        backbone = nn.Sequential(
            nn.Conv2d(3, CHANNELS, 2 * STRIDE + 1, STRIDE, padding=STRIDE),
            nn.GroupNorm(4, CHANNELS),
            nn.ReLU(),
        )
        neck = nn.Sequential(
            nn.Conv2d(CHANNELS, CHANNELS, 5, padding=2), nn.ReLU(),
            DeformBlock(CHANNELS, CHANNELS, 'gn'),
        )  # fmt: skip
        layout = RegressionLayout.from_config(model)
        heads = SmokeHeads(CHANNELS, len(model.classes), layout, hidden_channels=CHANNELS)
        super().__init__(backbone, neck, heads)


def make_network(model: ModelConfig = MODEL, seed: int = 0) -> TinySmoke:
    torch.manual_seed(seed)
    return TinySmoke(model)


def write_frames(root: Path, camera: CameraModel = CAMERA) -> Path:
    """Write :data:`FRAMES` in KITTI's layout: each object a coloured patch that tells its box."""
    rng = np.random.default_rng(0)
    for folder in ('image_2', 'label_2', 'calib'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    P = ' '.join(f'{value:.6f}' for value in np.hstack((camera.K, np.zeros((3, 1)))).ravel())
    for index, objects in enumerate(FRAMES):
        image = rng.integers(90, 130, (camera.height, camera.width, 3)).astype(np.uint8)
        labels = [make_object(*values) for values in objects]
        for item in labels:
            x1, y1, x2, y2 = (int(v) for v in item.bbox_xyxy_px)
            heading = (
                int(127 + 127 * np.cos(item.rotation_y)),
                0 if item.class_name == 'Car' else 255,
            )
            image[y1:y2, x1:x2] = (*heading, int(15 * item.location[2]))
        name = f'{index:06d}'
        cv2.imwrite(str(root / 'image_2' / f'{name}.png'), image)
        write_objects(root / 'label_2' / f'{name}.txt', labels)
        (root / 'calib' / f'{name}.txt').write_text(f'P2: {P}\n')
    return root


def make_object(class_name: str, x: float, z: float, rotation_y: float) -> KittiObject:
    dimensions = MODEL.dimension_reference[MODEL.classes.index(class_name)]
    box = Box3D((x, ROAD_M - dimensions[1] / 2, z), dimensions, rotation_y)
    extent = projected_extent(CAMERA.K, box.corners())
    assert extent is not None
    last = (CAMERA.width - 1, CAMERA.height - 1) * 2
    bbox = tuple(float(v) for v in extent.clip(0, last))
    return KittiObject(box.location, dimensions, rotation_y, class_name, 0.0, 0, box.alpha, bbox)


def make_run(root: Path, **training: object) -> RunConfig:
    """A configuration of a few steps; ``training`` in place of its options."""
    options = {
        'iterations': 4, 'batch_size': 4, 'workers': 0, 'drops': (3,), 'log_every': 1,
        'checkpoint_every': 2, 'tensorboard': False, **training,
    }  # fmt: skip
    data = DataConfig(root=str(root), class_map=())
    evaluation = EvaluationConfig(
        classes=MODEL.classes, overlaps=(0.7, 0.5), devkit_overlaps=(0.5, 0.25)
    )
    return RunConfig(
        model=MODEL, data=data, training=TrainingConfig(**options), evaluation=evaluation
    )  # type: ignore[arg-type]


def make_job(root: Path, *, validates: bool = False, **training: object) -> Job:
    """A run of the tiny network, before its first step."""
    run = make_run(root, **training)
    dataset = KittiDataset(run.data, run.model, training=True, seed=run.training.seed)
    validation = None
    if validates:
        run = dataclasses.replace(run, validation=run.data)
        validation = KittiDataset(run.data, run.model, training=False)
    record = TrainingRecord('frames all (4 images)', dataset.frames, run.as_mapping())
    return Job(run, make_network(run.model, run.training.seed), dataset, validation, record)
