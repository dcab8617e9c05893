"""Measure what each kind of keypoint finds of truncated objects.

Run it as ``python -m benchmarks.keypoints``.

Scenes are drawn by seed: shaded boxes of the size of cars on a plain road, many of them cut by the
left or the right edge of the image with their centre outside. A small network, the same for each
kind but for its last layer, learns from scenes that never come twice, and detects in others. The
table divides the labelled objects by where their 3D centre projects to. docs/keypoints.md holds
what was recorded.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm

from smoke_ros.checkpoint import TrainingRecord
from smoke_ros.coder import RegressionLayout
from smoke_ros.config.model import ModelConfig
from smoke_ros.data.kitti import KittiObject
from smoke_ros.data.targets import Targets, make_targets
from smoke_ros.detector import Detector
from smoke_ros.geometry import project, projected_extent
from smoke_ros.losses import SmokeLoss
from smoke_ros.models import LoadedModel
from smoke_ros.network.heads import SmokeHeads
from smoke_ros.network.smoke import Smoke
from smoke_ros.overlap import box_rows, overlap_3d
from smoke_ros.preprocess import Image, InputGeometry, normalise
from smoke_ros.structures import Box3D, CameraModel, Detection3D

KEYPOINTS = ('projected_center', 'center_2d', 'center_3d')

WIDTH, HEIGHT = 320, 96
#: KITTI's camera at a quarter of its resolution, its height above the road in metres.
CAMERA = CameraModel.from_intrinsics(
    [[186.0, 0.0, 160.0], [0.0, 186.0, 40.0], [0.0, 0.0, 1.0]], WIDTH, HEIGHT
)
CAMERA_HEIGHT_M = 1.65
MEAN_SIZE_M = (3.9, 1.5, 1.65)

#: Faces of a box by the numbers of its corners, with how bright they are.
FACES = (
    ((4, 5, 6, 7), 1.0), ((0, 1, 5, 4), 0.8), ((2, 3, 7, 6), 0.35), ((1, 2, 6, 5), 0.6),
    ((3, 0, 4, 7), 0.5),
)  # fmt: skip

HIDDEN_CHANNELS = 32

#: 3D intersection over union at which an object counts as found.
MIN_OVERLAP = 0.25
#: A detection that is further from every object than this is a false box.
FALSE_DISTANCE_M = 3.0


@dataclass(frozen=True)
class Scene:
    """An image and its labels."""

    image: Image
    objects: list[KittiObject]


def make_scene(rng: np.random.Generator) -> Scene:
    """Draw a scene: up to four boxes that do not hide one another."""
    objects: list[KittiObject] = []
    for _ in range(rng.integers(2, 5)):
        item = _random_object(rng, at_edge=rng.random() < 0.45)
        if item is not None and all(_apart(item, other) for other in objects):
            objects.append(item)
    image = np.empty((HEIGHT, WIDTH, 3), np.float32)
    image[:40] = rng.uniform(120, 220, 3)
    image[40:] = rng.uniform(50, 110, 3)
    for item in sorted(objects, key=lambda item: -item.location[2]):
        _draw_box(image, item, rng.uniform(60, 255, 3))
    image += 6 * rng.standard_normal(image.shape, dtype=np.float32)
    return Scene(image.clip(0, 255).astype(np.uint8), objects)


def _random_object(rng: np.random.Generator, *, at_edge: bool) -> KittiObject | None:
    length, height, width = map(float, np.array(MEAN_SIZE_M) * rng.uniform(0.9, 1.1, 3))
    rotation_y = rng.uniform(-math.pi, math.pi)
    if at_edge:
        # Its centre is up to a car's half width outside the left or right edge of the image.
        z = rng.uniform(4.0, 14.0)
        u = -rng.uniform(0.0, 1.2) * CAMERA.K[0, 0] / z
        u = u if rng.random() < 0.5 else WIDTH - u
    else:
        z = math.exp(rng.uniform(math.log(6.0), math.log(40.0)))
        u = rng.uniform(0.0, WIDTH)
    x = (u - CAMERA.K[0, 2]) * z / CAMERA.K[0, 0]
    location = (x, CAMERA_HEIGHT_M - height / 2, z)
    box = Box3D(location, (length, height, width), rotation_y)
    extent = projected_extent(CAMERA.K, box.corners())
    if extent is None or box.corners()[:, 2].min() < 1.0:
        return None
    seen = extent.clip(0, (WIDTH - 1, HEIGHT - 1, WIDTH - 1, HEIGHT - 1))
    if seen[2] - seen[0] < 8:
        return None
    whole = np.prod(extent[2:] - extent[:2])
    x1, y1, x2, y2 = map(float, seen)
    return KittiObject(
        location=box.location, dimensions=box.dimensions, rotation_y=rotation_y,
        class_name='Car', truncation=1.0 - (x2 - x1) * (y2 - y1) / float(whole),
        occlusion=0, observation_angle=box.alpha, bbox_xyxy_px=(x1, y1, x2, y2),
    )  # fmt: skip


def _apart(first: KittiObject, second: KittiObject) -> bool:
    a, b = np.array(first.bbox_xyxy_px), np.array(second.bbox_xyxy_px)
    return bool((a[:2] > b[2:]).any() or (b[:2] > a[2:]).any())


def _draw_box(image: np.ndarray, item: KittiObject, colour: np.ndarray) -> None:
    """Draw the faces that are seen, the farther ones first."""
    corners = item.corners()
    pixels = project(CAMERA.K, corners)
    centres = [corners[list(numbers)].mean(axis=0)[[0, 2]] for numbers, _ in FACES]
    nearest_last = np.argsort([-np.hypot(*centre) for centre in centres])
    for numbers, brightness in (FACES[i] for i in nearest_last):
        polygon = np.round(16 * pixels[list(numbers)]).astype(np.int32)
        cv2.fillConvexPoly(image, polygon, (brightness * colour).tolist(), cv2.LINE_8, shift=4)


class SmallTrunk(nn.Module):
    """An image to features of stride 4 that have seen all of it, by way of stride 32."""

    out_channels = 32

    def __init__(self) -> None:
        super().__init__()
        channels = (3, 16, 32, 64, 96, 96)
        pairs = list(itertools.pairwise(channels))
        self.down = nn.ModuleList([_convolution(*pair, stride=2) for pair in pairs])
        self.lateral = nn.ModuleList(
            [nn.Conv2d(count, self.out_channels, kernel_size=1) for count in channels[2:]]
        )
        self.smooth = _convolution(self.out_channels, self.out_channels)

    def forward(self, images: Tensor) -> Tensor:
        """Map (B, 3, H, W) to (B, 32, H / 4, W / 4)."""
        features, x = [], images
        for layer in self.down:
            x = layer(x)
            features.append(x)
        sums = [side(feature) for side, feature in zip(self.lateral, features[1:], strict=True)]
        out = sums.pop()
        while sums:
            finer = sums.pop()
            out = finer + F.interpolate(out, finer.shape[-2:], mode='bilinear')
        return self.smooth(out)  # type: ignore[no-any-return]


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.GroupNorm(8, outputs),
        nn.ReLU(inplace=True),
    )


def make_model(keypoint: str) -> ModelConfig:
    """Return the model of one kind of keypoint."""
    return ModelConfig(
        classes=('Car',), dimension_reference=(MEAN_SIZE_M,), depth_reference=(14.0, 9.0),
        input_width=WIDTH, input_height=HEIGHT, keypoint=keypoint, top_k=20,
        reference_focal_px=float(CAMERA.K[0, 0]), trained_on='drawn boxes',
    )  # fmt: skip


def make_batches(model: ModelConfig, seed: int, size: int) -> Iterator[tuple[Tensor, Targets]]:
    """Yield images and targets of fresh scenes, without end."""
    rng = np.random.default_rng(seed)
    geometry = InputGeometry.centred((WIDTH, HEIGHT), (WIDTH, HEIGHT))
    while True:
        scenes = [make_scene(rng) for _ in range(size)]
        targets = [
            make_targets(scene.objects, CAMERA, geometry, model, max_objects=5) for scene in scenes
        ]
        images = torch.cat([normalise(scene.image, model) for scene in scenes])
        yield images, Targets.stack(targets)


def train(model: ModelConfig, iterations: int, seed: int) -> Detector:
    """Train a small network, and return a detector with it."""
    torch.manual_seed(seed)
    trunk = SmallTrunk()
    layout = RegressionLayout.from_config(model)
    heads = SmokeHeads(trunk.out_channels, 1, layout, hidden_channels=HIDDEN_CHANNELS)
    network = Smoke(trunk, nn.Identity(), heads)
    loss = SmokeLoss(model)
    optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, iterations, pct_start=0.1)
    batches = make_batches(model, seed, size=8)
    for _ in tqdm(range(iterations), desc=model.keypoint, leave=False, disable=None):
        images, targets = next(batches)
        terms = loss(*network(images), targets)
        optimiser.zero_grad()
        terms.total.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimiser.step()
        schedule.step()
    return Detector(LoadedModel('drawn boxes', network, model, TrainingRecord(), ''))


@dataclass
class Score:
    """What was found of one group of objects."""

    objects: int = 0
    found: int = 0
    errors_m: list[float] | None = None

    def add(self, overlap: float, distance_m: float) -> None:
        """Count an object with its best overlap and its nearest detection's distance."""
        self.objects += 1
        self.found += overlap >= MIN_OVERLAP
        self.errors_m = [*(self.errors_m or []), distance_m]

    def row(self) -> str:
        """Return share found and median distance for a table."""
        median = float(np.median(self.errors_m or [math.inf]))
        share = 100 * self.found / max(1, self.objects)
        return f'{self.objects} | {share:.1f} | {median:.2f}'


