"""What is drawn, and the few strokes that draw it: lines, filled outlines and text."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from smoke_ros.colours import RGB
from smoke_ros.structures import Vector3

#: (height, width, 3) uint8 in BGR.
Image = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
#: Blue, green and red, each 0 to 255.
BGR = tuple[float, float, float]
#: x1, y1, x2, y2 in pixels.
Rectangle = tuple[float, float, float, float]

WHITE: BGR = (255.0, 255.0, 255.0)
INK: BGR = (24.0, 20.0, 18.0)

FONT = cv2.FONT_HERSHEY_SIMPLEX

#: Bits of a pixel that OpenCV's fixed-point coordinates carry.
SHIFT = 4
#: Points are pulled in to here: far outside of any image, well within OpenCV's integers.
FAR_PX = 1e6


class ClassifiedBox(Protocol):
    """A detection, or a labelled object: what the two have in common."""

    @property
    def location(self) -> Vector3: ...  # noqa: D102

    @property
    def class_name(self) -> str: ...  # noqa: D102

    @property
    def score(self) -> float | None: ...  # noqa: D102

    def corners(self) -> FloatArray: ...  # noqa: D102


def bgr(colour: RGB) -> BGR:
    """Turn a colour of :mod:`smoke_ros.colours` into OpenCV's."""
    red, green, blue = colour
    return (255.0 * blue, 255.0 * green, 255.0 * red)


def darker(colour: BGR, factor: float) -> BGR:
    """Scale a colour's lightness."""
    blue, green, red = colour
    return (factor * blue, factor * green, factor * red)


def draw_line(picture: Image, points: FloatArray, colour: BGR, thickness: float) -> None:
    """Draw a smooth line through points (N, 2) in pixels."""
    width = max(1, round(thickness))
    cv2.polylines(picture, [_fixed_point(points)], False, colour, width, cv2.LINE_AA, SHIFT)


def fill(picture: Image, outline: FloatArray, colour: BGR) -> None:
    """Fill a convex outline (N, 2) in pixels."""
    cv2.fillConvexPoly(picture, _fixed_point(outline), colour, cv2.LINE_AA, SHIFT)


def text_size(text: str, scale: float) -> tuple[int, int]:
    """Return a text's width and height above its base line in pixels."""
    (width, height), _ = cv2.getTextSize(text, FONT, scale, 1)
    return width, height


def draw_text(
    picture: Image, text: str, at: tuple[float, float], scale: float, colour: BGR
) -> None:
    """Write one line; ``at`` is the left end of its base line in pixels."""
    origin = (round(at[0]), round(at[1]))
    cv2.putText(picture, text, origin, FONT, scale, colour, 1, cv2.LINE_AA)


def _fixed_point(points: FloatArray) -> npt.NDArray[np.int32]:
    return np.round(np.clip(points, -FAR_PX, FAR_PX) * (1 << SHIFT)).astype(np.int32)
