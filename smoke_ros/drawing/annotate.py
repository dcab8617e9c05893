"""One picture of everything: boxes, labels, the view from above."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from smoke_ros.colours import class_colour
from smoke_ros.config.drawing import DrawingConfig
from smoke_ros.drawing.birds_eye import draw_birds_eye
from smoke_ros.drawing.boxes import draw_boxes
from smoke_ros.drawing.canvas import (
    BGR,
    INK,
    WHITE,
    ClassifiedBox,
    Image,
    Rectangle,
    bgr,
    draw_text,
    text_size,
)  # fmt: skip
from smoke_ros.structures import CameraModel, Detection3D

#: Labelled objects, where they are drawn beside detections.
TRUTH_COLOUR = WHITE
#: The inset's opacity: the image stays recognisable beneath it.
INSET_OPACITY = 0.88
#: Images lower than this have no room for an inset or for text.
SMALLEST_PX = 100


def annotate(
    image_bgr: Image,
    detections: Sequence[Detection3D],
    camera: CameraModel,
    config: DrawingConfig | None = None,
    *,
    ground_truth: Sequence[ClassifiedBox] = (),
) -> Image:
    """Draw detections into a copy of an image.

    Parameters
    ----------
    image_bgr
        (H, W, 3) uint8.
    detections
        Drawn in the colour of their class, with class, score and distance.
    camera
        The image's camera; its distortion is honoured.
    config
        What to draw.
    ground_truth
        Drawn in white, without a label.

    Returns
    -------
    (H, W, 3) uint8 in BGR.
    """
    config = config or DrawingConfig()
    picture = image_bgr.copy()
    unit = _unit(picture)
    draw_boxes(picture, ground_truth, [TRUTH_COLOUR] * len(ground_truth), camera, unit)
    colours = [bgr(class_colour(detection.class_name)) for detection in detections]
    extents = draw_boxes(picture, detections, colours, camera, 2.0 * unit)
    if min(picture.shape[:2]) < SMALLEST_PX:
        return picture
    taken = []
    if config.birds_eye:
        taken.append(_set_in(picture, detections, ground_truth, camera, config))
    _draw_labels(picture, detections, extents, taken)
    return picture


def draw_caption(picture: Image, text: str) -> None:
    """Write a line into the lower left corner of a picture."""
    scale = 0.5 * _unit(picture)
    width, height = text_size(text, scale)
    pad = 0.6 * height
    bottom = picture.shape[0]
    top, right = bottom - height - 2.0 * pad, width + 2.0 * pad
    _fill_rectangle(picture, (0.0, top, right, bottom), INK, 0.75)
    draw_text(picture, text, (pad, bottom - pad), scale, WHITE)


def _unit(picture: Image) -> float:
    """Return how much larger strokes and text are than in a picture of KITTI's size."""
    return min(max(math.sqrt(picture.shape[0] * picture.shape[1] / (1242 * 375)) ** 0.7, 0.8), 6.0)


def _set_in(
    picture: Image,
    detections: Sequence[Detection3D],
    ground_truth: Sequence[ClassifiedBox],
    camera: CameraModel,
    config: DrawingConfig,
) -> Rectangle:
    """Set the view from above into the upper right corner; return where it lies."""
    unit = _unit(picture)
    height = round(min(max(0.42 * picture.shape[0], 220 * unit), 0.66 * picture.shape[0]))
    width = min(round(0.8 * height), picture.shape[1] // 2)
    inset = draw_birds_eye(
        detections, (width, height), config.range_m, camera,
        ground_truth=ground_truth, text_scale=0.36 * unit,
    )  # fmt: skip
    margin = round(6 * unit)
    top, left = margin, picture.shape[1] - width - margin
    region = picture[top : top + height, left : left + width]
    region[:] = (INSET_OPACITY * inset + (1.0 - INSET_OPACITY) * region).astype(np.uint8)
    return (left, top, left + width, top + height)


def _draw_labels(
    picture: Image,
    detections: Sequence[Detection3D],
    extents: Sequence[Rectangle | None],
    taken: list[Rectangle],
) -> None:
    """Label boxes, the nearest first, each where it hides no other label and no inset."""
    scale = 0.45 * _unit(picture)
    for index in sorted(range(len(detections)), key=lambda i: detections[i].location[2]):
        detection, extent = detections[index], extents[index]
        if extent is None:
            continue
        x, _, z = detection.location
        text = f'{detection.class_name} {detection.score:.2f}  {math.hypot(x, z):.0f} m'
        width, height = text_size(text, scale)
        pad = round(0.4 * height)
        size = (width + 2 * pad, height + 2 * pad)
        place = _free_place(extent, size, taken, picture.shape)
        if place is None:
            continue
        taken.append(place)
        _fill_rectangle(picture, place, bgr(class_colour(detection.class_name)), 0.9)
        draw_text(picture, text, (place[0] + pad, place[3] - pad), scale, INK)


def _free_place(
    extent: Rectangle, size: tuple[int, int], taken: list[Rectangle], shape: tuple[int, ...]
) -> Rectangle | None:
    """Find the first free place above a box, else below it; None if the box is out of sight."""
    x1, y1, x2, y2 = extent
    if x2 < 0 or y2 < 0 or x1 > shape[1] or y1 > shape[0]:
        return None
    width, height = size
    left = min(max(x1, 0.0), shape[1] - width)
    tops = [y1 - height - 2 - row * (height + 1) for row in range(6)] + [y2 + 2]
    inside = [min(max(top, 0.0), shape[0] - height) for top in tops]
    places = [(left, top, left + width, top + height) for top in inside]
    return next((p for p in places if not any(_overlap(p, q) for q in taken)), places[0])


def _overlap(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _fill_rectangle(picture: Image, rectangle: Rectangle, colour: BGR, opacity: float) -> None:
    x1, y1, x2, y2 = (max(0, round(v)) for v in rectangle)
    region = picture[y1:y2, x1:x2]
    region[:] = (opacity * np.asarray(colour) + (1.0 - opacity) * region).astype(np.uint8)