def measure(detector: Detector, scenes: int, seed: int) -> tuple[dict[str, Score], float]:
    """Detect in fresh scenes; return scores by where centres are, and false boxes a scene."""
    rng = np.random.default_rng(seed)
    scores = {'inside': Score(), 'outside': Score()}
    false = 0
    for _ in range(scenes):
        scene = make_scene(rng)
        detections = detector.detect(scene.image, CAMERA)
        overlaps, distances = compare(scene.objects, detections)
        for i, item in enumerate(scene.objects):
            u, _ = CAMERA.project(item.location)
            group = 'inside' if 0 < u < WIDTH else 'outside'
            scores[group].add(overlaps[i].max(initial=0.0), distances[i].min(initial=math.inf))
        false += int((distances.min(axis=0, initial=math.inf) > FALSE_DISTANCE_M).sum())
    return scores, false / scenes


def compare(
    objects: list[KittiObject], detections: list[Detection3D]
) -> tuple[np.ndarray, np.ndarray]:
    """Return 3D overlaps and distances of centres, both (objects, detections)."""
    truth, found = box_rows(objects), box_rows(detections)
    distances = np.linalg.norm(truth[:, None, :3] - found[None, :, :3], axis=-1)
    return overlap_3d(truth[:, None], found[None]), distances


def main() -> None:
    """Train and measure each kind of keypoint; print a table in Markdown."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.keypoints', description=__doc__)
    parser.add_argument('--iterations', type=int, default=2000)
    parser.add_argument('--scenes', type=int, default=500, help='that are detected in')
    parser.add_argument('--seed', type=int, default=0, help='of weights and training scenes')
    parser.add_argument('--keypoint', choices=KEYPOINTS, help='only this kind')
    args = parser.parse_args()
    print(
        '| keypoint | centres inside | found % | median error m | centres outside | found % | '
        'median error m | false boxes a scene |\n' + '| --- |' + ' ---: |' * 7
    )
    for keypoint in [args.keypoint] if args.keypoint else KEYPOINTS:
        detector = train(make_model(keypoint), args.iterations, args.seed)
        scores, false = measure(detector, args.scenes, seed=10_000)
        rows = ' | '.join(score.row() for score in scores.values())
        print(f'| {keypoint} | {rows} | {false:.2f} |', flush=True)


if __name__ == '__main__':
    main()
