"""What rendered data sets are made of: the options of ``smoke-ros synth``."""

from __future__ import annotations

from dataclasses import dataclass

from smoke_ros.config.options import check, check_ranges, option

#: Width of the images that the default focal length, KITTI's, is for.
REFERENCE_WIDTH = 1242


@dataclass(frozen=True)
class SynthConfig:
    """Camera, content and labels of rendered scenes."""

    width: int = option(1242, 'width of the images', unit='px', low=64, high=4096)
    height: int = option(375, 'height of the images', unit='px', low=64, high=4096)
    supersampling: float = option(
        1.15, 'pictures are drawn larger by this factor and shrunk: edges are smoother, and it '
        'takes longer', low=1.0, high=4.0,
    )  # fmt: skip
    focal_length: float = option(
        721.54, f'for images {REFERENCE_WIDTH} wide; scales with the width', unit='px', low=100.0
    )
    focal_factor_low: float = option(
        0.7, 'smallest factor on the focal length, where it is varied', low=0.2, high=1.0
    )
    focal_factor_high: float = option(
        1.6, 'largest factor on the focal length, where it is varied', low=1.0, high=5.0
    )
    focal_varied_share: float = option(
        0.5, 'share of the frames with another focal length', low=0.0, high=1.0
    )
    camera_height_low: float = option(1.2, 'lowest camera', unit='m', low=0.3, high=5.0)
    camera_height_high: float = option(2.2, 'highest camera', unit='m', low=0.3, high=5.0)
    pitch: float = option(1.0, 'standard deviation of the pitch', unit='deg', low=0.0, high=10.0)
    roll: float = option(0.5, 'standard deviation of the roll', unit='deg', low=0.0, high=10.0)
    yaw: float = option(
        2.0, "standard deviation of the yaw against the lane's", unit='deg', low=0.0, high=45.0
    )
    empty_share: float = option(
        0.1, 'share of the frames on streets without any vehicle', low=0.0, high=1.0
    )
    large_vehicle_share: float = option(
        0.4, 'share of the frames with a truck, bus or tram close by', low=0.0, high=1.0
    )
    queue_share: float = option(
        0.2, 'share of the frames in which the camera stands in a queue, close behind a vehicle',
        low=0.0, high=1.0,
    )  # fmt: skip
    turning_share: float = option(
        0.1, 'share of the frames in which the camera looks askew at its street, as from a '
        'vehicle that turns or parks: others are seen from the side', low=0.0, high=1.0,
    )  # fmt: skip
    crossing_share: float = option(
        0.1, 'share of the frames that have a side street with traffic in any case', low=0.0,
        high=1.0,
    )  # fmt: skip
    quality_low: int = option(40, 'lowest JPEG quality', low=5, high=100)
    quality_high: int = option(95, 'highest JPEG quality', low=5, high=100)
    effects: float = option(
        1.0, "strength of the camera's imperfections: 0 is a perfect camera", low=0.0, high=3.0
    )
    smallest_visible_height: float = option(
        0.032,
        "part of the image's height below which an object is too small to judge: DontCare",
        low=0.0,
        high=1.0,
    )
    smallest_visible_share: float = option(
        0.12, 'visible part of an object below which it cannot be judged: DontCare',
        low=0.0, high=1.0,
    )  # fmt: skip
    farthest_label: float = option(
        90.0, 'depth beyond which an object is DontCare', unit='m', low=1.0
    )
    mesh_seed: int = option(0, 'which procedural meshes are made', low=0)
    mesh_renewal: int = option(
        500, 'frames after which other procedural meshes are made; 0 for never', low=0
    )
    held_out: bool = option(
        False, 'use the meshes that are kept for testing rather than those for training'
    )

    def __post_init__(self) -> None:
        check(self)
        check_ranges(self, 'focal_factor', 'camera_height', 'quality')

    def mesh_batch(self, index: int) -> int:
        """Return which of the sets of meshes that follow one another a frame shows."""
        return index // self.mesh_renewal if self.mesh_renewal else 0
