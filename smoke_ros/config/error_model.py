"""How far off published boxes are, as far as that is known."""

from __future__ import annotations

from dataclasses import dataclass

from smoke_ros.config.options import check, option


@dataclass(frozen=True)
class ErrorModel:
    """Standard deviations behind the covariance of a published pose; parameters of the node.

    They are not measured. The depth figure is the paper's (arXiv 2002.10111, figure of the depth
    error over distance: about 3 m at 60 m, under 5 % of the depth); it stands where the network
    does not predict how far off each depth is, as the bundled one does. The keypoint is taken to
    be good to a pixel of the heatmap, the grid on which the network finds it. The others are
    cautious round figures: 10 degrees of heading, and 3 degrees for roll and pitch, which the
    network does not estimate (roads tilt against the camera by about that much).
    """

    error_depth: float = option(
        0.05, 'published standard deviation of the distance, as a part of it, where the network '
        'does not predict it', low=1e-4, high=1.0,
    )  # fmt: skip
    error_depth_floor: float = option(
        0.2, 'published standard deviation of the distance that remains however near an object '
        'is', unit='m', low=1e-3, high=100.0,
    )  # fmt: skip
    error_keypoint: float = option(
        1.0, "published standard deviation across the viewing ray, in pixels of the network's "
        'heatmap (four of its input)', unit='heatmap px', low=1e-3, high=100.0,
    )  # fmt: skip
    error_heading: float = option(
        10.0, 'published standard deviation of the heading', unit='deg', low=0.01, high=180.0
    )
    error_tilt: float = option(
        3.0, 'published standard deviation of roll and pitch', unit='deg', low=0.01, high=180.0
    )

    def __post_init__(self) -> None:
        check(self)
