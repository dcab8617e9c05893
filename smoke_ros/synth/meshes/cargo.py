"""What lorries carry: boxes, tanks, open platforms, skips, mixers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smoke_ros.structures import Vector3
from smoke_ros.synth.meshes.shapes import CHROME, STEEL, Builder, Look, add_panel

CARGO_LOOKS = (
    Look((0.75, 0.75, 0.74), 0.25), Look((0.55, 0.55, 0.56), 0.3), Look((0.08, 0.12, 0.35), 0.2),
    Look((0.35, 0.04, 0.03), 0.2), Look((0.06, 0.2, 0.08), 0.2), Look((0.6, 0.35, 0.03), 0.2),
)  # fmt: skip
CANVAS = (Look((0.25, 0.26, 0.28)), Look((0.05, 0.08, 0.25)), Look((0.3, 0.05, 0.04)))
STRIPE, STRIPE_YELLOW = Look((0.6, 0.03, 0.03), 0.4), Look((0.7, 0.6, 0.05), 0.3)


@dataclass(frozen=True)
class Deck:
    """The part of a chassis that carries something, metres."""

    #: Where it ends and starts along the lorry.
    rear: float
    front: float
    width: float
    #: Of its floor above the ground.
    height: float
    #: Between which a closed body's roof is.
    roof: tuple[float, float] = (3.0, 3.9)


def add_box(builder: Builder, deck: Deck, look: Look, rng: np.random.Generator) -> None:
    """Add a closed body, or one of canvas."""
    rear, front, width, floor = deck.rear, deck.front, deck.width, deck.height
    top = float(rng.uniform(*deck.roof))
    half = width / 2
    builder.box((rear, -half, floor), (front, half, top), look)
    frame = Look((0.3, 0.3, 0.3), 0.3)
    for side in (-1, 1):
        low = (rear - 0.01, side * half - 0.06, floor)
        builder.box(low, (rear + 0.08, side * half + 0.01, top), frame)
        for z in (floor, top - 0.1):
            add_panel(builder, (rear, front), side * (half + 0.008), (z, z + 0.1), frame)
        if rng.random() < 0.5:
            a, b = sorted(rng.uniform(rear + 0.5, front - 0.5, 2).tolist())
            other = CARGO_LOOKS[int(rng.integers(len(CARGO_LOOKS)))]
            add_panel(builder, (a, b), side * (half + 0.006), (top - 1.5, top - 0.6), other)
    for y in (-0.03, 0.03 - half, half - 0.09):
        builder.box((rear - 0.03, y, floor + 0.1), (rear, y + 0.05, top - 0.1), frame)
    if rng.random() < 0.5:
        add_stripes(builder, deck)


def add_tank(builder: Builder, deck: Deck, look: Look, rng: np.random.Generator) -> None:
    """Add a tank that lies along the lorry."""
    rear, front, width, floor = deck.rear, deck.front, deck.width, deck.height
    radius = 0.48 * width
    middle = floor + 0.1 + radius
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
    low = (rear + 0.1, -0.45 * width, floor - 0.1)
    builder.box(low, (rear + 0.2, 0.45 * width, floor + 0.3), STRIPE)


def add_flatbed(builder: Builder, deck: Deck, look: Look, rng: np.random.Generator) -> None:
    """Add an open platform, with walls or without, and some goods."""
    rear, front, width, floor = deck.rear, deck.front, deck.width, deck.height
    half, wall = width / 2, float(rng.uniform(0.0, 0.6))
    builder.box((rear, -half, floor), (front, half, floor + 0.15), look)
    builder.box((front - 0.1, -half, floor), (front, half, floor + 1.3), STEEL)
    if wall > 0.2:
        for side in (-1, 1):
            low, high = sorted((side * half, side * (half - 0.05)))
            builder.box((rear, low, floor), (front, high, floor + 0.15 + wall), look)
        builder.box((rear, -half, floor), (rear + 0.05, half, floor + 0.15 + wall), look)
    for _ in range(int(rng.integers(0, 6))):
        x = float(rng.uniform(rear + 0.8, front - 1.0))
        sx, sy, sz = rng.uniform(0.3, [1.0, 0.9, 1.2])
        shade = tuple(rng.uniform(0.05, 0.5, 3).tolist())
        y = float(rng.uniform(-0.2, 0.2))
        builder.box((x - sx * 0.7, y - sy, floor + 0.15), (x + sx * 0.7, y + sy,
                    floor + 0.2 + sz), Look(shade))  # type: ignore[arg-type]  # fmt: skip


def add_tipper(builder: Builder, deck: Deck, look: Look, rng: np.random.Generator) -> None:
    """Add a skip full of earth."""
    rear, front, width, floor = deck.rear, deck.front, deck.width, deck.height
    half, top = width / 2, floor + float(rng.uniform(1.0, 1.6))
    outline = [(rear + 0.3, floor), (front - 0.1, floor), (front, top + 0.1),
               (rear, top)]  # fmt: skip
    builder.prism(outline, (-half, half), look)
    for x in np.linspace(rear + 0.4, front - 0.3, 6):
        for side in (-1, 1):
            low, high = sorted((side * half, side * (half + 0.06)))
            builder.box((x - 0.05, low, floor), (x + 0.05, high, top), look)
    builder.ball(((rear + front) / 2, 0, top - 0.1), ((front - rear) * 0.42, half * 0.85, 0.4),
                 Look((0.2, 0.16, 0.11)), sides=10, rings=6)  # fmt: skip


def add_mixer(builder: Builder, deck: Deck, look: Look, rng: np.random.Generator) -> None:
    """Add the drum of a concrete mixer."""
    rear, front, width, floor = deck.rear, deck.front, deck.width, deck.height
    radius = 0.46 * width
    span = front - rear
    middle = floor + radius + 0.15
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


def add_stripes(builder: Builder, deck: Deck) -> None:
    """Add the red and yellow warning stripes below the rear edge of a deck."""
    rear, half, floor = deck.rear, deck.width / 2, deck.height
    step = (deck.width - 0.2) / 6
    for part in range(6):
        y = 0.1 - half + part * step
        look = STRIPE if part % 2 else STRIPE_YELLOW
        builder.box((rear - 0.035, y, floor + 0.02), (rear, y + step, floor + 0.18), look)
