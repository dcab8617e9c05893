"""Rotations about axes, counterclockwise as seen from their tips."""

from __future__ import annotations

import math

import numpy as np

from smoke_ros.structures import FloatArray


def about_x(angle: float) -> FloatArray:
    """Return the (3, 3) rotation by an angle in radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])


def about_z(angle: float) -> FloatArray:
    """Return the (3, 3) rotation by an angle in radians."""
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
