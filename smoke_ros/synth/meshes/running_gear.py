"""What a lorry rolls on and what hangs around it: axles, mudguards, guards, tanks, lamps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smoke_ros.synth.meshes.livery import STRIPES, Livery
from smoke_ros.synth.meshes.shapes import (
    CHROME,
    INDICATOR,
    PLASTIC,
    PLATE,
    RUBBER,
    STEEL,
    TAILLIGHT,
    UNDERBODY,
    Builder,
    Look,
    add_sheet,
)
from smoke_ros.synth.meshes.wheels import add_wheel

WHITE = Look((0.7, 0.7, 0.69), 0.3)
RIMS = (Look((0.4, 0.4, 0.4), 0.4), Look((0.6, 0.6, 0.6), 0.4), Look((0.12, 0.12, 0.12), 0.2),
        Look((0.3, 0.05, 0.04), 0.3))  # fmt: skip


@dataclass(frozen=True)
class Tyre:
    """Radius and width, metres."""

    radius: float
    width: float


def add_axles(
    builder: Builder, places: Sequence[float], half: float, tyre: Tyre, rim: Look,
    *, mudguards: bool = False,
) -> None:  # fmt: skip
    """Add axles whose wheels reach out to `half` of a lorry's width; the first one steers."""
    y = half - tyre.width / 2 - 0.02
    for x in sorted(set(places), reverse=True):
        steers = x == max(places)
        for side in (-1, 1):
            add_wheel(builder, (x, side * y, tyre.radius), tyre.radius, tyre.width, rim,
                      spokes=0)  # fmt: skip
            outer = side * (half - 0.02)
            # A hub stands out, more so in front; of twin tyres behind the rim is a deep bowl.
            hub = outer + side * (0.05 if steers else 0.015)
            builder.tube((x, outer - side * 0.1, tyre.radius), (x, hub, tyre.radius),
                         0.3 * tyre.radius, STEEL if steers else PLASTIC, sides=10)  # fmt: skip
            if mudguards and not steers:
                add_mudguard(builder, x, (side * (half - tyre.width - 0.1), side * half), tyre)


def add_mudguard(builder: Builder, x: float, y: tuple[float, float], tyre: Tyre) -> None:
    """Add an arch of plastic above a wheel."""
    angles = np.radians(np.linspace(15.0, 165.0, 9))
    radius = tyre.radius + 0.07
    points = np.array([
        [(x + radius * np.cos(a), each, tyre.radius + radius * np.sin(a)) for a in angles]
        for each in y
    ])  # fmt: skip
    add_sheet(builder, points, PLASTIC, (0.0, 0.0, 1.0))
    rim = np.array([
        [(x + r * np.cos(a), y[1] + np.sign(y[1]) * 0.004, tyre.radius + r * np.sin(a))
         for a in angles] for r in (radius, radius + 0.06)
    ])  # fmt: skip
    add_sheet(builder, rim, PLASTIC, (0.0, np.sign(y[1]), 0.0))


def add_side_guards(
    builder: Builder, x: tuple[float, float], half: float, rng: np.random.Generator
) -> None:
    """Add what keeps people from under a lorry: two rails with posts, or a closed skirt."""
    look = (STEEL, WHITE, PLASTIC)[int(rng.integers(3))]
    closed = rng.random() < 0.25
    for side in (-1, 1):
        near, far = sorted((side * (half - 0.06), side * (half - 0.02)))
        if closed:
            builder.box((x[0], near, 0.42), (x[1], far, 0.98), look)
            continue
        for z in (0.45, 0.78):
            builder.box((x[0], near, z), (x[1], far, z + 0.12), look)
        for at in np.linspace(x[0] + 0.1, x[1] - 0.2, 3).tolist():
            builder.box((at, near - 0.01, 0.42), (at + 0.08, far - 0.01, 0.98), look)


def add_tanks(builder: Builder, x: float, half: float, rng: np.random.Generator) -> None:
    """Add a tank for fuel on one side and boxes on the other, from `x` backwards."""
    shiny = CHROME if rng.random() < 0.5 else STEEL
    for side in (-1, 1):
        long = float(rng.uniform(0.6, 1.3))
        if rng.random() < 0.5:
            builder.tube((x - long, side * (half - 0.34), 0.72), (x, side * (half - 0.34), 0.72),
                         0.3, shiny, sides=12)  # fmt: skip
        else:
            low, high = sorted((side * (half - 0.6), side * (half - 0.06)))
            look = (shiny, PLASTIC, UNDERBODY)[int(rng.integers(3))]
            builder.box((x - long, low, 0.42), (x, high, 1.0), look)


