"""Shadows and patches of sun laid over training images, whatever is there.

A low sun between houses and leaves draws harder edges on streets and cars than anything that is
built. What a shadow's edge crosses is the same thing on both sides of it, which a network trained
on evenly lit scenes does not know.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from smoke_ros.preprocess import Image
from smoke_ros.random_draws import log_uniform

#: What a shadow leaves of the light, and what a patch of sun adds to it: factors.
SHADES, SUNS = (0.2, 0.75), (1.3, 2.2)
#: Part of the patches that are bright.
SUNNY = 0.3
#: Blurs of the edges, in pixels.
EDGE_BLURS = (0.5, 3.0)
#: Widths of bands, in heights of the image, and how large their speckles are when light falls
#: through leaves.
BAND_WIDTHS, SPECKLES = (0.08, 1.0), (0.02, 0.15)
#: Part of the patches that are speckled.
SPECKLED = 0.4

Mask = npt.NDArray[np.float32]


def add_shadows(image: Image, count: int, seed: int) -> Image:
    """Return a copy of an image (h, w, 3) with `count` patches of other light on it.

    Each is a band, or all on one side of a line, at any angle; now and then in speckles. The mean
    of the light stays, as a camera exposes for what it sees.
    """
    rng = np.random.default_rng(seed)
    height, width = image.shape[:2]
    light = np.ones((height, width), np.float32)
    for _ in range(count):
        gain = np.float32(log_uniform(rng, *(SUNS if rng.random() < SUNNY else SHADES)))
        light *= 1.0 + (gain - 1.0) * _draw_mask(height, width, rng)
    light /= light.mean()
    return np.asarray((image * light[..., None] + 0.5).clip(0, 255), np.uint8)


def _draw_mask(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Return (h, w) from 0 to 1: where the light is another."""
    across = np.arange(width, dtype=np.float32)[None]
    down = np.arange(height, dtype=np.float32)[:, None]
    # Shadows of what stands upright lie flat on the road, seen from the side: most of the angles
    # are near the horizontal.
    angle = rng.normal(0.5 * math.pi, 0.7)
    normal = np.array([math.cos(angle), math.sin(angle)], np.float32)
    middle = rng.uniform(0, width), rng.uniform(0.2, 1.0) * height
    along = (across - middle[0]) * normal[0] + (down - middle[1]) * normal[1]
    half = 0.5 * height * log_uniform(rng, *BAND_WIDTHS)
    mask = np.abs(along) < half if rng.random() < 0.7 else along > 0.0
    speckles = _draw_speckles(height, width, rng)
    if rng.random() < SPECKLED:
        mask = mask & speckles
    blur = rng.uniform(*EDGE_BLURS)
    return np.asarray(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), blur), np.float32)


def _draw_speckles(height: int, width: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    side = max(1.5, height * log_uniform(rng, *SPECKLES))
    cells = math.ceil(height / side) + 1, math.ceil(width / side) + 1
    smooth = cv2.resize(
        rng.normal(0.0, 1.0, cells), (width, height), interpolation=cv2.INTER_CUBIC
    )
    return np.asarray(smooth > rng.uniform(-0.5, 0.7))
