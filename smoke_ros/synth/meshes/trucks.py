"""Lorries, buses and trams: a cab, a chassis and what they carry."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from smoke_ros.structures import Vector3
from smoke_ros.synth.meshes.shapes import (
    CHROME,
    GLASS,
    HEADLIGHT,
    PAINT,
    PLASTIC,
    PLATE,
    STEEL,
    TAILLIGHT,
    UNDERBODY,
    Builder,
    Look,
)
from smoke_ros.synth.meshes.wheels import add_wheel
from smoke_ros.synth.scene import Mesh

TYRE_M, TYRE_WIDTH_M = 0.5, 0.32
CHASSIS_M = 1.0
RIM = Look((0.4, 0.4, 0.4), 0.4)
CARGO_LOOKS = (
    Look((0.75, 0.75, 0.74), 0.25), Look((0.55, 0.55, 0.56), 0.3), Look((0.08, 0.12, 0.35), 0.2),
    Look((0.35, 0.04, 0.03), 0.2), Look((0.06, 0.2, 0.08), 0.2), Look((0.6, 0.35, 0.03), 0.2),
)  # fmt: skip
CANVAS = (Look((0.25, 0.26, 0.28)), Look((0.05, 0.08, 0.25)), Look((0.3, 0.05, 0.04)))
STRIPE = Look((0.6, 0.03, 0.03), 0.4)

TRUCKS = ('box', 'tanker', 'flatbed', 'tipper', 'mixer', 'canvas', 'semi_box', 'semi_tanker')


def make_truck(name: str, kind: str, rng: np.random.Generator) -> Mesh:
    """Make a lorry; `kind` is one of :data:`TRUCKS`."""
    builder = Builder(name)
    semi = kind.startswith('semi')
    length = float(rng.uniform(12.5, 15.5) if semi else rng.uniform(6.8, 9.8))
    width = float(rng.uniform(2.3, 2.55))
    cab_height = float(rng.uniform(3.0, 3.6) if semi else rng.uniform(2.6, 3.1))
    cab_length = float(rng.uniform(1.9, 2.3) if semi else rng.uniform(1.7, 2.0))
    front, rear = length / 2, -length / 2
    _add_cab(builder, front, cab_length, width, cab_height)
    builder.box((rear + 0.1, -0.42 * width, 0.65), (front - 0.3, 0.42 * width, CHASSIS_M - 0.02),
                UNDERBODY)  # fmt: skip
    cargo_front = front - cab_length - float(rng.uniform(0.15, 0.5))
    add = {
        'box': _add_box, 'canvas': _add_box, 'tanker': _add_tank, 'flatbed': _add_flatbed,
        'tipper': _add_tipper, 'mixer': _add_mixer,
    }[kind.removeprefix('semi_')]  # fmt: skip
    looks = CANVAS if kind == 'canvas' else CARGO_LOOKS
    look = looks[int(rng.integers(len(looks)))]
    add(builder, rear, cargo_front, width, look, rng)
    axles = [front - 1.3, rear + 1.3, rear + (2.6 if semi or length > 8.5 else 1.3)]
    if semi:
        axles += [rear + 3.9, front - 4.6]
    _add_axles(builder, sorted(set(axles)), width)
    _add_tail(builder, rear, width)
    for side in (-1, 1):
        y = side * width / 2
        low, high = sorted((y - side * 0.12, y - side * 0.04))
        builder.box((rear + 3.4 + 1.2 * semi, low, 0.45), (front - 2.1, high, 0.9), STEEL)
    return builder.build(one_sided=True)


def make_bus(name: str, rng: np.random.Generator, *, tram: bool = False) -> Mesh:
    """Make a bus, or a tram, which has no wheels to be seen and more glass at its ends."""
    builder = Builder(name)
    length = float(rng.uniform(14.0, 18.0) if tram else rng.uniform(10.0, 12.5))
    width = float(rng.uniform(2.3, 2.5))
    height = float(rng.uniform(3.2, 3.5) if tram else rng.uniform(2.9, 3.2))
    front, half = length / 2, width / 2
    floor = 0.3
    stripe = CARGO_LOOKS[int(rng.integers(len(CARGO_LOOKS)))]
    slope = 0.35 if tram else 0.12
    for outline, low, high in (
        ([(-front, floor), (front, floor), (front, 1.2), (front - slope, height - 0.25),
          (front - slope - 0.3, height), (-front + slope * tram + 0.2, height),
          (-front + slope * tram, height - 0.2), (-front, 1.2)], -half, half),
    ):  # fmt: skip
        builder.prism(outline, (low, high), PAINT)
    edge = half + 0.008
    first, last = -front + 0.5, front - 0.9
    count = int((last - first) // float(rng.uniform(1.3, 1.9)))
    places = np.linspace(first, last, count + 1)
    for side in (-1, 1):
        for a, b in pairwise(places.tolist()):
            _panel(builder, (a + 0.05, b - 0.05), side * edge, (1.15, height - 0.55), GLASS)
        _panel(builder, (-front + 0.05, front - 0.1), side * edge, (0.45, 0.75), stripe)
        doors = (front - 1.6, -0.3) if side < 0 else ()
        for x in doors:
            _panel(builder, (x - 0.55, x + 0.55), side * (edge + 0.006), (0.4, 2.3), GLASS)
    _end_panel(
        builder, (front + 0.01, front - slope + 0.01), 0.93 * half, (1.2, height - 0.35), GLASS
    )
    _end_panel(builder, (front + 0.012,) * 2, 0.93 * half, (0.85, 1.2), PAINT)
    rear = -front - 0.01
    top = rear + slope * tram
    _end_panel(builder, (rear, top), 0.85 * half, (1.45, height - 0.5), GLASS)
    for side in (-1, 1):
        y = side * 0.75 * half
        builder.ball((front - 0.01, y, 0.72), (0.05, 0.2, 0.11), HEADLIGHT, sides=8, rings=4)
        builder.box((rear - 0.02, y - 0.12, 0.8), (rear + 0.05, y + 0.12, 1.25), TAILLIGHT)
    builder.box((-front - 0.02, -half + 0.1, floor), (front + 0.02, half - 0.1, 0.5), PLASTIC)
    sign_low = (front - 0.2, -0.6 * half, height - 0.36)
    builder.box(sign_low, (front - 0.06, 0.6 * half, height - 0.12), PLASTIC)
    if tram:
        builder.box((-front + 0.4, -half + 0.25, 0.0), (front - 0.4, half - 0.25, 0.4), UNDERBODY)
        builder.box((-1.0, -0.6, height), (1.0, 0.6, height + 0.25), STEEL)
        return builder.build(one_sided=True)
    for x in (front - 2.6, -front + 3.1):
        for side in (-1, 1):
            builder.box((x - 0.6, side * half - 0.02, floor), (x + 0.6, side * half + 0.012, 0.98),
                        UNDERBODY)  # fmt: skip
    _add_axles(builder, [front - 2.6, -front + 3.1], width + 0.08)
    return builder.build(one_sided=True)


def _panel(
    builder: Builder, x: tuple[float, float], y: float, z: tuple[float, float], look: Look
) -> None:
    """Add a flat panel on a side."""
    corners = np.array([(x[0], y, z[0]), (x[1], y, z[0]), (x[1], y, z[1]), (x[0], y, z[1])])
    builder.quad(corners if y < 0 else corners[::-1], look)


def _end_panel(
    builder: Builder, x: tuple[float, ...], half: float, z: tuple[float, float], look: Look
) -> None:
    """Add a panel at an end, whose foot and top may be at different places."""
    corners = np.array([(x[0], -half, z[0]), (x[0], half, z[0]), (x[1], half, z[1]),
                        (x[1], -half, z[1])])  # fmt: skip
    builder.quad(corners if x[0] > 0 else corners[::-1], look)


def _add_cab(builder: Builder, front: float, length: float, width: float, height: float) -> None:
    half, rear = width / 2 * 0.97, front - length
    outline = [(rear, 0.75), (front, 0.45), (front, 1.5), (front - 0.22, height - 0.35),
               (front - 0.5, height), (rear, height)]  # fmt: skip
    builder.prism(outline, (-half, half), PAINT)
    glass_top = min(2.65, height - 0.4)
    lean = 0.22 * (glass_top - 1.55) / (height - 1.85)
    _end_panel(builder, (front + 0.01, front - lean + 0.01), 0.93 * half, (1.55, glass_top), GLASS)
    _end_panel(builder, (front + 0.01,) * 2, 0.7 * half, (0.95, 1.4), PLASTIC)
    _end_panel(builder, (front + 0.015,) * 2, 0.66 * half, (1.15, 1.2), CHROME)
    _end_panel(builder, (front + 0.012,) * 2, 0.99 * half, (0.46, 0.62), PLASTIC)
    _end_panel(builder, (front + 0.02,) * 2, 0.26, (0.64, 0.75), PLATE)
    for side in (-1, 1):
        y = side * half
        _panel(builder, (front - 1.15, front - 0.3), y * 1.004 + side * 0.004,
               (1.6, min(2.4, height - 0.3)), GLASS)  # fmt: skip
        _panel(builder, (rear + 0.1, front - 0.35), y * 1.004 + side * 0.004, (0.62, 0.8), PLASTIC)
        builder.box((front - 0.02, y * 0.8 - 0.2, 0.66), (front + 0.03, y * 0.8 + 0.2, 0.86),
                    HEADLIGHT)  # fmt: skip
        low, high = sorted((side * (width / 2 - 0.02), side * (width / 2 + 0.12)))
        builder.box((front - 0.3, low, 1.8), (front - 0.12, high, 2.5), PLASTIC)
        # The arch of the front wheel.
        low, high = sorted((y * 0.8, y * 1.012))
        builder.box((front - 1.95, low, 0.5), (front - 0.7, high, 1.12), UNDERBODY)


def _add_axles(builder: Builder, axles: list[float], width: float) -> None:
    y = width / 2 - TYRE_WIDTH_M / 2 - 0.02
    for x in axles:
        for side in (-1, 1):
            add_wheel(builder, (x, side * y, TYRE_M), TYRE_M, TYRE_WIDTH_M, RIM, spokes=0)


def _add_tail(builder: Builder, rear: float, width: float) -> None:
    builder.box((rear, -0.46 * width, 0.55), (rear + 0.12, 0.46 * width, 0.75), STEEL)
    for side in (-1, 1):
        y = side * 0.36 * width
        builder.box((rear - 0.03, y - 0.24, 0.76), (rear + 0.05, y + 0.24, 0.92), TAILLIGHT)
    builder.box((rear - 0.02, -0.27, 0.58), (rear, 0.27, 0.7), PLATE)


def _add_box(
    builder: Builder, rear: float, front: float, width: float, look: Look, rng: np.random.Generator
) -> None:
    top = float(rng.uniform(3.0, 3.9))
    half = width / 2
    builder.box((rear, -half, CHASSIS_M), (front, half, top), look)
    frame = Look((0.3, 0.3, 0.3), 0.3)
    for side in (-1, 1):
        low = (rear - 0.01, side * half - 0.06, CHASSIS_M)
        builder.box(low, (rear + 0.08, side * half + 0.01, top), frame)
        for z in (CHASSIS_M, top - 0.1):
            _panel(builder, (rear, front), side * (half + 0.008), (z, z + 0.1), frame)
        if rng.random() < 0.5:
            a, b = sorted(rng.uniform(rear + 0.5, front - 0.5, 2).tolist())
            other = CARGO_LOOKS[int(rng.integers(len(CARGO_LOOKS)))]
            _panel(builder, (a, b), side * (half + 0.006), (top - 1.5, top - 0.6), other)
    for y in (-0.03, 0.03 - half, half - 0.09):
        builder.box((rear - 0.03, y, CHASSIS_M + 0.1), (rear, y + 0.05, top - 0.1), frame)
    if rng.random() < 0.5:
        for part in np.arange(6):
            y = -half + 0.1 + part * (width - 0.2) / 6
            colour = STRIPE if part % 2 else Look((0.7, 0.6, 0.05), 0.3)
            builder.box((rear - 0.035, y, CHASSIS_M + 0.02), (rear, y + (width - 0.2) / 6,
                        CHASSIS_M + 0.18), colour)  # fmt: skip


def _add_tank(
    builder: Builder, rear: float, front: float, width: float, look: Look, rng: np.random.Generator
) -> None:
    radius = 0.48 * width
    middle = CHASSIS_M + 0.1 + radius
    shiny = CHROME if rng.random() < 0.4 else Look(look.colour, 0.6)
    builder.tube((rear + 0.5, 0, middle), (front - 0.4, 0, middle), radius, shiny, sides=20)
    for x in (rear + 0.5, front - 0.4):
        builder.ball((x, 0, middle), (0.4, radius, radius), shiny, sides=16, rings=8)
    if rng.random() < 0.5:
        # A hopper for powder narrows below.
        for x in np.linspace(rear + 1.6, front - 1.6, 3):
            builder.tube((x, 0, middle), (x, 0, 0.6), (radius, 0.25), shiny, sides=14)
    low = (rear + 0.4, -0.3, middle + radius - 0.05)
    builder.box(low, (front - 0.5, 0.3, middle + radius + 0.08), STEEL)
    for x in np.linspace(rear + 1.0, front - 0.8, 5):
        builder.tube((x - 0.03, 0, middle), (x + 0.03, 0, middle), radius + 0.015, STEEL, sides=20)
    low = (rear + 0.1, -0.45 * width, CHASSIS_M - 0.1)
    builder.box(low, (rear + 0.2, 0.45 * width, CHASSIS_M + 0.3), STRIPE)


def _add_flatbed(
    builder: Builder, rear: float, front: float, width: float, look: Look, rng: np.random.Generator
) -> None:
    half, wall = width / 2, float(rng.uniform(0.0, 0.6))
    builder.box((rear, -half, CHASSIS_M), (front, half, CHASSIS_M + 0.15), look)
    builder.box((front - 0.1, -half, CHASSIS_M), (front, half, CHASSIS_M + 1.3), STEEL)
    if wall > 0.2:
        for side in (-1, 1):
            low, high = sorted((side * half, side * (half - 0.05)))
            builder.box((rear, low, CHASSIS_M), (front, high, CHASSIS_M + 0.15 + wall), look)
        builder.box((rear, -half, CHASSIS_M), (rear + 0.05, half, CHASSIS_M + 0.15 + wall), look)
    for _ in range(int(rng.integers(0, 6))):
        x = float(rng.uniform(rear + 0.8, front - 1.0))
        sx, sy, sz = rng.uniform(0.3, [1.0, 0.9, 1.2])
        shade = tuple(rng.uniform(0.05, 0.5, 3).tolist())
        y = float(rng.uniform(-0.2, 0.2))
        builder.box((x - sx * 0.7, y - sy, CHASSIS_M + 0.15), (x + sx * 0.7, y + sy,
                    CHASSIS_M + 0.2 + sz), Look(shade))  # type: ignore[arg-type]  # fmt: skip


def _add_tipper(
    builder: Builder, rear: float, front: float, width: float, look: Look, rng: np.random.Generator
) -> None:
    half, top = width / 2, CHASSIS_M + float(rng.uniform(1.0, 1.6))
    outline = [(rear + 0.3, CHASSIS_M), (front - 0.1, CHASSIS_M), (front, top + 0.1),
               (rear, top)]  # fmt: skip
    builder.prism(outline, (-half, half), look)
    for x in np.linspace(rear + 0.4, front - 0.3, 6):
        for side in (-1, 1):
            low, high = sorted((side * half, side * (half + 0.06)))
            builder.box((x - 0.05, low, CHASSIS_M), (x + 0.05, high, top), look)
    builder.ball(((rear + front) / 2, 0, top - 0.1), ((front - rear) * 0.42, half * 0.85, 0.4),
                 Look((0.2, 0.16, 0.11)), sides=10, rings=6)  # fmt: skip


def _add_mixer(
    builder: Builder, rear: float, front: float, width: float, look: Look, rng: np.random.Generator
) -> None:
    radius = 0.46 * width
    span = front - rear
    middle = CHASSIS_M + radius + 0.15
    belly: Vector3 = (rear + 0.5 * span, 0, middle + 0.1)
    end: Vector3 = (rear + 0.6, 0, middle + 0.9)
    builder.tube((front - 0.4, 0, middle - 0.25), belly, (0.55, radius), look, sides=18)
    builder.tube((belly[0] - 0.9, 0, middle + 0.25), belly, radius, look, sides=18)
    builder.tube(end, (belly[0] - 0.9, 0, middle + 0.25), (0.5, radius), look, sides=18)
    builder.box((rear + 0.1, -0.4, 1.0), (rear + 0.5, 0.4, middle + 0.7), STEEL)
    builder.tube((rear + 0.5, 0, middle + 1.2), (rear + 0.3, 0, middle + 1.7), (0.3, 0.55), STEEL)
    builder.box(
        (front - 0.6, -0.35, 1.0), (front - 0.2, 0.35, 1.0 + float(rng.uniform(0.5, 0.9))), STEEL
    )
