"""Cars as they are drawn far away and into shadows, in the same box as the fine ones.

There are two levels: a quarter of the triangles, and a tenth, with neither arches nor mirrors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from smoke_ros.structures import FloatArray
from smoke_ros.synth.meshes.car_body import LIFT_M, Glazing, Shape
from smoke_ros.synth.meshes.car_lights import Lights
from smoke_ros.synth.meshes.shapes import (
    DARK_TRIM,
    GLASS,
    PAINT,
    RUBBER,
    UNDERBODY,
    Builder,
    Look,
    add_sheet,
    grid,
)
from smoke_ros.synth.scene import Mesh


@dataclass(frozen=True)
class Detail:
    """Where a car is sampled; see :class:`~smoke_ros.synth.meshes.car_body.Shape`."""

    #: Up the body's side.
    rows: tuple[float, ...]
    #: Across the body's ends.
    end_across: tuple[float, ...]
    #: Across the cabin.
    cabin_across: tuple[float, ...]
    #: Along the middle of the cabin.
    profile: tuple[float, ...]
    #: Points of a window along its edges.
    window: int
    wheel_sides: int
    #: Metres that windows and lights stand out, more than the flat pieces below them are bent.
    lift_m: float
    #: Arches over the wheels, mirrors, bumpers, and lights that reach round the corners.
    has_trim: bool


COARSE = Detail(
    (0.0, 0.3, 0.65, 0.92, 1.0), (-1.0, -0.94, -0.65, 0.0, 0.65, 0.94, 1.0),
    (-1.0, -0.8, -0.4, 0.4, 0.8, 1.0), (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0), 3, 9, 0.02, True,
)  # fmt: skip
FAR = Detail(
    (0.0, 0.65, 1.0), (-1.0, -0.65, 0.65, 1.0), (-1.0, -0.5, 0.5, 1.0), (0.0, 1.0, 2.0, 3.0), 2, 6,
    0.05, False,
)  # fmt: skip


@dataclass(frozen=True)
class Fitting:
    """What lies across the middle of an end of the body: a grille, a bumper, a number plate."""

    #: 1 at the front, -1 at the rear.
    end: int
    #: As a part of the body's.
    half_width: float
    #: Parts of the body's height.
    foot: float
    top: float
    look: Look
    #: It lies above what has a lower one.
    layer: float = 1.0

    @property
    def lift_m(self) -> float:
        """How far it stands out, metres; the same from afar, or the body would be the shorter."""
        return self.layer * LIFT_M


def make_coarse_car(
    fine: Mesh,
    shape: Shape,
    rim: Look,
    glazing: Glazing,
    lights: Lights,
    fittings: Sequence[Fitting],
    detail: Detail = COARSE,
) -> Mesh:
    """Make a car that fills the box of a finer one; it has a still coarser one unless it is FAR.

    Parameters
    ----------
    fine
        The finer one.
    shape
        Its shape.
    rim
        Of its wheels.
    glazing
        Its windows.
    lights
        Its lights, without what is inside.
    fittings
        What else is at its ends.
    detail
        Of the result.
    """
    builder = Builder(f'{fine.name}_coarse')
    _add_shell(builder, shape, detail)
    _add_windows(builder, shape, glazing, detail)
    _add_lights(builder, shape, lights, detail)
    _add_fittings(builder, shape, fittings, detail)
    if detail.has_trim:
        _add_mirrors(builder, shape, glazing.sides[0][0] - 0.12)
    for x in shape.axles:
        for side in (-1, 1):
            _add_wheel(builder, shape, x, side, rim, detail)
    mesh = fill_box(builder.build(one_sided=True), fine)
    if detail is FAR:
        return mesh
    coarse = make_coarse_car(fine, shape, rim, glazing, lights, fittings, FAR)
    return replace(mesh, coarse=coarse)


def fill_box(mesh: Mesh, other: Mesh) -> Mesh:
    """Return a mesh stretched so that its bounding box is that of another one."""
    low, high = mesh.positions.min(axis=0), mesh.positions.max(axis=0)
    new_low, new_high = other.positions.min(axis=0), other.positions.max(axis=0)
    part = (mesh.positions - low) / (high - low)
    return replace(mesh, positions=(new_low + part * (new_high - new_low)).astype(np.float32))


def _stations(shape: Shape, detail: Detail) -> FloatArray:
    half, reach = shape.length / 2, shape.arch_reach
    arch = np.array([reach, 0.45 * shape.wheel_radius, -0.45 * shape.wheel_radius, -reach])
    arch = np.concatenate(([reach + 2e-3], arch, [-reach - 2e-3]))
    ends = half - np.array([0.0, 0.16])
    feet = shape.x([shape.screen, shape.rear_foot])
    arches = [axle + arch for axle in shape.axles] if detail.has_trim else []
    places = np.concatenate((*arches, ends, -ends, feet))
    return np.unique(np.clip(np.round(places, 4), -half, half))[::-1]


def _add_shell(builder: Builder, shape: Shape, detail: Detail) -> None:
    half = shape.length / 2
    stations, rows = _stations(shape, detail), np.array(detail.rows)[:, None]
    front, rear = shape.x([shape.screen, shape.rear_foot]).tolist()
    for side in (-1, 1):
        add_sheet(builder, shape.body(stations, side, rows), PAINT, (0, side, 0))
    across = np.array([-1.0, -0.85, 0.0, 0.85, 1.0])
    for part in ((half, half - 0.16, half - 0.5, front), (rear, 0.16 - half, -half)):
        places = np.unique(np.clip(part, *((front, half) if part[0] > 0 else (-half, rear))))
        if len(places) > 1:
            add_sheet(builder, shape.body(places[:, None], across, 1.0), PAINT, (0, 0, 1))
    for x in (half, -half):
        add_sheet(builder, shape.body(x, detail.end_across, rows), PAINT, (x, 0, 0))
    inner = 0.40 * shape.width
    top = 0.55 * shape.height * shape.nose + 0.25
    builder.box(
        (0.22 - half, -inner, shape.clearance - 0.03), (half - 0.22, inner, top), UNDERBODY
    )
    q = np.array(detail.profile)[:, None]
    add_sheet(builder, shape.cabin(q, detail.cabin_across), PAINT, (0, 0, 1))
    first, last = shape.side_ends()
    roof_front, roof_rear = shape.cabin([1.0, 2.0], 1.0)[:, 0].tolist()
    x = np.unique([first, roof_front, (roof_front + roof_rear) / 2, roof_rear, last])
    for side in (-1, 1):
        points = shape.cabin_side(x, np.array([0.0, 1.0])[:, None], side)
        add_sheet(builder, points, PAINT, (0, side, 0))


def _add_windows(builder: Builder, shape: Shape, glazing: Glazing, detail: Detail) -> None:
    def up(foot: float, top: float) -> FloatArray:
        return np.asarray(np.linspace(foot, top, detail.window)[:, None])

    part = np.array([-1.0, -0.45, 0.45, 1.0] if detail.has_trim else [-1.0, 1.0])
    _lay(builder, shape.cabin(up(0.04, 0.93), 0.9 * part), GLASS, (1, 0, 0.5), detail)
    if glazing.has_rear:
        rear = shape.cabin(up(2.1, 2.82), glazing.rear * part)
        _lay(builder, rear, GLASS, (-1, 0, 0.3), detail)
    spans = [(span, GLASS) for span in glazing.sides]
    spans += [(span, DARK_TRIM) for span in glazing.pillars]
    for (first, last), look in spans:
        x, ends = np.linspace(first, last, detail.window), np.array([0.1, 0.86])[:, None]
        for side in (-1, 1):
            _lay(builder, shape.cabin_side(x, ends, side), look, (0, side, 0), detail)


def _add_lights(builder: Builder, shape: Shape, lights: Lights, detail: Detail) -> None:
    x = shape.length / 2
    for side in (-1, 1):
        for end, (inner, foot, top), look in (
            (x, lights.front_place, lights.front), (-x, lights.rear_place, lights.rear),
        ):  # fmt: skip
            rows = _between(foot, top, detail.rows)
            across = np.array(sorted((side * inner, side * 0.94, side * 0.98)))
            _lay(builder, shape.body(end, across, rows), look, (end, 0, 0), detail)
            if detail.has_trim:
                along = np.array([end - np.sign(end) * 0.21, end])
                _lay(builder, shape.body(along, side, rows), look, (0, side, 0), detail)


def _add_fittings(
    builder: Builder, shape: Shape, fittings: Sequence[Fitting], detail: Detail
) -> None:
    ends = np.array(detail.end_across)
    for each in fittings:
        inside = ends[np.abs(ends) < each.half_width - 0.01]
        across = np.concatenate(([-each.half_width], inside, [each.half_width]))
        rows = _between(each.foot, each.top, detail.rows)
        points = shape.body(each.end * shape.length / 2, across, rows)
        add_sheet(builder, points, each.look, (each.end, 0, 0), lift=each.lift_m)


def _add_mirrors(builder: Builder, shape: Shape, x: float) -> None:
    waist, outer = float(shape.waist(x)), shape.width / 2
    for side in (-1, 1):
        low, high = sorted((side * (outer - 0.16), side * outer))
        builder.box((x - 0.06, low, waist + 0.03), (x + 0.1, high, waist + 0.16), PAINT)


def _add_wheel(
    builder: Builder, shape: Shape, x: float, side: int, rim: Look, detail: Detail
) -> None:
    radius, half, sides = shape.wheel_radius, shape.width / 2, detail.wheel_sides
    # Where the body has no arches, wheels lie on top of it.
    outer = 0.965 * half if detail.has_trim else half + detail.lift_m
    angles = np.linspace(0.0, 2.0 * np.pi, sides + 1) - np.pi / 2
    ring = np.stack((np.cos(angles), np.zeros_like(angles), np.sin(angles)), -1)
    middle = np.array([x, 0.0, radius])
    outwards = np.array([0, side, 0])
    tread = middle + radius * ring + outwards * [[[outer - 0.18]], [[outer - 0.01]]]
    faces = grid(2, sides + 1)
    builder.add(tread.reshape(-1, 3), faces[:, ::-side], RUBBER, normals=np.tile(ring, (2, 1)))
    fan = np.array([(0, i, i + 1)[::-side] for i in range(1, sides - 1)])
    for part, y, look in ((1.0, outer - 0.01, RUBBER), (0.6, outer, rim)):
        builder.add(middle + part * radius * ring + (0, side * y, 0), fan, look)


def _lay(
    builder: Builder, points: FloatArray, look: Look, outwards: npt.ArrayLike, detail: Detail
) -> None:
    add_sheet(builder, points, look, outwards, lift=detail.lift_m)


def _between(low: float, high: float, rows: tuple[float, ...]) -> FloatArray:
    inside = [row for row in rows if low + 1e-3 < row < high - 1e-3]
    return np.array([low, *inside, high])[:, None]