def add_tail(
    builder: Builder, rear: float, half: float, height: float, livery: Livery,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Add the end of a chassis.

    Parameters
    ----------
    builder
        What it is added to.
    rear
        Where the body ends.
    half
        Of the width.
    height
        Of the body's floor above the ground: everything hangs below it.
    livery
        Has the stripes of boards.
    rng
        Says which of the many kinds of lamps, boards and flaps it has.
    """
    lamp_z = height - float(rng.uniform(0.2, 0.34))
    bar = (STEEL, PLASTIC, WHITE)[int(rng.integers(3))]
    drop = float(rng.uniform(0.12, 0.3))
    builder.box((rear + 0.02, -0.94 * half, lamp_z - drop - 0.12),
                (rear + 0.14, 0.94 * half, lamp_z - drop), bar)  # fmt: skip
    high = float(rng.uniform(0.1, 0.18))
    for side in (-1, 1):
        _add_lamp(builder, rear, (side * 0.78 * half, lamp_z, high), rng)
        if rng.random() < 0.6:  # Flaps behind the wheels.
            y = side * (half - 0.34)
            builder.box(
                (rear + 0.3, y - 0.27, 0.22), (rear + 0.33, y + 0.27, height - 0.1), RUBBER
            )
    plate_y = float(rng.choice([0.0, 0.0, -0.35, 0.35])) * half
    plate_z = lamp_z - float(rng.choice([0.0, drop + 0.11]))
    builder.box((rear - 0.02, plate_y - 0.27, plate_z), (rear + 0.03, plate_y + 0.27,
                plate_z + 0.12), PLATE)  # fmt: skip
    kind = rng.random()
    if kind < 0.35:  # A band below the floor.
        for side, index in zip((-1, 1), STRIPES, strict=True):
            add_sign(builder, (rear - 0.035, side), (0.02, half - 0.05),
                     (height - 0.02, height + 0.16), livery, index)  # fmt: skip
    elif kind < 0.55:  # Boards beside each other.
        for side, index in zip((-1, 1), STRIPES, strict=True):
            add_sign(builder, (rear - 0.045, side), (half - 0.75, half - 0.08),
                     (height + 0.05, height + 0.33), livery, index)  # fmt: skip


def _add_lamp(
    builder: Builder, rear: float, place: tuple[float, float, float], rng: np.random.Generator
) -> None:
    """Add a group of lamps, some of them lit, at (y, z) and of some height."""
    y, z, high = place
    wide = float(rng.uniform(0.16, 0.26))
    builder.box((rear - 0.02, y - wide - 0.02, z - 0.02), (rear + 0.05, y + wide + 0.02,
                z + high + 0.02), PLASTIC)  # fmt: skip
    parts = (TAILLIGHT, TAILLIGHT, INDICATOR) if y > 0 else (INDICATOR, TAILLIGHT, TAILLIGHT)
    if rng.random() < 0.3:
        parts = (parts[0], WHITE, parts[2])
    step = 2 * wide / 3
    for index, look in enumerate(parts):
        left = y - wide + index * step
        builder.box((rear - 0.04, left + 0.01, z), (rear - 0.01, left + step - 0.01, z + high),
                    look)  # fmt: skip


def add_sign(
    builder: Builder, end: tuple[float, int], y: tuple[float, float], z: tuple[float, float],
    livery: Livery, index: int, look: Look = WHITE,
) -> None:  # fmt: skip
    """Show a sign at the rear end of a lorry, on the right (-1) or the left (1) of its middle."""
    x, side = end
    near, far = sorted((side * y[0], side * y[1]))
    # Seen from behind the lorry's left is on the left.
    corners = np.array([(x, far, z[0]), (x, near, z[0]), (x, near, z[1]), (x, far, z[1])])
    builder.quad(corners, look, livery.sign(index))


def add_side_sign(
    builder: Builder, x: tuple[float, float], y: float, z: tuple[float, float], livery: Livery,
    index: int,
) -> None:  # fmt: skip
    """Show a sign on the side of a lorry that is that of y's sign."""
    left, right = x if y < 0 else x[::-1]
    corners = np.array([(left, y, z[0]), (right, y, z[0]), (right, y, z[1]), (left, y, z[1])])
    builder.quad(corners, WHITE, livery.sign(index))
