"""What lorries carry: boxes, canvas, containers, tanks, platforms, skips, mixers, refuse."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from smoke_ros.structures import FloatArray, Vector3
from smoke_ros.synth.meshes.livery import STRIPES, Livery
from smoke_ros.synth.meshes.running_gear import WHITE, add_side_sign, add_sign
from smoke_ros.synth.meshes.shapes import (
    CHROME,
    INDICATOR,
    PLASTIC,
    STEEL,
    UNDERBODY,
    Builder,
    Look,
    add_end_panel,
    add_panel,
    add_sheet,
)

CARGO_LOOKS = (
    Look((0.75, 0.75, 0.74), 0.25), Look((0.55, 0.55, 0.56), 0.3), Look((0.08, 0.12, 0.35), 0.2),
    Look((0.35, 0.04, 0.03), 0.2), Look((0.06, 0.2, 0.08), 0.2), Look((0.6, 0.35, 0.03), 0.2),
    Look((0.7, 0.7, 0.69), 0.3), Look((0.12, 0.13, 0.14), 0.2), Look((0.55, 0.16, 0.03), 0.2),
)  # fmt: skip
CANVAS = (
    Look((0.25, 0.26, 0.28)), Look((0.05, 0.08, 0.25)), Look((0.3, 0.05, 0.04)),
    Look((0.42, 0.03, 0.02), 0.2), Look((0.6, 0.6, 0.58)), Look((0.05, 0.18, 0.07)),
    Look((0.5, 0.32, 0.03)), Look((0.08, 0.08, 0.09), 0.1), Look((0.2, 0.19, 0.13)),
)  # fmt: skip
FRAME = Look((0.3, 0.3, 0.3), 0.3)
ALUMINIUM = Look((0.45, 0.45, 0.46), 0.4)
STRIPE = Look((0.6, 0.03, 0.03), 0.4)
DULL_WHITE = replace(WHITE, gloss=0.2)
#: Bodies that are at times painted as their cab is.
PAINTED_BODIES = ('box', 'container', 'refuse')
#: Signs of a livery that are lettering or a picture.
SIGNS = 6


@dataclass(frozen=True)
class Deck:
    """The part of a chassis that carries something, metres."""

    #: Where it ends and starts along the lorry.
    rear: float
    front: float
    width: float
    #: Of its floor above the ground.
    height: float
    #: What is written on the lorry.
    livery: Livery
    #: Between which a closed body's roof is.
    roof: tuple[float, float] = (3.0, 3.9)

    @property
    def half(self) -> float:
        """Half of its width."""
        return self.width / 2


def add_box(builder: Builder, deck: Deck, look: Look, rng: np.random.Generator) -> None:
    """Add a closed body with doors, or a shutter, behind."""
    rear, front, half, floor = deck.rear, deck.front, deck.half, deck.height
    top = float(rng.uniform(*deck.roof))
    builder.box((rear, -half, floor), (front, half, top), look)
    for side in (-1, 1):
        low = (rear - 0.01, side * half - 0.06, floor)
        builder.box(low, (rear + 0.08, side * half + 0.01, top), FRAME)
        for z in (floor, top - 0.1):
            add_panel(builder, (rear, front), side * (half + 0.008), (z, z + 0.1), FRAME)
    if rng.random() < 0.35:  # Boards or panels along the sides.
        for z in np.arange(floor + 0.25, top - 0.2, float(rng.uniform(0.3, 0.6))).tolist():
            for side in (-1, 1):
                add_panel(builder, (rear + 0.1, front - 0.05), side * (half + 0.007),
                          (z, z + 0.03), FRAME)  # fmt: skip
    _add_doors(builder, deck, top, rng)
    _add_signs(builder, deck, (floor + 0.3, top - 0.15), rng)
    if rng.random() < 0.3:  # A cooler above the cab.
        builder.box((front, -0.7 * half, top - 1.0), (front + 0.3, 0.7 * half, top - 0.1),
                    Look((0.6, 0.6, 0.6), 0.3))  # fmt: skip


def _add_doors(builder: Builder, deck: Deck, top: float, rng: np.random.Generator) -> None:
    rear, half, floor = deck.rear, deck.half, deck.height
    style = rng.random()
    if style < 0.25:  # A shutter.
        for z in np.arange(floor + 0.1, top - 0.25, 0.18).tolist():
            builder.box((rear - 0.015, -half + 0.1, z), (rear, half - 0.1, z + 0.02), FRAME)
    elif style < 0.4:  # A folded lift of sheet metal hides half of it.
        builder.box((rear - 0.14, -half + 0.04, floor - 0.1),
                    (rear - 0.02, half - 0.04, floor + float(rng.uniform(0.9, 1.6))),
                    ALUMINIUM if rng.random() < 0.6 else PLASTIC)  # fmt: skip
    else:  # Two wings, with bars that lock them, and hinges.
        for y in (-0.01, *rng.choice([-0.3, -0.18, 0.18, 0.3, -0.6, 0.6], 4, replace=False)):
            y = float(y) * half / 1.2
            builder.box(
                (rear - 0.035, y - 0.02, floor + 0.04), (rear, y + 0.02, top - 0.06), STEEL
            )
        builder.box((rear - 0.05, -0.3, floor + 0.5), (rear - 0.02, 0.3, floor + 0.56), STEEL)
        for side in (-1, 1):
            for z in np.linspace(floor + 0.2, top - 0.3, 4).tolist():
                low, high = sorted((side * (half - 0.02), side * (half - 0.2)))
                builder.box((rear - 0.025, low, z), (rear, high, z + 0.07), STEEL)


def _add_signs(
    builder: Builder, deck: Deck, z: tuple[float, float], rng: np.random.Generator,
    *, behind: bool = True,
) -> None:  # fmt: skip
    """Write on the sides, and behind; signs are made for four times as wide as high."""
    room = z[1] - z[0]
    for side in (-1, 1):
        if rng.random() < 0.65:
            long = (deck.front - deck.rear) * float(rng.uniform(0.35, 0.95))
            high = min(room, long * float(rng.uniform(0.15, 0.4)))
            x = float(rng.uniform(deck.rear + 0.05, deck.front - 0.05 - long))
            foot = _draw_foot(z, high, rng)
            add_side_sign(builder, (x, x + long), side * (deck.half + 0.012), (foot, foot + high),
                          deck.livery, int(rng.integers(SIGNS)))  # fmt: skip
    if behind and rng.random() < 0.4:
        wide = deck.half * float(rng.uniform(0.5, 0.9))
        high = min(room, wide * float(rng.uniform(0.3, 0.9)))
        foot = _draw_foot(z, high, rng)
        add_sign(builder, (deck.rear - 0.045, 1), (-wide, wide), (foot, foot + high), deck.livery,
                 int(rng.integers(SIGNS)), DULL_WHITE)  # fmt: skip


def _draw_foot(z: tuple[float, float], high: float, rng: np.random.Generator) -> float:
    """Draw where something of a height begins; what fills all of the room may round to more."""
    return float(rng.uniform(z[0], max(z[0], z[1] - high)))


def add_canvas(builder: Builder, deck: Deck, look: Look, rng: np.random.Generator) -> None:
    """Add canvas over hoops, above low walls; behind it is shut, or open onto a dark inside."""
    rear, front, half, floor = deck.rear, deck.front, deck.half, deck.height
    top = float(rng.uniform(*deck.roof))
    wall = float(rng.choice([0.0, 0.3, 0.45, 0.6, 0.8]))
    wall = min(wall, 0.5 * (top - floor))
    if wall:
        add_walls(builder, deck, wall, (ALUMINIUM, look, STEEL)[int(rng.integers(3))])
    foot = floor + 0.9 * wall
    add_sheet(builder, _canvas(rear, front, half - 0.02, (foot, top), rng), look, (0, 0, 1),
              shade=rng.uniform(0.85, 1.1, (15, 1)).repeat(41, axis=1).reshape(-1))  # fmt: skip
    add_end_panel(builder, (front + 0.005,) * 2, half - 0.05, (floor, top - 0.06), look)
    is_open = bool(rng.random() < 0.7)
    _add_signs(builder, deck, (foot + 0.2, top - 0.3), rng, behind=not is_open)
    if is_open:
        _open_behind(builder, deck, look, (foot, top), rng)
        return
    add_end_panel(builder, (rear + 0.01,) * 2, half - 0.05, (foot, top - 0.04), look)
    for y in np.linspace(-0.75, 0.75, int(rng.integers(2, 6))).tolist():  # Straps.
        builder.box((rear - 0.02, y * half - 0.025, foot), (rear, y * half + 0.025, top - 0.1),
                    PLASTIC)  # fmt: skip


def _canvas(
    rear: float, front: float, half: float, z: tuple[float, float], rng: np.random.Generator
) -> FloatArray:
    """Return a sheet, (15, 41, 3), from wall to wall that sags between hoops and has folds."""
    foot, top = z
    round_off = float(rng.uniform(0.05, 0.2))
    side = [(-half, foot), (-half, foot + 0.2 * (top - foot)), (-half, 0.5 * (foot + top)),
            (-half, top - 1.6 * round_off), (-half + 0.1 * round_off, top - 0.7 * round_off),
            (-half + 0.6 * round_off, top - 0.15 * round_off),
            (-half + 1.4 * round_off, top)]  # fmt: skip
    profile = np.array([*side, (0.0, top + 0.02), *((-y, at) for y, at in side[::-1])])
    x = np.linspace(rear, front, 41)
    hoops = float(rng.uniform(0.6, 1.4))
    sag = float(rng.uniform(0.01, 0.06)) * np.abs(np.sin(np.pi * (x - rear) / hoops))
    folds = float(rng.uniform(0.0, 0.025)) * np.sin(2 * np.pi * x / rng.uniform(0.2, 0.4))
    drift = 0.02 * np.cumsum(rng.normal(0.0, 0.3, len(x))).clip(-1, 1)
    inwards = (sag + folds + drift).clip(-0.02, 0.08)
    # It is held at its foot.
    loose = np.clip((profile[:, 1] - foot) / max(0.4 * (top - foot), 0.1), 0.1, 1.0)
    at_top = np.abs(profile[:, 0]) < half - round_off
    y = profile[:, :1] - np.sign(profile[:, :1]) * inwards * (loose * ~at_top)[:, None]
    height = profile[:, 1:] - inwards * at_top[:, None]
    return np.stack((np.broadcast_to(x, y.shape), y, height), axis=-1)


def _open_behind(
    builder: Builder, deck: Deck, look: Look, z: tuple[float, float], rng: np.random.Generator
) -> None:
    """Show the inside of canvas: dark, with light that comes through it, and perhaps a load."""
    rear, front, half = deck.rear, deck.front, deck.half - 0.06
    low, high = deck.height, z[1] - 0.08
    glow = float(rng.uniform(0.08, 0.3))
    inside = Look(tuple(glow * each for each in look.colour))  # type: ignore[arg-type]
    dark = Look(tuple(0.5 * each for each in inside.colour))  # type: ignore[arg-type]
    end = max(front - 0.1, rear + 0.5)
    builder.quad(
        [(end, half, low), (end, -half, low), (end, -half, high), (end, half, high)], dark
    )
    for side in (-1, 1):
        y = side * half
        corners = np.array([(rear, y, low), (end, y, low), (end, y, high), (rear, y, high)])
        builder.quad(corners if side > 0 else corners[::-1], inside)
    builder.quad([(end, half, high), (end, -half, high), (rear, -half, high), (rear, half, high)],
                 dark)  # fmt: skip
    builder.quad([(rear, -half, low), (end, -half, low), (end, half, low), (rear, half, low)],
                 UNDERBODY)  # fmt: skip
    for x in np.arange(rear + 0.7, end, 0.9).tolist():  # Hoops.
        builder.box((x, -half, high - 0.04), (x + 0.05, half, high), FRAME)
    for side in (-1, 1):
        builder.box(
            (rear, side * half - 0.04, low), (rear + 0.06, side * half + 0.04, high), FRAME
        )
    # What hangs down at the top of the opening.
    builder.box((rear - 0.01, -half, high - float(rng.uniform(0.05, 0.4))),
                (rear + 0.03, half, high + 0.04), look)  # fmt: skip
    if rng.random() < 0.5:
        _add_goods(builder, deck, min(high - low - 0.2, 1.3), rng)


def add_walls(builder: Builder, deck: Deck, height: float, look: Look) -> None:
    """Add low walls around a deck, with posts."""
    low, high = deck.height - 0.02, deck.height + height
    half = deck.half + 0.012
    for side in (-1, 1):
        near, far = sorted((side * half, side * (half - 0.05)))
        builder.box((deck.rear - 0.012, near, low), (deck.front, far, high), look)
        for x in np.linspace(deck.rear, deck.front, 4)[1:-1].tolist():
            add_panel(builder, (x - 0.03, x + 0.03), side * (half + 0.006), (low, high), STEEL)
        builder.box((deck.rear - 0.02, side * (half - 0.07) - 0.04, low),
                    (deck.rear, side * (half - 0.07) + 0.04, high), STEEL)  # fmt: skip
    builder.box((deck.rear - 0.012, -half, low), (deck.rear + 0.04, half, high), look)
    for z in np.arange(low + 0.13, high - 0.05, 0.16).tolist():
        builder.box((deck.rear - 0.018, -half + 0.1, z), (deck.rear, half - 0.1, z + 0.015), FRAME)


def add_container(builder: Builder, deck: Deck, look: Look, rng: np.random.Generator) -> None:
    """Add a sea container: folded sheet metal, with bars on its doors."""
    rear, front, half, floor = deck.rear, deck.front, deck.half - 0.04, deck.height
    top = floor + 2.6
    builder.box((rear + 0.05, -half + 0.05, floor), (front, half - 0.05, top), look)
    count = int((front - rear) / 0.28)
    x = np.linspace(rear + 0.1, front - 0.1, 4 * count + 1)
    fold = np.tile((0.0, 0.0, 0.04, 0.04), count + 1)[: len(x)]
    for side in (-1, 1):
        across = side * (half - fold)
        points = np.array([
            np.column_stack((x, across, np.full(len(x), z)))
            for z in (floor + 0.12, top - 0.1)
        ])  # fmt: skip
        add_sheet(builder, points, look, (0, side, 0), shade=np.tile(1.0 - 5.0 * fold, 2))
        for z in (floor, top - 0.1):
            add_panel(builder, (rear, front), side * (half + 0.01), (z, z + 0.12), look)
    for y in (-0.8, -0.3, 0.3, 0.8):
        builder.tube((rear, y * half, floor + 0.05), (rear, y * half, top - 0.05), 0.025, STEEL)
        builder.box((rear - 0.05, y * half - 0.15, floor + 1.0),
                    (rear, y * half + 0.05, floor + 1.05), STEEL)  # fmt: skip
    builder.box((rear + 0.02, -0.01, floor), (rear + 0.05, 0.01, top), UNDERBODY)
    _add_signs(builder, Deck(rear + 0.4, front, deck.width - 0.06, floor, deck.livery),
               (floor + 1.2, top - 0.2), rng)  # fmt: skip


def add_tank(builder: Builder, deck: Deck, look: Look, rng: np.random.Generator) -> None:
    """Add a tank that lies along the lorry, for liquids, or for powder with hoppers below."""
    rear, front, width, floor = deck.rear, deck.front, deck.width, deck.height
    radius = 0.48 * width
    middle = floor + 0.1 + radius
    shiny = CHROME if rng.random() < 0.4 else Look(look.colour, 0.6)
    holds_powder = rng.random() < 0.5
    cone = float(rng.uniform(1.0, 2.2)) if holds_powder else 0.1
    start, end = rear + 0.5 + 0.6 * cone, front - 0.4 - cone
    builder.tube((start, 0, middle), (end, 0, middle), radius, shiny, sides=24)
    for x, tip in ((start, rear + 0.4), (end, front - 0.4)):
        if holds_powder:
            builder.tube((tip, 0, middle + 0.35), (x, 0, middle), (0.45 * radius, radius), shiny,
                         sides=24)  # fmt: skip
        else:
            builder.ball((x, 0, middle), (0.4, radius, radius), shiny, sides=20, rings=8,
                         wrapped=False)  # fmt: skip
    if holds_powder:
        for x in np.linspace(start + 1.0, end - 1.0, 3):
            builder.tube((x, 0, middle), (x, 0, 0.6), (radius, 0.25), shiny, sides=14)
    low = (start, -0.3, middle + radius - 0.05)
    builder.box(low, (end, 0.3, middle + radius + 0.08), STEEL)
    for x in np.linspace(start + 0.2, end - 0.2, 5):
        builder.tube((x - 0.03, 0, middle), (x + 0.03, 0, middle), radius + 0.015, STEEL, sides=24)
    low = (rear + 0.1, -0.45 * width, floor - 0.1)
    builder.box(low, (rear + 0.2, 0.45 * width, floor + 0.3), STRIPE)
    for side in (-1, 1):
        if rng.random() < 0.6:  # Hoses lie in tubes beside it.
            y, z = side * (deck.half - 0.14), floor + float(rng.uniform(-0.1, 0.1))
            look_of_tube = PLASTIC if rng.random() < 0.6 else STEEL
            for up in range(int(rng.integers(1, 3))):
                builder.tube((rear + 0.8, y, z + 0.26 * up), (front - 2.5, y, z + 0.26 * up), 0.12,
                             look_of_tube)  # fmt: skip
        if rng.random() < 0.7:
            _write_on_tank(builder, deck, (start, end), (middle, radius + 0.02), side, rng)
    ladder = rear + 0.3
    for y in (0.12, 0.5):
        builder.tube((ladder, y, floor + 0.1), (ladder, y, middle + radius), 0.025, STEEL, sides=5)
    for z in np.arange(floor + 0.2, middle + radius, 0.3).tolist():
        builder.box((ladder - 0.02, 0.12, z), (ladder + 0.02, 0.5, z + 0.03), STEEL)


def _write_on_tank(
    builder: Builder, deck: Deck, x: tuple[float, float], around: tuple[float, float], side: int,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Bend a sign around the side of a tank of some height of its middle and radius."""
    middle, radius = around
    long = (x[1] - x[0]) * float(rng.uniform(0.4, 0.9))
    left = float(rng.uniform(x[0], x[1] - long))
    low = float(rng.uniform(-20.0, 20.0))
    angles = np.radians(np.linspace(low, low + float(rng.uniform(25.0, 50.0)), 6))
    lower_left, _, upper_right, _ = deck.livery.sign(int(rng.integers(SIGNS)))
    places = np.array([left, left + long])
    points = np.stack(np.broadcast_arrays(
        places[None], side * radius * np.cos(angles)[:, None],
        middle + radius * np.sin(angles)[:, None]), -1)  # fmt: skip
    # From outside x runs to the right on the right hand side of the lorry only.
    across = np.array([lower_left[0], upper_right[0]])[:: 1 if side < 0 else -1]
    down = np.linspace(lower_left[1], upper_right[1], len(angles))
    uv = np.stack(np.broadcast_arrays(across[None], down[:, None]), -1)
    add_sheet(builder, points, WHITE, (0, side, 0), uv=uv)


