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


def plaster(rng: np.random.Generator, size: int = 256) -> Texture:
    """Return plaster with stains that run down it, near white: an instance's paint colours it."""
    rough = tiling_noise(rng, size, 16)
    stains = tiling_noise(rng, size, 4)
    streaks = np.mean(tiling_noise(rng, size, 32), axis=0, keepdims=True)
    grey = 0.80 + 0.12 * rough - 0.16 * stains + 0.3 * (streaks - 0.5)
    return _coloured(grey[..., None] * np.array([1.0, 0.985, 0.96]))


def brick(rng: np.random.Generator, size: int = 256) -> Texture:
    """Return bricks with joints, each brick of its own shade."""
    rows, columns, joint = 16, 8, 2
    tall, wide = size // rows, size // columns
    shades = rng.uniform(0.65, 1.0, (rows, columns))
    picture = np.empty((size, size, 3), np.float32)
    base = np.array([[0.62, 0.36, 0.28], [0.66, 0.60, 0.52], [0.5, 0.3, 0.26]])[rng.integers(3)]
    for row in range(rows):
        line = np.repeat(shades[row], wide)[:, None] * base
        at = (np.arange(size) % wide) < joint
        line[at] = 0.62
        line = np.roll(line, (row % 2) * wide // 2, axis=0)
        picture[row * tall : (row + 1) * tall] = line
        picture[row * tall : row * tall + joint] = 0.6
    return _coloured(picture * (0.8 + 0.3 * tiling_noise(rng, size, 8))[..., None])


def leaves(rng: np.random.Generator, size: int = 128) -> Texture:
    """Return tufts of leaves of many shades with air between them, denser in the middle."""
    fine = tiling_noise(rng, size, 16)
    coarse = tiling_noise(rng, size, 8)
    at = np.linspace(-1.0, 1.0, size)
    away = np.hypot(at[:, None], at)
    opacity = (0.55 * fine + 0.45 * coarse) > 0.30 + 0.35 * away**2
    grey = 0.45 + 0.6 * fine
    picture = _coloured(grey[..., None] * np.array([1.0, 1.0, 0.9]))
    picture[..., 3] = 255 * opacity
    return picture


def fence_pattern(rng: np.random.Generator, size: int = 128) -> Texture:
    """Return pickets, or the meshes of a wire fence, with air between them."""
    at = np.arange(size)
    if rng.random() < 0.6:
        wide = int(rng.choice([8, 16, 32]))
        solid = np.broadcast_to((at % wide) < 0.6 * wide, (size, size))
    else:
        step = 16
        solid = ((at[:, None] + at) % step < 3) | ((at[:, None] - at) % step < 3)
    shade = 0.75 + 0.25 * tiling_noise(rng, size, 8)
    picture = _coloured(np.repeat(shade[..., None], 3, axis=2))
    picture[..., 3] = 255 * solid
    return picture


def stripes(rng: np.random.Generator, rows: int = 128, columns: int = 32) -> Texture:
    """Return the oblique red and white stripes of what closes or narrows a road."""
    width = float(rng.uniform(18.0, 30.0))
    slope = float(rng.choice([-1.0, 1.0]))
    along = np.arange(rows)[:, None] + slope * np.arange(columns)
    is_red = (along + float(rng.uniform(0.0, width))) % width < width / 2
    picture = np.where(is_red[..., None], (0.75, 0.08, 0.06), (0.9, 0.9, 0.9))
    return _coloured(picture.astype(np.float32))


def poster(rng: np.random.Generator, size: int = 64) -> Texture:
    """Return a poster or a menu: areas of any colour, and lines as of writing."""
    ground, *colours = rng.random((5, 3)) ** 1.5
    picture = np.broadcast_to(ground, (size, size, 3)).copy()
    for colour in colours[: int(rng.integers(1, 5))]:
        x, y, wide, tall = rng.integers((0, 0, 8, 8), (size - 8, size - 8, size, size // 2))
        picture[y : y + tall, x : x + wide] = colour
    ink = rng.random(3) if rng.random() < 0.5 else np.full(3, np.round(rng.random()))
    for row in range(int(rng.integers(4, 16)), size - 6, int(rng.integers(5, 12))):
        start, end = sorted(rng.integers(4, size - 4, 2).tolist())
        letters = rng.random(end - start) < 0.6
        picture[row : row + 3, start:end][:, letters] = ink
    return _coloured(picture.astype(np.float32))


def _coloured(reflectance: Grey) -> Texture:
    """Return an opaque texture of values in [0, 1] that are taken as they look: as sRGB."""
    height, width = reflectance.shape[:2]
    picture = np.full((height, width, 4), 255, np.uint8)
    picture[..., :3] = 255.0 * np.clip(reflectance, 0.0, 1.0)
    return picture
