"""What training minimises."""

from __future__ import annotations

from dataclasses import dataclass

from smoke_ros.config.options import check, option


@dataclass(frozen=True)
class LossConfig:
    """Options of :class:`smoke_ros.losses.SmokeLoss`; the defaults are the authors'."""

    regression: str = option(
        'disentangled',
        'distance of the predicted boxes: L1 of the corners with one group of channels predicted '
        'at a time and the others from the label, or L1 or smooth L1 with all predicted at once',
        choices=('disentangled', 'l1', 'smooth_l1'),
    )  # fmt: skip
    focal_alpha: float = option(
        2.0, 'how much less a pixel counts the better it is predicted', low=0.0, high=10.0
    )
    focal_beta: float = option(
        4.0, 'how much less a background pixel counts near a keypoint', low=0.0, high=10.0
    )
    confusion_weight: float = option(
        1.0, "how much more than elsewhere a class's background counts inside the 2D boxes of "
        "objects of other classes: so that a lorry's tail is no car; the authors' is 1", low=0.0,
        high=1000.0,
    )  # fmt: skip
    heatmap_weight: float = option(1.0, 'factor of the heatmap loss', low=0.0)
    regression_divisor: float = option(
        300.0, "divides the regression losses, which are sums over a batch's objects: the "
        "authors' weight of 10 times their 30 objects of an image", low=1e-6,
    )  # fmt: skip
    heading_weight: float = option(
        0.0, "factor of a further regression loss, a heading's error in radians, which leads out "
        'of the wrong headings at which the distance of corners has a minimum too; the authors '
        'have none', low=0.0, high=1000.0,
    )  # fmt: skip
    heading_scale: float = option(
        0.0, 'where it is above 0, errors of headings far above it count less than in proportion: '
        'of two headings that an image leaves, one is learnt, not what lies between them',
        unit='rad', low=0.0, high=3.0,
    )  # fmt: skip
    dimensions_weight: float = option(
        1.0, "factor of the dimensions' loss, where disentangled; the authors' is 1: centimetres "
        'of size beside metres of depth', low=0.0, high=1000.0,
    )  # fmt: skip
    relative_location: bool = option(
        False, "whether a location's loss is divided by its depth over the depth reference (at "
        'least 0.2), where disentangled: a tenth too far counts alike near and far; the authors '
        'count metres',
    )  # fmt: skip
    corner_points_weight: float = option(
        1.0, "factor of the loss of a model's corner_points: their distances over the extent of "
        'the object in the image', low=0.0, high=1000.0,
    )  # fmt: skip
    depth_spread_weight: float = option(
        1.0, "factor of the loss of a model's depth_spread", low=0.0, high=1000.0
    )
    regression_reach: int = option(
        0, 'how far from a keypoint, in pixels of the feature map, the regression is learnt too, '
        "where the keypoint's Gaussian is a half at least; the authors' is 0", low=0, high=8,
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)
        if self.heading_scale and not self.heading_weight:
            raise ValueError(
                f'heading_scale {self.heading_scale:g} is that of a loss whose factor, '
                'heading_weight, is 0: set that, too'
            )
        if self.regression != 'disentangled' and (
            self.dimensions_weight != 1.0 or self.relative_location
        ):
            raise ValueError(
                'dimensions_weight and relative_location are for regression disentangled, got '
                f'{self.regression}'
            )
