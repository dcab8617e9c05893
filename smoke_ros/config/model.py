"""What a model is: its network, its input, its classes and how its outputs are read.

A checkpoint is only usable together with this. Our own checkpoints carry it; for those of the
authors and of mmdetection3d, which do not, it is one of :data:`FAMILIES`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smoke_ros.config.options import check, option
from smoke_ros.structures import Vector3

#: The model that runs where none is named.
DEFAULT_MODEL = 'demo'

#: Network pixels for one pixel of the heatmap.
STRIDE = 4

#: The sides of a network's input are multiples of this, the stride of the deepest features: a part
#: of one would not line up again.
INPUT_STEP = 32

#: KITTI's focal length (2011-09-26) in network pixels: 721.5377 px * 1280 / 1242.
KITTI_FOCAL_PX = 721.5377 * 1280 / 1242


def check_input_side(name: str, side_px: int) -> None:
    """Refuse a width or height that a network cannot take, with a ValueError."""
    if side_px % INPUT_STEP:
        raise ValueError(f'{name} must be a multiple of {INPUT_STEP}, got {side_px}')


@dataclass(frozen=True)
class ModelConfig:
    """One model, complete enough to build its network and to read its outputs."""

    architecture: str = option(
        'dla34', 'trunk and neck of the network', choices=('dla34', 'efficientnet_lite0')
    )
    norm: str = option(
        'gn', 'normalisation layers; the trunk of efficientnet_lite0 has bn always',
        choices=('gn', 'bn'),
    )  # fmt: skip
    neck_channels: int = option(
        64, 'features that the neck gives to the heads; dla34 has 64', low=16, high=1024
    )
    neck_blocks: int = option(
        0, 'residual blocks with 7x7 filters at each stride of the neck; dla34 has none',
        low=0, high=8,
    )  # fmt: skip
    head_channels: int = option(256, 'hidden channels of each head', low=16, high=1024)
    regression_layers: int = option(
        1, 'hidden layers of the regression head, the first 3x3, others 1x1', low=1, high=4
    )
    orientation: str = option(
        'sincos', 'how a heading is regressed: its sine and cosine, or a quaternion',
        choices=('sincos', 'quaternion'),
    )  # fmt: skip
    keypoint: str = option(
        'projected_center',
        'the point of an object that the heatmap shows: its projected 3D centre (objects whose '
        'centre is outside the input are lost), the centre of its visible 2D box, or the '
        'projected 3D centre moved into the input (docs/keypoints.md)',
        choices=('projected_center', 'center_2d', 'center_3d'),
    )  # fmt: skip
    corner_points: bool = option(
        False, "whether the pixels of a box's eight corners are regressed too; they help to learn "
        'the rest and are not decoded',
    )  # fmt: skip
    depth_spread: bool = option(
        False, 'whether it is regressed too how far a depth is off, as the logarithm of its mean '
        'relative error; see score_tolerance',
    )  # fmt: skip
    classes: tuple[str, ...] = option(
        ('Car', 'Cyclist', 'Pedestrian'), 'class names, in heatmap channel order'
    )
    dimension_reference: tuple[Vector3, ...] = option(
        ((3.88, 1.63, 1.53), (1.78, 1.70, 0.58), (0.88, 1.73, 0.67)),
        'length, height, width per class that the network regresses against', unit='m',
    )  # fmt: skip
    depth_reference: tuple[float, float] = option(
        (28.01, 16.32), 'depth = first + second * depth offset', unit='m'
    )
    input_width: int = option(1280, 'width of the network input', unit='px', low=64, high=8192)
    input_height: int = option(384, 'height of the network input', unit='px', low=64, high=8192)
    channel_order: str = option('bgr', 'colour channels of the input', choices=('bgr', 'rgb'))
    mean: Vector3 = option(
        (0.485 * 255, 0.456 * 255, 0.406 * 255), 'subtracted, by input channel', unit='grey levels'
    )
    std: Vector3 = option(
        (0.229 * 255, 0.224 * 255, 0.225 * 255), 'divided by, by input channel', unit='grey levels'
    )
    top_k: int = option(50, 'peaks that are decoded per image', low=1, high=1000)
    duplicate_overlap: float = option(
        1.0, 'overlap (intersection over union of the image boxes) with a more certain detection, '
        'of any class, above which a detection is taken for the same object and dropped; 1 drops '
        'none, as the authors', low=0.0, high=1.0,
    )  # fmt: skip
    duplicate_overlaps: tuple[float, ...] = option(
        (), 'instead, one for each class; of two classes the larger one counts. Vehicles hide '
        'less of one another than people who walk side by side',
    )  # fmt: skip
    score_tolerance: float = option(
        0.0, 'if not 0: what multiplies the heatmap in the score of a detection is how likely '
        'its depth is right within so much; 0: nothing, as the authors', unit='m', low=0.0,
        high=100.0,
    )  # fmt: skip
    depth_error: float = option(
        0.07, 'mean relative error of depths, for score_tolerance where it is not regressed '
        '(depth_spread)', low=0.001, high=1.0,
    )  # fmt: skip
    uses_projection_offset: bool = option(
        False, "whether the fourth column of a projection matrix (KITTI's P2) is used to decode"
    )
    reference_focal_px: float = option(
        KITTI_FOCAL_PX, 'focal length at which depth was learnt, in network pixels', unit='px',
        low=1.0,
    )  # fmt: skip
    focal_tolerance: float = option(
        0.02, 'relative difference in focal length up to which depth was learnt as it is; where '
        "a model is trained, its data's", low=0.0, high=10.0,
    )  # fmt: skip
    trained_on: str = option('nothing (random weights)', 'data and split the weights have seen')

    def __post_init__(self) -> None:
        check(self)
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise ValueError(f'classes must be different names, got {self.classes}')
        if len(self.dimension_reference) != len(self.classes):
            raise ValueError(
                f'dimension_reference must have one entry for each of the {len(self.classes)} '
                f'classes, got {len(self.dimension_reference)}'
            )
        if self.duplicate_overlaps and (
            len(self.duplicate_overlaps) != len(self.classes)
            or not all(
                isinstance(each, float | int) and 0.0 <= each <= 1.0
                for each in self.duplicate_overlaps
            )
        ):
            raise ValueError(
                'duplicate_overlaps must be empty or one overlap from 0 to 1 for each of the '
                f'{len(self.classes)} classes, got {self.duplicate_overlaps}'
            )
        for name, count in (('depth_reference', 2), ('mean', 3), ('std', 3)):
            values = getattr(self, name)
            if len(values) != count or not all(map(math.isfinite, values)):
                raise ValueError(f'{name} must be {count} numbers, got {values}')
        if min(*self.std, self.depth_reference[1]) <= 0:
            raise ValueError(
                f'std and the second of depth_reference must be > 0, got {self.std} and '
                f'{self.depth_reference}'
            )
        for name, size in zip(self.classes, self.dimension_reference, strict=True):
            if len(size) != 3 or not all(math.isfinite(v) and v > 0 for v in size):
                raise ValueError(f'dimension_reference of {name} must be 3 sizes > 0, got {size}')
        for name, only in (('neck_channels', 64), ('neck_blocks', 0)):
            if self.architecture == 'dla34' and getattr(self, name) != only:
                raise ValueError(f'{name} of dla34 must be {only}, got {getattr(self, name)}')
        for name in ('neck_channels', 'head_channels'):
            if getattr(self, name) % 16:
                raise ValueError(f'{name} must be a multiple of 16, got {getattr(self, name)}')
        for name in ('input_width', 'input_height'):
            check_input_side(name, getattr(self, name))

    @property
    def overlap_limits(self) -> tuple[float, ...]:
        """The overlap of each class above which a detection is of what was found already."""
        return self.duplicate_overlaps or (self.duplicate_overlap,) * len(self.classes)

    def inherited_overlaps(self, options: Mapping[str, Any]) -> tuple[float, ...]:
        """Return the `duplicate_overlaps` of a model that is like this but for some options.

        One `duplicate_overlap` for all classes replaces those of each; they go with the classes.
        """
        if 'duplicate_overlap' in options or not self.duplicate_overlaps:
            return ()
        known = dict(zip(self.classes, self.duplicate_overlaps, strict=True))
        names = options.get('classes', self.classes)
        return tuple(known.get(name, self.duplicate_overlap) for name in names)

    @property
    def feature_width(self) -> int:
        """Width of the heatmap."""
        return self.input_width // STRIDE

    @property
    def feature_height(self) -> int:
        """Height of the heatmap."""
        return self.input_height // STRIDE


#: Models of the two public checkpoint families, by family name. The authors apply the RGB
#: statistics to B, G, R in that order; a checkpoint trained so must be run so.
FAMILIES: dict[str, ModelConfig] = {
    'official': ModelConfig(trained_on='KITTI object trainval (7481 images)'),
    'mmdet3d': ModelConfig(
        classes=('Pedestrian', 'Cyclist', 'Car'),
        dimension_reference=((0.88, 1.73, 0.67), (1.78, 1.70, 0.58), (3.88, 1.63, 1.53)),
        channel_order='rgb',
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        top_k=100,
        uses_projection_offset=True,
        trained_on='KITTI object train (3712 images)',
    ),
}
