"""Geometry of pinhole cameras and upright boxes, for numpy arrays and torch tensors alike.

Frames, units and the order of dimensions are those of :mod:`smoke_ros.structures`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch

#: A numpy array or a torch tensor; the functions here return the kind that they are given.
Array = Any

#: Unit box: corner i is at CORNER_SIGNS[i] / 2 * (length, height, width) from the centre. Corners
#: 0-3 are the bottom face (y points down) and 4-7 the top face above them, both starting at the
#: front left and going clockwise when seen from above; the front is +x at rotation_y = 0.
CORNER_SIGNS = (
    (+1, +1, +1), (+1, +1, -1), (-1, +1, -1), (-1, +1, +1),
    (+1, -1, +1), (+1, -1, -1), (-1, -1, -1), (-1, -1, +1),
)  # fmt: skip

#: The twelve edges of a box as pairs of corners.
BOX_EDGES = (
    (0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7),
)  # fmt: skip

#: Nearest depth, in metres, at which a point is taken to be in front of the camera.
NEAR_M = 0.1


def wrap_angle(angle: Array) -> Array:
    """Wrap angles in radians to [-pi, pi)."""
    return (angle + math.pi) % (2.0 * math.pi) - math.pi


def alpha_from_rotation_y(rotation_y: Array, x: Array, z: Array) -> Array:
    """Return the observation angle of a heading at (x, z), in [-pi, pi)."""
    return wrap_angle(rotation_y - _namespace(x).arctan2(x, z))


def rotation_y_from_alpha(alpha: Array, x: Array, z: Array) -> Array:
    """Return the heading of an observation angle at (x, z), in [-pi, pi)."""
    return wrap_angle(alpha + _namespace(x).arctan2(x, z))


def box_corners(location: Array, dimensions: Array, rotation_y: Array) -> Array:
    """Return the corners of upright boxes.

    Parameters
    ----------
    location
        (..., 3) geometric centres in metres.
    dimensions
        (..., 3) length, height, width in metres.
    rotation_y
        (...) headings in radians.

    Returns
    -------
    (..., 8, 3) corners in metres, ordered as :data:`CORNER_SIGNS`.
    """
    xp = _namespace(location)
    signs = _like(location, CORNER_SIGNS)
    offsets = 0.5 * signs * dimensions[..., None, :]
    cos, sin = xp.cos(rotation_y)[..., None], xp.sin(rotation_y)[..., None]
    x = cos * offsets[..., 0] + sin * offsets[..., 2]
    z = -sin * offsets[..., 0] + cos * offsets[..., 2]
    return xp.stack((x, offsets[..., 1], z), -1) + location[..., None, :]


def project(K: Array, points: Array, offset: Array | Sequence[float] = (0.0, 0.0, 0.0)) -> Array:
    """Project points in front of the camera: (u w, v w, w) = K @ point + offset.

    Parameters
    ----------
    K
        (3, 3), or (..., 3, 3) to go with the points' leading dimensions.
    points
        (..., 3) in metres.
    offset
        Fourth column of a 3x4 projection matrix; may be an array (..., 3) that goes with the
        points.

    Returns
    -------
    (..., 2) pixels.
    """
    image = (K @ points[..., None])[..., 0] + _like(points, offset)
    return image[..., :2] / image[..., 2:]


def unproject(
    K: Array, pixels: Array, depth: Array, offset: Array | Sequence[float] = (0.0, 0.0, 0.0)
) -> Array:
    """Invert :func:`project` for points at a known depth.

    ``depth`` (...) scales the pixel's ray: K @ point + offset = depth (u, v, 1). ``offset`` may
    be an array (..., 3) that goes with the pixels.
    """
    xp = _namespace(pixels)
    image = xp.stack((pixels[..., 0] * depth, pixels[..., 1] * depth, depth), -1)
    inverse = xp.linalg.inv(K)
    return (inverse @ (image - _like(pixels, offset))[..., None])[..., 0]


def projected_extent(
    K: np.ndarray, corners: np.ndarray, offset: Sequence[float] = (0.0, 0.0, 0.0)
) -> np.ndarray | None:
    """Return the extent x1, y1, x2, y2 in pixels of one box's corners (8, 3), not clipped.

    A box that reaches behind the camera is cut at :data:`NEAR_M`; None if all of it lies behind.
    """
    in_front = corners[:, 2] >= NEAR_M
    if not in_front.any():
        return None
    points = corners
    if not in_front.all():
        segments = (clip_segment(corners[a], corners[b]) for a, b in BOX_EDGES)
        points = np.concatenate([segment for segment in segments if segment is not None])
    pixels = project(K, points, offset)
    return np.concatenate((pixels.min(axis=0), pixels.max(axis=0)))


def clip_segment(start: np.ndarray, end: np.ndarray) -> np.ndarray | None:
    """Cut a 3D segment at the plane z = :data:`NEAR_M`; (2, 3), or None if all of it is behind."""
    if start[2] < NEAR_M and end[2] < NEAR_M:
        return None
    if start[2] >= NEAR_M and end[2] >= NEAR_M:
        return np.stack((start, end))
    at_near = start + (NEAR_M - start[2]) / (end[2] - start[2]) * (end - start)
    return np.stack((start, at_near) if start[2] >= NEAR_M else (at_near, end))


def _namespace(array: Array) -> ModuleType:
    return torch if isinstance(array, torch.Tensor) else np


def _like(array: Array, values: Array | Sequence[float]) -> Array:
    if isinstance(values, torch.Tensor):
        return values
    if isinstance(array, torch.Tensor):
        return torch.tensor(values, dtype=array.dtype, device=array.device)
    return np.asarray(values, dtype=np.float64)