def add_flatbed(builder: Builder, deck: Deck, look: Look, rng: np.random.Generator) -> None:
    """Add an open platform, with walls or without, and some goods; or a crane behind the cab."""
    rear, front, half, floor = deck.rear, deck.front, deck.half, deck.height
    wall = float(rng.uniform(0.0, 0.8))
    builder.box((rear, -half, floor), (front, half, floor + 0.15), look)
    builder.box((front - 0.1, -half, floor), (front, half, floor + 1.3), STEEL)
    if wall > 0.2:
        add_walls(builder, deck, 0.15 + wall, (look, ALUMINIUM, STEEL)[int(rng.integers(3))])
    if rng.random() < 0.3:
        top: Vector3 = (front - 0.4, 0.3, floor + 2.2)
        arm = Look((0.6, 0.3, 0.03), 0.3) if rng.random() < 0.5 else Look((0.5, 0.03, 0.02), 0.3)
        builder.box((front - 0.6, -0.25, floor), (front - 0.15, 0.25, floor + 2.1), arm)
        builder.tube(top, (front - 0.4 - 0.4 * (front - rear), 0.3, floor + 1.9), 0.12, arm)
        builder.tube(top, (front - 0.4, -0.9, floor + 0.6), 0.1, arm)
    _add_goods(builder, deck, 1.3, rng)


