"""Houses: walls with texture, rows of windows that mirror the sky, doors, balconies, roofs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smoke_ros.synth.meshes.shapes import GALVANISED_ROOF, GLASS, Builder, Look
from smoke_ros.synth.meshes.textures import Texture, brick, plaster
from smoke_ros.synth.rotations import about_z
from smoke_ros.synth.scene import Mesh

#: Metres that a wall's texture covers.
TILE_M = 4.0
STOREY_M = (2.7, 3.4)
FRAMES = (Look((0.7, 0.7, 0.68), 0.2), Look((0.12, 0.08, 0.05)), Look((0.25, 0.26, 0.27), 0.2))
SHUTTERS = (Look((0.05, 0.14, 0.06)), Look((0.25, 0.12, 0.06)), Look((0.3, 0.3, 0.32)))
ROOFS = (Look((0.28, 0.09, 0.05)), Look((0.12, 0.07, 0.05)), Look((0.09, 0.09, 0.1)))
DOORS = (Look((0.12, 0.06, 0.03), 0.2), Look((0.05, 0.07, 0.06), 0.3), Look((0.3, 0.3, 0.3), 0.2))


@dataclass(frozen=True)
class Facade:
    """A wall's plan: its windows' rhythm and what they look like."""

    storey: float
    gap: float
    window: tuple[float, float]
    frame: Look
    shutters: Look | None
    balconies: bool
    shop: bool


def draw_wall_textures(rng: np.random.Generator) -> list[Texture]:
    """Draw the walls' textures, which houses share."""
    return [plaster(rng), plaster(rng), brick(rng), plaster(rng)]


def make_building(name: str, textures: list[Texture], rng: np.random.Generator) -> list[Mesh]:
    """Make a house; its front is -y."""
    choose = lambda options: options[int(rng.integers(len(options)))]  # noqa: E731
    storey = float(rng.uniform(*STOREY_M))
    floors = int(rng.choice([1, 2, 3, 4, 5, 7], p=[0.12, 0.28, 0.25, 0.2, 0.1, 0.05]))
    facade = Facade(
        storey,
        float(rng.uniform(1.8, 3.6)),
        (float(rng.uniform(0.9, 1.6)), float(rng.uniform(1.1, 1.7))),
        choose(FRAMES),
        choose(SHUTTERS) if rng.random() < 0.35 else None,
        bool(rng.random() < 0.25 and floors > 1),
        bool(rng.random() < 0.2 and floors > 1),
    )
    length, depth = float(rng.uniform(8.0, 22.0)), float(rng.uniform(8.0, 12.0))
    height = floors * storey + 0.4
    walls = Builder(f'{name}_walls', is_grounded=False)
    _add_walls(walls, length, depth, height)
    details = Builder(f'{name}_details', is_grounded=False)
    for turn, span, out in ((0, length, depth / 2), (1, depth, length / 2), (3, depth, length / 2),
                            (2, length, depth / 2)):  # fmt: skip
        part = Builder('side', is_grounded=False)
        _add_facade(part, facade, span, floors, rng, is_front=turn == 0, door=choose(DOORS))
        _attach(details, part.build(), turn, out)
    pitched = floors <= 4 and rng.random() < 0.75
    _add_roof(
        details, length, depth, height, choose(ROOFS), float(rng.uniform(1.5, 4.0)) * pitched
    )
    return [walls.build(choose(textures), one_sided=True), details.build()]


def _add_walls(builder: Builder, length: float, depth: float, height: float) -> None:
    look = Look((1.0, 1.0, 1.0), 0.03, paint=1.0)
    x, y = length / 2, depth / 2
    corners = [(-x, -y), (x, -y), (x, y), (-x, y)]
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        span = abs(x1 - x0) + abs(y1 - y0)
        builder.quad(
            [(x0, y0, 0), (x1, y1, 0), (x1, y1, height), (x0, y0, height)], look,
            [(0, height / TILE_M), (span / TILE_M, height / TILE_M), (span / TILE_M, 0), (0, 0)],
        )  # fmt: skip


