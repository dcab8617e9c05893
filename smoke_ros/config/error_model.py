"""How far off published boxes are, as far as that is known."""

from __future__ import annotations

from dataclasses import dataclass

from smoke_ros.config.options import check, option


@dataclass(frozen=True)
class ErrorModel:
    """Standard deviations behind the covariance of a published pose.

    Not yet measured with this package. The depth figure is the paper's (arXiv 2002.10111, figure
    of the depth error over distance: about 3 m at 60 m, under 5 % of the depth). The keypoint is
    taken to be good to a pixel of the heatmap, the grid on which the network finds it. The others
    are cautious round figures: 10 degrees of heading, and 3 degrees for roll and pitch, which the
    network does not estimate (roads tilt against the camera by about that much).
    """

    depth_fraction: float = option(
        0.05, 'error along the ray, as a fraction of the distance', low=1e-4, high=1.0
    )
    depth_floor_m: float = option(
        0.2, 'error along the ray that remains however near the object is', unit='m',
        low=1e-3, high=100.0,
    )  # fmt: skip
    keypoint_feat: float = option(
        1.0, 'error of the projected centre, each way', unit='heatmap px', low=1e-3, high=100.0
    )
    heading_deg: float = option(10.0, 'error of the heading', unit='deg', low=0.01, high=180.0)
    tilt_deg: float = option(3.0, 'error of roll and pitch', unit='deg', low=0.01, high=180.0)

    def __post_init__(self) -> None:
        check(self)
