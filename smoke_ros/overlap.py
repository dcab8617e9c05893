"""Overlaps of boxes: in the image, seen from above, and in space.

Every function takes arrays of boxes with any leading dimensions, which broadcast: (N, 7) with
(N, 7) compares box by box, ``a[:, None]`` with ``b[None]`` compares all with all. Boxes in space
are rows of :data:`BOX_COLUMNS`, in the frame of :mod:`smoke_ros.structures`; :func:`box_rows`
makes them. An empty box overlaps nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from smoke_ros.structures import Box3D, FloatArray

#: Columns of a box in space: metres and radians; x, y, z is the geometric centre.
BOX_COLUMNS = ('x', 'y', 'z', 'length', 'height', 'width', 'rotation_y')

#: Half the sides of a rectangle, in the winding of :data:`smoke_ros.geometry.CORNER_SIGNS`
#: reversed, so that areas come out positive with x to the right and z up the page.
_CORNERS = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], dtype=np.float64)

#: By how much one of two boxes is grown, so that edges that both have, and corners of one on an
#: edge of the other, are clearly on one side: far above rounding, far below any measurement.
_MARGIN_M = 1e-11


def box_rows(boxes: Sequence[Box3D]) -> FloatArray:
    """Return boxes as an (N, 7) array of :data:`BOX_COLUMNS`."""
    rows = [(*box.location, *box.dimensions, box.rotation_y) for box in boxes]
    return np.array(rows, dtype=np.float64).reshape(len(boxes), len(BOX_COLUMNS))


def area_2d(boxes: FloatArray) -> FloatArray:
    """Return the areas of image boxes (..., 4) of x1, y1, x2, y2; 0 where one is inside out."""
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0.0)
    return sides[..., 0] * sides[..., 1]


def intersection_2d(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the areas that image boxes (..., 4) have in common, in square pixels."""
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., 2:], b[..., 2:])
    return area_2d(np.concatenate((low, high), axis=-1))


def overlap_2d(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return intersection over union of image boxes (..., 4), 0 to 1."""
    common = intersection_2d(a, b)
    return _ratio(common, area_2d(a) + area_2d(b) - common)


def share_inside_2d(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return which share of the area of ``a`` lies inside ``b``, 0 to 1."""
    return _ratio(intersection_2d(a, b), area_2d(a))


def intersection_bev(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the areas that boxes (..., 7) have in common seen from above, in square metres."""
    half_a, half_b = 0.5 * np.abs(a[..., [3, 5]]), 0.5 * np.abs(b[..., [3, 5]])
    is_flat = np.minimum(half_a, half_b).min(axis=-1) == 0.0
    # Of an edge that both have, rounding alone would say whether it is inside the other.
    half_b = half_b + _MARGIN_M
    corners_a, corners_b = _CORNERS * half_a[..., None, :], _CORNERS * half_b[..., None, :]
    # The boundary of what two convex shapes share is made of the edges of each inside the other.
    # Seen in the frame of `a`, it is summed edge by edge (Green's theorem).
    b_in_a = _into_frame(a, b, corners_b)
    a_in_b = _into_frame(b, a, corners_a)
    area = _clipped_area(corners_a, a_in_b, half_b) + _clipped_area(b_in_a, b_in_a, half_a)
    return np.where(is_flat, 0.0, np.maximum(area, 0.0))


def overlap_bev(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return intersection over union of boxes (..., 7) seen from above, 0 to 1."""
    return overlap_bev_from_common(a, b, intersection_bev(a, b))


def overlap_3d(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return intersection over union of the volumes of boxes (..., 7), 0 to 1."""
    return overlap_3d_from_common(a, b, intersection_bev(a, b))


def overlap_bev_from_common(a: FloatArray, b: FloatArray, common: FloatArray) -> FloatArray:
    """Return :func:`overlap_bev` of boxes whose :func:`intersection_bev` is known already."""
    areas = np.abs(a[..., 3] * a[..., 5]) + np.abs(b[..., 3] * b[..., 5])
    return _without_margin(_ratio(common, areas - common))


def overlap_3d_from_common(a: FloatArray, b: FloatArray, common: FloatArray) -> FloatArray:
    """Return :func:`overlap_3d` of boxes whose :func:`intersection_bev` is known already."""
    half_a, half_b = 0.5 * np.abs(a[..., 4]), 0.5 * np.abs(b[..., 4])
    top = np.maximum(a[..., 1] - half_a, b[..., 1] - half_b)
    bottom = np.minimum(a[..., 1] + half_a, b[..., 1] + half_b)
    volume = common * np.maximum(bottom - top, 0.0)
    volumes = np.abs(a[..., 3:6].prod(axis=-1)) + np.abs(b[..., 3:6].prod(axis=-1))
    return _without_margin(_ratio(volume, volumes - volume))


def _into_frame(to: FloatArray, of: FloatArray, corners: FloatArray) -> FloatArray:
    """Express corners (..., 4, 2), given about the box ``of``, about the box ``to``."""
    turn = of[..., 6] - to[..., 6]
    shift = (of - to)[..., [0, 2]]
    rotated = _rotated(corners, turn[..., None])
    return rotated + _rotated(shift, -to[..., 6])[..., None, :]


def _rotated(points: FloatArray, angle: FloatArray) -> FloatArray:
    cos, sin = np.cos(angle), np.sin(angle)
    x, z = points[..., 0], points[..., 1]
    return np.stack((cos * x + sin * z, cos * z - sin * x), axis=-1)


def _clipped_area(corners: FloatArray, seen: FloatArray, half: FloatArray) -> FloatArray:
    """Sum the parts of edges that lie inside a rectangle, as pieces of a boundary.

    Parameters
    ----------
    corners
        (..., 4, 2) the shape's corners in the frame in which the area is summed.
    seen
        (..., 4, 2) the same corners in the frame of the rectangle that clips them.
    half
        (..., 2) half the sides of that rectangle.

    Returns
    -------
    (...) half the sum of cross products of each part's start and end.
    """
    start, step = seen, np.roll(seen, -1, axis=-2) - seen
    step = np.where(step == 0.0, 1e-300, step)
    with np.errstate(over='ignore'):
        crossings = np.stack((-half[..., None, :] - start, half[..., None, :] - start)) / step
    first = np.maximum(crossings.min(axis=0).max(axis=-1), 0.0)
    last = np.minimum(crossings.max(axis=0).min(axis=-1), 1.0)
    inside = last > first
    following = np.roll(corners, -1, axis=-2)
    cross = corners[..., 0] * following[..., 1] - corners[..., 1] * following[..., 0]
    # cross(p + s d, p + t d) = (t - s) cross(p, d), and cross(p, d) = cross(p, p + d).
    length = np.where(inside, last, 0.0) - np.where(inside, first, 0.0)
    return 0.5 * (length * cross).sum(axis=-1)


def _without_margin(overlap: FloatArray) -> FloatArray:
    """Round off what :data:`_MARGIN_M` adds: an overlap of exactly a half is none above it."""
    return np.round(overlap, 9)


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    positive = whole > 0.0
    return np.where(positive, part / np.where(positive, whole, 1.0), 0.0)
