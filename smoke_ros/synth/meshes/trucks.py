"""Lorries, buses and trams: a cab, a chassis and what they carry."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from smoke_ros.synth.meshes.cargo import (
    CANVAS,
    CARGO_LOOKS,
    Deck,
    add_box,
    add_flatbed,
    add_mixer,
    add_tank,
    add_tipper,
)
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
    add_end_panel,
    add_panel,
)
from smoke_ros.synth.meshes.wheels import add_wheel
from smoke_ros.synth.scene import Mesh

TYRE_M, TYRE_WIDTH_M = 0.5, 0.32
CHASSIS_M = 1.0
RIM = Look((0.4, 0.4, 0.4), 0.4)
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
        'box': add_box, 'canvas': add_box, 'tanker': add_tank, 'flatbed': add_flatbed,
        'tipper': add_tipper, 'mixer': add_mixer,
    }[kind.removeprefix('semi_')]  # fmt: skip
    looks = CANVAS if kind == 'canvas' else CARGO_LOOKS
    look = looks[int(rng.integers(len(looks)))]
    add(builder, Deck(rear, cargo_front, width, CHASSIS_M), look, rng)
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
            add_panel(builder, (a + 0.05, b - 0.05), side * edge, (1.15, height - 0.55), GLASS)
        add_panel(builder, (-front + 0.05, front - 0.1), side * edge, (0.45, 0.75), stripe)
        doors = (front - 1.6, -0.3) if side < 0 else ()
        for x in doors:
            add_panel(builder, (x - 0.55, x + 0.55), side * (edge + 0.006), (0.4, 2.3), GLASS)
    add_end_panel(
        builder, (front + 0.01, front - slope + 0.01), 0.93 * half, (1.2, height - 0.35), GLASS
    )
    add_end_panel(builder, (front + 0.012,) * 2, 0.93 * half, (0.85, 1.2), PAINT)
    rear = -front - 0.01
    top = rear + slope * tram
    add_end_panel(builder, (rear, top), 0.85 * half, (1.45, height - 0.5), GLASS)
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


def _add_cab(builder: Builder, front: float, length: float, width: float, height: float) -> None:
    half, rear = width / 2 * 0.97, front - length
    outline = [(rear, 0.75), (front, 0.45), (front, 1.5), (front - 0.22, height - 0.35),
               (front - 0.5, height), (rear, height)]  # fmt: skip
    builder.prism(outline, (-half, half), PAINT)
    glass_top = min(2.65, height - 0.4)
    lean = 0.22 * (glass_top - 1.55) / (height - 1.85)
    add_end_panel(
        builder, (front + 0.01, front - lean + 0.01), 0.93 * half, (1.55, glass_top), GLASS
    )
    add_end_panel(builder, (front + 0.01,) * 2, 0.7 * half, (0.95, 1.4), PLASTIC)
    add_end_panel(builder, (front + 0.015,) * 2, 0.66 * half, (1.15, 1.2), CHROME)
    add_end_panel(builder, (front + 0.012,) * 2, 0.99 * half, (0.46, 0.62), PLASTIC)
    add_end_panel(builder, (front + 0.02,) * 2, 0.26, (0.64, 0.75), PLATE)
    for side in (-1, 1):
        y = side * half
        add_panel(builder, (front - 1.15, front - 0.3), y * 1.004 + side * 0.004,
               (1.6, min(2.4, height - 0.3)), GLASS)  # fmt: skip
        add_panel(
            builder, (rear + 0.1, front - 0.35), y * 1.004 + side * 0.004, (0.62, 0.8), PLASTIC
        )
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
