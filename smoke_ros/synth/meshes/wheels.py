"""Wheels of everything that rolls."""

from __future__ import annotations

import numpy as np

from smoke_ros.structures import Vector3
from smoke_ros.synth.meshes.shapes import PLASTIC, RUBBER, Builder, Look, add_sheet, quads

#: Radius of the rim and of the hub as parts of the tyre's.
RIM, HUB = 0.67, 0.17
SIDES = 14


def add_wheel(
    builder: Builder, middle: Vector3, radius: float, width: float, rim: Look, *, spokes: int = 6
) -> None:
    """Add a wheel that turns about the y axis, its rim on the side away from y = 0.

    Parameters
    ----------
    builder
        What it is added to.
    middle
        Of the wheel.
    radius, width
        Of the tyre, metres.
    rim
        Look of the spokes.
    spokes
        How many; none for a closed cap.
    """
    x, y, z = middle
    side = 1.0 if y >= 0 else -1.0
    outer = y + side * width / 2
    angles = np.linspace(0.0, 2.0 * np.pi, SIDES + 1)
    # Of the tyre: radius and place across, from the inner side to the rim.
    profile = [(RIM, -0.5), (1.0, -0.4), (1.0, 0.36), (0.88, 0.5), (RIM * 0.96, 0.3)]
    rings = np.array([
        [(x + radius * r * np.cos(a), y + side * width * w, z + radius * r * np.sin(a))
         for a in angles] for r, w in profile
    ])  # fmt: skip
    _add_ring(builder, rings, RUBBER, np.array(middle))
    depth = outer - side * 0.03
    _add_disc(builder, (x, outer - side * 0.2 * width, z), RIM * radius, PLASTIC, side)
    if spokes == 0:
        _add_disc(builder, (x, outer - side * 0.012, z), 0.92 * RIM * radius, rim, side)
        return
    _add_spokes(builder, (x, depth, z), radius, spokes, rim, side)


def _add_ring(builder: Builder, rings: np.ndarray, look: Look, middle: np.ndarray) -> None:
    rows, columns = rings.shape[:2]
    normals = rings - middle
    normals[..., 1] *= 0.9
    points = rings.reshape(-1, 3)
    i = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1)
    faces = np.stack((i, i + 1, i + 1 + columns, i + columns), 1)
    if rings[0, 0, 1] < rings[-1, 0, 1]:
        faces = faces[:, ::-1]
    builder.add(points, quads(faces), look, normals=normals.reshape(-1, 3))


def _add_disc(builder: Builder, middle: Vector3, radius: float, look: Look, side: float) -> None:
    angles = np.linspace(0.0, 2.0 * np.pi, SIDES + 1)
    radii = np.array([0.02, 1.0])[:, None] * radius
    points = np.stack(np.broadcast_arrays(
        middle[0] + radii * np.cos(angles), middle[1], middle[2] + radii * np.sin(angles)
    ), -1)  # fmt: skip
    add_sheet(builder, points, look, (0.0, side, 0.0))


def _add_spokes(
    builder: Builder, middle: Vector3, radius: float, spokes: int, look: Look, side: float
) -> None:
    x, y, z = middle
    _add_disc(builder, (x, y + side * 0.01, z), HUB * radius * 1.3, look, side)
    for angle in np.arange(spokes) * 2.0 * np.pi / spokes + 0.3:
        along = np.array([np.cos(angle), 0.0, np.sin(angle)])
        across = np.array([-np.sin(angle), 0.0, np.cos(angle)])
        wide = 1.2 / spokes * radius
        points = np.array([
            [(x, y, z) + along * r * radius + sign * across * w * wide for sign in (-1, 1)]
            for r, w in ((HUB, 0.7), (RIM, 1.0))
        ])  # fmt: skip
        add_sheet(builder, points, look, (0.0, side, 0.0))
    angles = np.linspace(0.0, 2.0 * np.pi, SIDES + 1)
    radii = np.array([0.88, 1.0])[:, None] * RIM * radius
    rim = np.stack(np.broadcast_arrays(
        x + radii * np.cos(angles), y + side * 0.012, z + radii * np.sin(angles)
    ), -1)  # fmt: skip
    add_sheet(builder, rim, look, (0.0, side, 0.0))
