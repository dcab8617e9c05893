"""Shapes of random looks laid into training images, which are nothing that has a label.

What a renderer puts beside roads is all that a network trained on it knows as background, and
whatever else stands upright it takes for a person or a car. Shapes of any colour and texture tell
it that there is more (domain randomisation with flying distractors, Tremblay et al., arXiv
1804.06516, section 3).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from smoke_ros.preprocess import Image
from smoke_ros.random_draws import log_uniform

#: A shape that would hide more of an object than this is left out.
MOST_HIDDEN = 0.15
#: Part of the shapes that are bars, such as poles and trunks are; the others are blobs.
BARS = 0.6
#: Width and height of bars, and the radii of blobs, in heights of the image.
BAR_WIDTHS, BAR_HEIGHTS, BLOB_RADII = (0.012, 0.12), (0.1, 0.9), (0.03, 0.3)
#: Blurs of the edges, in pixels: from sharp to a little out of focus.
EDGE_BLURS = (0.4, 1.2)
#: Part of the shapes that have a colour; the others are grey.
COLOURED = 0.4
#: Around a shape, for its blurred edges.
_MARGIN_PX = 4
#: Corners of polygons are given to OpenCV in parts of a pixel: this many bits of it.
_SUBPIXEL_BITS = 4

Mask = npt.NDArray[np.float32]


def add_distractors(
    image: Image, boxes_xyxy_px: npt.NDArray[np.floating[Any]], count: int, seed: int
) -> Image:
    """Return a copy of an image (h, w, 3) with shapes in it.

    Parameters
    ----------
    boxes_xyxy_px
        (n, 4) x1, y1, x2, y2 of the objects that are to stay visible, in pixels of the image.
    count
        Shapes that are drawn; fewer are laid in where one would hide an object.
    seed
        Of everything that is random about them.
    """
    rng = np.random.default_rng(seed)
    result = image.copy()
    for _ in range(count):
        (left, top), mask = _draw_mask(image.shape[0], image.shape[1], rng)
        height, width = mask.shape
        texture = _draw_texture(image, height, width, rng)
        if not _hides(mask, boxes_xyxy_px - (left, top, left, top)):
            there = result[top : top + height, left : left + width]
            blended = there + mask[..., None] * (texture - there)
            there[:] = (blended + 0.5).clip(0, 255)
    return result


def _hides(mask: Mask, boxes: npt.NDArray[np.floating[Any]]) -> bool:
    """Return whether a shape covers too much of a box, which is in the mask's pixels."""
    height, width = mask.shape
    for box in boxes:
        area = max(1.0, (box[2] - box[0]) * (box[3] - box[1]))
        x1, y1, x2, y2 = np.rint(box.clip(0, (width, height, width, height))).astype(int)
        if mask[y1:y2, x1:x2].sum() > MOST_HIDDEN * area:
            return True
    return False


def _draw_mask(height: int, width: int, rng: np.random.Generator) -> tuple[tuple[int, int], Mask]:
    """Return the left upper corner of a shape's surroundings, and (h, w) from 0 to 1: its mask."""
    # Upright things stand around the horizon, which is near the middle.
    centre = np.array([rng.uniform(0, width), height * np.clip(rng.normal(0.5, 0.25), 0, 1)])
    corners = _draw_bar(rng) if rng.random() < BARS else _draw_blob(rng)
    points = centre + height * corners
    last = (width - 1, height - 1)
    low = np.floor(points.min(0) - _MARGIN_PX).clip(0, last).astype(int)
    high = np.ceil(points.max(0) + _MARGIN_PX).clip(low + 1, (width, height)).astype(int)
    columns, rows = high - low
    mask = np.zeros((rows, columns), np.float32)
    fixed = np.rint((points - low) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 1.0, shift=_SUBPIXEL_BITS)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), rng.uniform(*EDGE_BLURS)), np.float32)
    return (int(low[0]), int(low[1])), mask


def _draw_bar(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return (n, 2) corners of an upright bar, with something at its top now and then."""
    width, height = log_uniform(rng, *BAR_WIDTHS), log_uniform(rng, *BAR_HEIGHTS)
    foot, top = width * rng.uniform(0.7, 1.3), width * rng.uniform(0.5, 1.3)
    left = [(-foot / 2, height / 2), (-top / 2, -height / 2)]
    if rng.random() < 0.3:
        board, low = width * rng.uniform(1.5, 5.0), rng.uniform(0.1, 0.4) * height - height / 2
        left = [left[0], (-top / 2, low), (-board / 2, low), (-board / 2, -height / 2)]
    corners = np.array(left + [(-x, y) for x, y in reversed(left)])
    corners[:, 0] += rng.normal(0.0, 0.04) * corners[:, 1]  # leans
    return corners


def _draw_blob(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return (n, 2) corners of a polygon around the origin; with many of them it is round."""
    angles = np.linspace(0, 2 * np.pi, int(rng.choice([3, 4, 5, 6, 8, 24])), endpoint=False)
    angles += rng.uniform(0, 2 * np.pi)
    radii = [log_uniform(rng, *BLOB_RADII) for _ in range(2)]
    ragged = rng.normal(1.0, 0.15, (len(angles), 1))
    return np.asarray(np.stack((np.cos(angles), np.sin(angles)), 1) * ragged * radii)


def _draw_texture(
    image: Image, height: int, width: int, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return (height, width, 3) colours: shades, spots or stripes on a plain one, or an image."""
    colour = rng.uniform(0, 255) + rng.normal(0.0, 60.0 * (rng.random() < COLOURED), 3)
    across = np.linspace(-1.0, 1.0, width)[None, :, None]
    down = np.linspace(-1.0, 1.0, height)[:, None, None]
    kind = rng.choice(['round', 'spots', 'stripes', 'image'])
    if kind == 'round':
        light = rng.uniform(-70, 70) * np.cos(1.5 * (across - rng.uniform(-1, 1)))
        return (colour + light + rng.uniform(-40, 40) * down).astype(np.float32)
    if kind == 'spots':
        cells = [max(2, int(side * rng.uniform(0.05, 0.6))) for side in (height, width)]
        spots = rng.normal(0.0, rng.uniform(5, 60), cells)
        return (colour + cv2.resize(spots, (width, height))[..., None]).astype(np.float32)
    if kind == 'stripes':
        turns = rng.uniform(1.0, max(1.5, height / 4)) * np.pi
        wave = np.sin(turns * (down + rng.uniform(-1, 1) * across * width / height))
        is_other = wave > rng.uniform(-0.7, 0.7)
        return np.where(is_other, rng.uniform(0, 255, 3), colour).astype(np.float32)
    top = int(rng.integers(image.shape[0] - height + 1))
    left = int(rng.integers(image.shape[1] - width + 1))
    part = image[top : top + height, left : left + width]
    return part[::-1] * np.float32(rng.uniform(0.5, 1.5))
