"""Boxes seen from above, with the camera at the bottom looking up."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from smoke_ros.colours import class_colour
from smoke_ros.drawing.canvas import (
    BGR,
    WHITE,
    ClassifiedBox,
    FloatArray,
    Image,
    bgr,
    darker,
    draw_line,
    draw_text,
    fill,
)  # fmt: skip
from smoke_ros.geometry import CORNER_SIGNS
from smoke_ros.structures import CameraModel

BACKGROUND: BGR = (34.0, 28.0, 26.0)
SEEN_GROUND: BGR = (54.0, 46.0, 42.0)
RING: BGR = (104.0, 94.0, 88.0)
RING_TEXT: BGR = (205.0, 200.0, 196.0)

#: The corners of a box's bottom face, going round it, and the two of them in front.
FOOTPRINT = [i for i, (_, down, _) in enumerate(CORNER_SIGNS) if down > 0]
FRONT_EDGE = [i for i in FOOTPRINT if CORNER_SIGNS[i][0] > 0]

RING_STEPS_M = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)


def draw_birds_eye(
    boxes: Sequence[ClassifiedBox],
    size: tuple[int, int],
    range_m: float,
    camera: CameraModel | None = None,
    *,
    ground_truth: Sequence[ClassifiedBox] = (),
    truth_colour: BGR = WHITE,
    text_scale: float = 0.4,
) -> Image:
    """Draw boxes from above.

    Parameters
    ----------
    boxes
        Filled in the colour of their class; a line shows the heading.
    size
        Width and height of the picture in pixels.
    range_m
        Distance in metres from the camera, at the bottom, to the upper edge.
    camera
        Its field of view is drawn where it is given.
    ground_truth
        Drawn as outlines in ``truth_colour``.
    text_scale
        Size of the ring labels.

    Returns
    -------
    (height, width, 3) uint8 in BGR.
    """
    width, height = size
    picture = np.full((height, width, 3), BACKGROUND, np.uint8)
    view = _View(size, range_m)
    if camera is not None:
        _draw_field_of_view(picture, view, camera)
    _draw_rings(picture, view, text_scale)
    # The nearest last, so that nothing covers it.
    for box in sorted(boxes, key=lambda box: -box.location[2]):
        _draw_box(picture, view, box, bgr(class_colour(box.class_name)))
    for box in ground_truth:
        _draw_outline(picture, view.pixels(box.corners()), truth_colour)
    _draw_camera(picture, view)
    return picture


class _View:
    """The scale of one picture: metres to the right and ahead, to pixels."""

    def __init__(self, size: tuple[int, int], range_m: float) -> None:
        self.size = size
        self.range_m = range_m
        self.margin_px = 0.06 * size[1]
        self.px_per_m = (size[1] - self.margin_px) / range_m

    def pixels(self, points: npt.ArrayLike) -> FloatArray:
        """Map (..., 3) points of the optical frame to (..., 2) pixels."""
        points = np.asarray(points, np.float64)
        column = self.size[0] / 2 + self.px_per_m * points[..., 0]
        row = self.size[1] - self.margin_px - self.px_per_m * points[..., 2]
        return np.stack((column, row), -1)


def _draw_field_of_view(picture: Image, view: _View, camera: CameraModel) -> None:
    edges = np.array([0.0, camera.width - 1.0])
    far = 3.0 * view.range_m
    left, right = far * (edges - camera.K[0, 2]) / camera.K[0, 0]
    triangle = view.pixels([[0.0, 0.0, 0.0], [left, 0.0, far], [right, 0.0, far]])
    fill(picture, triangle, SEEN_GROUND)
    draw_line(picture, triangle[[1, 0, 2]], RING, 1.0)


def _draw_rings(picture: Image, view: _View, text_scale: float) -> None:
    # Up to four rings, whatever the range.
    step = next((s for s in RING_STEPS_M if view.range_m / s <= 4.5), RING_STEPS_M[-1])
    turn = np.linspace(-math.pi / 2, math.pi / 2, 91)
    arc = np.stack((np.sin(turn), np.zeros_like(turn), np.cos(turn)), -1)
    for number in range(1, int(view.range_m / step) + 1):
        ring = view.pixels(number * step * arc)
        draw_line(picture, ring, RING, 1.0)
        column, row = ring[len(ring) // 2]
        below = row + 30.0 * text_scale + 3.0
        draw_text(picture, f'{number * step:g} m', (column + 4, below), text_scale, RING_TEXT)


def _draw_box(picture: Image, view: _View, box: ClassifiedBox, colour: BGR) -> None:
    corners = view.pixels(box.corners())
    fill(picture, corners[FOOTPRINT], darker(colour, 0.6))
    _draw_outline(picture, corners, colour)
    centre = view.pixels(box.location)
    front = corners[FRONT_EDGE].mean(axis=0)
    # As far again beyond the front, and never too short to be seen.
    reach = 2.0 * (front - centre)
    length, shortest = float(np.hypot(*reach)), 0.035 * view.size[1]
    if 0.0 < length < shortest:
        reach *= shortest / length
    draw_line(picture, np.stack((centre, centre + reach)), colour, 1.0)


def _draw_outline(picture: Image, corners: FloatArray, colour: BGR) -> None:
    footprint = corners[FOOTPRINT]
    draw_line(picture, np.concatenate((footprint, footprint[:1])), colour, 1.0)


def _draw_camera(picture: Image, view: _View) -> None:
    column, row = view.pixels((0.0, 0.0, 0.0))
    size = 0.5 * view.margin_px
    triangle = [
        (column, row - size), (column + 0.7 * size, row + size), (column - 0.7 * size, row + size),
    ]  # fmt: skip
    fill(picture, np.array(triangle), WHITE)
