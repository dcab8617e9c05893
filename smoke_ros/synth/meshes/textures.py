"""Textures made of noise: walls, leaves, number plates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Texture = npt.NDArray[np.uint8]
Grey = npt.NDArray[np.float32]

#: Strength of the next finer scale of noise against the one above it.
PERSISTENCE = 0.6


def tiling_noise(
    rng: np.random.Generator, size: int, coarsest: int = 4, height: int | None = None
) -> Grey:
    """Return noise with structure at every scale that repeats without a seam, (H, W) in [0, 1].

    Parameters
    ----------
    rng
        Where it comes from.
    size
        Its width in pixels, a power of two.
    coarsest
        Cells along the side at the largest scale, a power of two.
    height
        In pixels, if it is not square.
    """
    height = height or size
    total = np.zeros((height, size), np.float32)
    strength, cells = 1.0, coarsest
    while cells <= min(size, height):
        grid = rng.random((cells, cells)).astype(np.float32)
        total += strength * (_enlarge(_enlarge(grid, height).T, size).T)
        strength *= PERSISTENCE
        cells *= 2
    low, high = np.percentile(total, [1, 99])
    return np.clip((total - low) / (high - low), 0.0, 1.0).astype(np.float32)


def _enlarge(grid: Grey, size: int) -> Grey:
    """Interpolate rows smoothly to `size`, as if the grid went on periodically."""
    cells = len(grid)
    at = np.arange(size, dtype=np.float32) * cells / size
    first = at.astype(int)
    part = (at - first)[:, None]
    part = part * part * (3.0 - 2.0 * part)
    return grid[first] * (1.0 - part) + grid[(first + 1) % cells] * part
