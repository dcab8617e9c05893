"""Cars as they are drawn far away and into shadows: a quarter of the triangles, the same box."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from smoke_ros.structures import FloatArray
from smoke_ros.synth.meshes.car_body import Shape
from smoke_ros.synth.meshes.shapes import (
    GLASS,
    HEADLIGHT,
    PAINT,
    PLASTIC,
    PLATE,
    RUBBER,
    TAILLIGHT,
    UNDERBODY,
    Builder,
    Look,
    add_sheet,
    grid,
)
from smoke_ros.synth.scene import Mesh

#: Where the body is sampled up its side and across its ends, the cabin across.
ROWS = np.array([0.0, 0.3, 0.65, 0.92, 1.0])
END_ACROSS = np.array([-1.0, -0.94, -0.65, 0.0, 0.65, 0.94, 1.0])
CABIN_ACROSS = np.array([-1.0, -0.8, -0.4, 0.4, 0.8, 1.0])
#: Metres that windows and lights stand out, more than the flat pieces below them are bent.
LIFT_M = 0.02
WHEEL_SIDES = 9


def make_coarse_car(
    fine: Mesh,
    shape: Shape,
    rim: Look,
    windows: list[tuple[float, float]],
    tail: tuple[float, ...],
) -> Mesh:
    """Make a car that fills the box of a finer one.

    Parameters
    ----------
    fine
        The finer one.
    shape
        Its shape.
    rim
        Of its wheels.
    windows
        Where those of a side start and end, metres along the car; with one there is none behind.
    tail
        Inner edge (part of the half width), foot and top (parts of the height) of its tail lights.
    """
    builder = Builder(f'{fine.name}_coarse')
    _add_shell(builder, shape)
    _add_windows(builder, shape, windows)
    _add_lights(builder, shape, tail)
    _add_mirrors(builder, shape, windows[0][0] - 0.12)
    for x in shape.axles:
        for side in (-1, 1):
            _add_wheel(builder, shape, x, side, rim)
    return fill_box(builder.build(one_sided=True), fine)


def fill_box(mesh: Mesh, other: Mesh) -> Mesh:
    """Return a mesh stretched so that its bounding box is that of another one."""
    low, high = mesh.positions.min(axis=0), mesh.positions.max(axis=0)
    new_low, new_high = other.positions.min(axis=0), other.positions.max(axis=0)
    part = (mesh.positions - low) / (high - low)
    return replace(mesh, positions=(new_low + part * (new_high - new_low)).astype(np.float32))


def _stations(shape: Shape) -> FloatArray:
    half, reach = shape.length / 2, shape.arch_reach
    arch = np.array([reach, 0.45 * shape.wheel_radius, -0.45 * shape.wheel_radius, -reach])
    arch = np.concatenate(([reach + 2e-3], arch, [-reach - 2e-3]))
    ends = half - np.array([0.0, 0.16])
    feet = shape.x([shape.screen, shape.rear_foot])
    places = np.concatenate((*(axle + arch for axle in shape.axles), ends, -ends, feet))
    return np.unique(np.clip(np.round(places, 4), -half, half))[::-1]


def _add_shell(builder: Builder, shape: Shape) -> None:
    half = shape.length / 2
    stations, rows = _stations(shape), ROWS[:, None]
    front, rear = shape.x([shape.screen, shape.rear_foot]).tolist()
    for side in (-1, 1):
        add_sheet(builder, shape.body(stations, side, rows), PAINT, (0, side, 0))
    across = np.array([-1.0, -0.85, 0.0, 0.85, 1.0])
    for part in ((half, half - 0.16, half - 0.5, front), (rear, 0.16 - half, -half)):
        places = np.unique(np.clip(part, *((front, half) if part[0] > 0 else (-half, rear))))
        if len(places) > 1:
            add_sheet(builder, shape.body(places[:, None], across, 1.0), PAINT, (0, 0, 1))
    for x in (half, -half):
        add_sheet(builder, shape.body(x, END_ACROSS, rows), PAINT, (x, 0, 0))
    inner = 0.40 * shape.width
    top = 0.55 * shape.height * shape.nose + 0.25
    builder.box(
        (0.22 - half, -inner, shape.clearance - 0.03), (half - 0.22, inner, top), UNDERBODY
    )
    q = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])[:, None]
    add_sheet(builder, shape.cabin(q, CABIN_ACROSS), PAINT, (0, 0, 1))
    first, last = shape.side_ends()
    roof_front, roof_rear = shape.cabin([1.0, 2.0], 1.0)[:, 0].tolist()
    x = np.unique([first, roof_front, (roof_front + roof_rear) / 2, roof_rear, last])
    for side in (-1, 1):
        points = shape.cabin_side(x, np.array([0.0, 1.0])[:, None], side)
        add_sheet(builder, points, PAINT, (0, side, 0))


def _add_windows(builder: Builder, shape: Shape, windows: list[tuple[float, float]]) -> None:
    across = np.array([-0.9, -0.4, 0.4, 0.9])
    screen = shape.cabin(np.array([0.04, 0.5, 0.93])[:, None], across)
    add_sheet(builder, screen, GLASS, (1, 0, 0.5), lift=LIFT_M)
    if len(windows) > 1:
        rear = shape.cabin(np.array([2.1, 2.5, 2.82])[:, None], 0.93 * across)
        add_sheet(builder, rear, GLASS, (-1, 0, 0.3), lift=LIFT_M)
    for first, last in windows:
        x, up = np.linspace(first, last, 3), np.array([0.1, 0.86])[:, None]
        for side in (-1, 1):
            add_sheet(builder, shape.cabin_side(x, up, side), GLASS, (0, side, 0), lift=LIFT_M)


def _add_lights(builder: Builder, shape: Shape, tail: tuple[float, ...]) -> None:
    x = shape.length / 2
    inner_edge, low, high = tail
    for side in (-1, 1):
        for end, inner, foot, top, look in (
            (x, 0.62, 0.62, 0.82, HEADLIGHT), (-x, inner_edge, low, high, TAILLIGHT),
        ):  # fmt: skip
            across = np.array(sorted((side * inner, side * 0.94, side * 0.98)))
            _lay(builder, shape.body(end, across, _between(foot, top)), look, (end, 0, 0))
            along = np.array([end - np.sign(end) * 0.21, end])
            _lay(builder, shape.body(along, side, _between(foot, top)), look, (0, side, 0))
    for end, half, foot, top, look in (
        (x, 0.56, 0.6, 0.78, PLASTIC), (x, 0.94, 0.0, 0.12, PLASTIC), (x, 0.3, 0.36, 0.5, PLATE),
        (-x, 0.94, 0.0, 0.15, PLASTIC), (-x, 0.31, 0.45, 0.6, PLATE),
    ):  # fmt: skip
        inside = END_ACROSS[np.abs(END_ACROSS) < half - 0.01]
        across = np.concatenate(([-half], inside, [half]))
        _lay(builder, shape.body(end, across, _between(foot, top)), look, (end, 0, 0))


def _add_mirrors(builder: Builder, shape: Shape, x: float) -> None:
    waist, outer = float(shape.waist(x)), shape.width / 2
    for side in (-1, 1):
        low, high = sorted((side * (outer - 0.16), side * outer))
        builder.box((x - 0.06, low, waist + 0.03), (x + 0.1, high, waist + 0.16), PAINT)


def _add_wheel(builder: Builder, shape: Shape, x: float, side: int, rim: Look) -> None:
    radius, outer = shape.wheel_radius, 0.965 * shape.width / 2
    angles = np.linspace(0.0, 2.0 * np.pi, WHEEL_SIDES + 1) - np.pi / 2
    ring = np.stack((np.cos(angles), np.zeros_like(angles), np.sin(angles)), -1)
    middle = np.array([x, 0.0, radius])
    tread = middle + radius * ring + np.array([0, side, 0]) * [[[outer - 0.18]], [[outer - 0.01]]]
    faces = grid(2, WHEEL_SIDES + 1)
    builder.add(tread.reshape(-1, 3), faces[:, ::-side], RUBBER, normals=np.tile(ring, (2, 1)))
    fan = np.array([(0, i, i + 1)[::-side] for i in range(1, WHEEL_SIDES - 1)])
    for part, y, look in ((1.0, outer - 0.01, RUBBER), (0.6, outer, rim)):
        builder.add(middle + part * radius * ring + (0, side * y, 0), fan, look)


def _lay(builder: Builder, points: FloatArray, look: Look, outwards: npt.ArrayLike) -> None:
    add_sheet(builder, points, look, outwards, lift=LIFT_M)


def _between(low: float, high: float) -> FloatArray:
    inside = ROWS[(low + 1e-3 < ROWS) & (high - 1e-3 > ROWS)]
    return np.concatenate(([low], inside, [high]))[:, None]