def _add_goods(builder: Builder, deck: Deck, high: float, rng: np.random.Generator) -> None:
    rear, front, floor = deck.rear, deck.front, deck.height
    for _ in range(int(rng.integers(0, 6))):
        x = float(rng.uniform(rear + 0.8, max(front - 1.0, rear + 0.9)))
        sx, sy, sz = rng.uniform(0.3, [0.9, 0.9, max(high, 0.4)])
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
    for y in np.linspace(-0.9, 0.9, int(rng.integers(2, 6))).tolist():
        builder.box((rear - 0.03, y * half - 0.05, floor + 0.1),
                    (rear + 0.1, y * half + 0.05, top), look)  # fmt: skip
    builder.ball(((rear + front) / 2, 0, top - 0.1), ((front - rear) * 0.42, half * 0.85, 0.4),
                 Look((0.2, 0.16, 0.11)), sides=10, rings=6, wrapped=False)  # fmt: skip


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


def add_refuse(builder: Builder, deck: Deck, look: Look, rng: np.random.Generator) -> None:
    """Add the body of a refuse lorry, whose lower end behind is open."""
    rear, front, half, floor = deck.rear, deck.front, deck.half, deck.height
    top = float(rng.uniform(3.0, 3.5))
    mouth = floor + float(rng.uniform(0.9, 1.4))
    outline = [(rear + 1.0, floor), (front, floor), (front, top - 0.2), (front - 0.3, top),
               (rear + 1.2, top), (rear + 0.5, top - 0.3)]  # fmt: skip
    builder.prism(outline, (-half, half), look)
    hood = [(rear, mouth), (rear + 1.1, mouth), (rear + 1.1, top - 0.1), (rear + 0.45, top - 0.3)]
    builder.prism(hood, (-half + 0.04, half - 0.04), look)
    for side in (-1, 1):
        low, high = sorted((side * (half - 0.04), side * (half - 0.16)))
        builder.prism([(rear + 0.1, floor - 0.35), (rear + 1.1, floor - 0.35), (rear + 1.1, mouth),
                       (rear, mouth)], (low, high), look)  # fmt: skip
        builder.box((rear - 0.02, side * 0.8 * half - 0.08, top - 0.5),
                    (rear + 0.4, side * 0.8 * half + 0.08, top - 0.32), INDICATOR)  # fmt: skip
        builder.box((rear - 0.35, side * 0.75 * half - 0.2, 0.45),
                    (rear, side * 0.75 * half + 0.2, 0.5), STEEL)  # fmt: skip
    builder.box(
        (rear + 0.2, -half + 0.1, floor - 0.4), (rear + 1.1, half - 0.1, floor + 0.1), STEEL
    )
    builder.box((rear + 0.7, -half + 0.1, floor), (rear + 1.1, half - 0.1, mouth), UNDERBODY)
    _add_signs(builder, Deck(rear + 1.3, front, deck.width, floor, deck.livery),
               (floor + 0.4, top - 0.4), rng)  # fmt: skip
    add_sign(builder, (rear - 0.01, 1), (-half + 0.2, half - 0.2), (mouth, mouth + 0.25),
             deck.livery, STRIPES[0])  # fmt: skip
