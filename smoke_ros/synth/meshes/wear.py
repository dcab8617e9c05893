"""What weather and the road leave on vehicles: a texture by the height above the ground.

It fills the upper half of a vehicle's texture; what is written on the vehicle has the lower one.
"""

from __future__ import annotations

import numpy as np

from smoke_ros.structures import FloatArray
from smoke_ros.synth.meshes.textures import tiling_noise

DIRT = np.array([0.55, 0.5, 0.43])


def draw_wear(
    rng: np.random.Generator, size_px: tuple[int, int], reach_m: float, *,
    most_faded: float = 0.22, cleanness: float = 1.5,
) -> np.ndarray:  # fmt: skip
    """Draw washed-out paint with streaks, and dirt that gets denser downwards.

    Parameters
    ----------
    rng
        Where it comes from.
    size_px
        Width, a power of two, and height.
    reach_m
        Metres above the ground of its upper edge; its lower one is on the ground.
    most_faded
        How much darker the paint gets at most in places, 0 to 1.
    cleanness
        The higher, the rarer are dirty ones; 1 has as many of them as clean ones.

    Returns
    -------
    array, (height, width, 3)
        Near white where there is none: it multiplies the paint, as it looks (sRGB), in 0 to 255.
    """
    width, rows = size_px
    rough = tiling_noise(rng, width, 8, rows)
    streaks = tiling_noise(rng, width, 32).mean(axis=0, keepdims=True)
    wear, dirtiness = rng.uniform(0.03, most_faded), rng.uniform(0.0, 1.0) ** cleanness
    clean = 1.0 - wear * rough - 0.6 * wear * (streaks - streaks.min())
    height = np.linspace(reach_m, 0.0, rows)[:, None]
    dirt = np.clip(dirtiness * (1.5 - 0.55 * height) * (0.4 + rough) + 0.1 * dirtiness, 0.0, 0.85)
    picture = clean[..., None] * (1.0 - dirt[..., None]) + DIRT * dirt[..., None]
    return np.asarray(255.0 * np.clip(picture, 0.0, 1.0)).astype(np.uint8)


def unfold_wear(points: FloatArray, tile_m: float, reach_m: float) -> FloatArray:
    """Return where on the upper half of a texture some points, (V, 3), of a vehicle are, (V, 2).

    Parameters
    ----------
    points
        In the object frame.
    tile_m
        Metres after which the texture repeats.
    reach_m
        Metres above the ground of its upper edge.
    """
    along = (points[:, 0] + 0.7 * points[:, 1]) / tile_m
    height = np.clip(points[:, 2] / reach_m, 0.0, 1.0)
    # Half a texel of room, so that nothing of the lower half is blended in.
    return np.column_stack((along, 0.004 + 0.488 * (1.0 - height)))