def _add_facade(
    builder: Builder, facade: Facade, span: float, floors: int, rng: np.random.Generator, *,
    is_front: bool, door: Look,
) -> None:  # fmt: skip
    """Add what lies on a wall that faces -y, from x = -span / 2 to span / 2 at y = 0."""
    wide, tall = facade.window
    count = max(1, int((span - 0.8) // (wide + 0.8 + 0.4 * facade.gap)))
    places = (np.arange(count) + 0.5) * span / count - span / 2
    door_at = int(rng.integers(count)) if is_front else -1
    for floor in range(floors):
        sill = 0.4 + floor * facade.storey + 0.8
        for index, x in enumerate(places.tolist()):
            if floor == 0 and index == door_at:
                _add_rectangle(builder, x, 0.1, 1.3, 2.3, 0.02, facade.frame)
                _add_rectangle(builder, x, 0.1, 1.1, 2.15, 0.03, door)
                continue
            if floor == 0 and facade.shop and is_front:
                _add_rectangle(builder, x, 0.4, 0.9 * span / count, 2.2, 0.03, GLASS)
                continue
            if not is_front and rng.random() < 0.4:
                continue
            _add_window(builder, facade, x, sill, (wide, tall), rng)
            if facade.balconies and floor > 0 and is_front and index % 2:
                low = 0.4 + floor * facade.storey
                builder.box((x - 1.1, -1.1, low - 0.12), (x + 1.1, 0, low), facade.frame)
                builder.box((x - 1.1, -1.1, low), (x + 1.1, -1.05, low + 0.95), facade.frame)
    _add_rectangle(builder, 0.0, 0.0, span, 0.35, 0.015, Look((0.2, 0.19, 0.18)))
    if is_front:
        builder.tube((0.48 * span, -0.06, 0), (0.48 * span, -0.06, floors * facade.storey + 0.4),
                     0.05, facade.frame, sides=5, closed=False)  # fmt: skip


def _add_window(
    builder: Builder, facade: Facade, x: float, sill: float, size: tuple[float, float],
    rng: np.random.Generator,
) -> None:  # fmt: skip
    wide, tall = size
    _add_rectangle(builder, x, sill - 0.08, wide + 0.16, tall + 0.16, 0.02, facade.frame)
    if rng.random() < 0.12:
        _add_rectangle(builder, x, sill, wide, tall, 0.03, Look((0.5, 0.5, 0.48)))  # a blind
    else:
        _add_rectangle(builder, x, sill, wide, tall, 0.03, GLASS)
        _add_rectangle(builder, x, sill, 0.07, tall, 0.04, facade.frame)
    builder.box((x - wide / 2 - 0.12, -0.12, sill - 0.14), (x + wide / 2 + 0.12, 0.0, sill - 0.07),
                Look((0.4, 0.39, 0.37)))  # fmt: skip
    if facade.shutters is not None:
        for side in (-1, 1):
            at = x + side * (0.78 * wide + 0.05)
            _add_rectangle(builder, at, sill - 0.05, 0.5 * wide, tall + 0.1, 0.05, facade.shutters)


def _add_rectangle(
    builder: Builder, x: float, z: float, wide: float, tall: float, out: float, look: Look
) -> None:
    a, b = x - wide / 2, x + wide / 2
    builder.quad([(a, -out, z), (b, -out, z), (b, -out, z + tall), (a, -out, z + tall)], look)


def _attach(builder: Builder, mesh: Mesh, quarter_turns: int, out: float) -> None:
    """Add a façade that was made facing -y, turned and moved to its wall."""
    turn = about_z(quarter_turns * np.pi / 2)
    points = (mesh.positions - (0.0, out, 0.0)) @ turn.T
    builder.add_mesh(mesh, points, mesh.normals @ turn.T)


def _add_roof(
    builder: Builder, length: float, depth: float, height: float, look: Look, rise: float
) -> None:
    x, y = length / 2 + 0.1, depth / 2 + 0.4
    if rise == 0.0:
        builder.box((-x, -y + 0.3, height), (x, y - 0.3, height + 0.25), GALVANISED_ROOF)
        return
    top = height + rise
    low = height - 0.15
    for side in (-1, 1):
        corners = np.array([(-x, side * y, low), (x, side * y, low), (x, 0, top), (-x, 0, top)])
        builder.quad(corners[::-side], look)
        end = side * length / 2
        gable = np.array(
            [(end, -depth / 2, height), (end, depth / 2, height), (end, 0, top - 0.1)]
        )
        builder.add(gable[::side], [[0, 1, 2]], Look((0.6, 0.58, 0.55), paint=1.0))
    builder.tube((0.2 * length, 1.0, top - 1.0), (0.2 * length, 1.0, top + 0.6), 0.35,
                 Look((0.25, 0.12, 0.08)), sides=4)  # fmt: skip
