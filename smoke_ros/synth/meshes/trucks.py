"""Lorries, buses and trams: a cab, a chassis and what they carry."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from smoke_ros.synth.meshes import cargo
from smoke_ros.synth.meshes.cargo import CANVAS, CARGO_LOOKS, PAINTED_BODIES, Deck
from smoke_ros.synth.meshes.livery import draw_livery
from smoke_ros.synth.meshes.running_gear import (
    RIMS,
    Tyre,
    add_axles,
    add_side_guards,
    add_tail,
    add_tanks,
)
from smoke_ros.synth.meshes.shapes import (
    CHROME,
    GLASS,
    HEADLIGHT,
    INDICATOR,
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
from smoke_ros.synth.scene import Mesh

TYRE = Tyre(0.5, 0.32)
CHASSIS_M = 1.0
#: The floor of a trailer, which stands on its tractor's tail.
TRAILER_M = 1.22
BODIES = {
    'box': cargo.add_box, 'canvas': cargo.add_canvas, 'container': cargo.add_container,
    'tanker': cargo.add_tank, 'flatbed': cargo.add_flatbed, 'tipper': cargo.add_tipper,
    'mixer': cargo.add_mixer, 'refuse': cargo.add_refuse,
}  # fmt: skip
TRUCKS = (
    'box', 'tanker', 'flatbed', 'tipper', 'mixer', 'canvas', 'refuse', 'container',
    'semi_box', 'semi_tanker', 'semi_canvas', 'semi_container', 'semi_flatbed', 'semi_tipper',
)  # fmt: skip
#: Of cabs that are not in an instance's paint.
CAB_LOOKS = tuple(
    Look(colour, 0.6) for colour in (
        (0.45, 0.02, 0.02), (0.02, 0.06, 0.3), (0.01, 0.13, 0.1), (0.55, 0.22, 0.02),
        (0.6, 0.45, 0.03), (0.03, 0.2, 0.06), (0.7, 0.7, 0.69), (0.3, 0.31, 0.33),
    )
)  # fmt: skip


@dataclass(frozen=True)
class Cab:
    """Size and colour of a cab that stands above its front axle, metres."""

    front: float
    length: float
    #: Of its width.
    half: float
    height: float
    look: Look

    @property
    def rear(self) -> float:
        """Where it ends."""
        return self.front - self.length


def make_truck(name: str, kind: str, rng: np.random.Generator) -> Mesh:
    """Make a lorry; `kind` is one of :data:`TRUCKS`."""
    builder, livery = Builder(name), draw_livery(rng)
    is_semi, body = kind.startswith('semi'), kind.removeprefix('semi_')
    length = float(rng.uniform(12.5, 15.5) if is_semi else rng.uniform(6.8, 9.8))
    width = float(rng.uniform(2.3, 2.55))
    cab = Cab(
        front=length / 2,
        length=float(rng.uniform(1.9, 2.3) if is_semi else rng.uniform(1.7, 2.0)),
        half=0.485 * width,
        height=float(rng.uniform(3.0, 3.6) if is_semi else rng.uniform(2.6, 3.1)),
        look=PAINT if rng.random() < 0.5 else CAB_LOOKS[int(rng.integers(len(CAB_LOOKS)))],
    )
    if not is_semi and body in ('flatbed', 'tipper', 'box') and rng.random() < 0.25:
        cab = replace(cab, length=cab.length + 0.9)  # Two rows of seats.
    front, rear, half = length / 2, -length / 2, width / 2
    _add_cab(builder, cab, rng)
    looks = CANVAS if body == 'canvas' else CARGO_LOOKS
    look = looks[int(rng.integers(len(looks)))]
    if body in PAINTED_BODIES and rng.random() < 0.3:
        look = cab.look
    gap = float(rng.uniform(0.5, 1.0) if is_semi else rng.uniform(0.15, 0.5))
    floor = TRAILER_M if is_semi else CHASSIS_M
    deck = Deck(rear, cab.rear - gap, width, floor, livery)
    BODIES[body](builder, deck, look, rng)
    if is_semi:
        axles = _add_articulation(builder, cab, deck, rng)
    else:
        builder.box((rear + 0.1, -0.84 * half, 0.65), (front - 0.3, 0.84 * half, floor - 0.02),
                    UNDERBODY)  # fmt: skip
        axles = [front - 1.3, rear + float(rng.uniform(1.2, 1.8))]
        if length > 8.5:
            axles.append(axles[1] + 1.3)
        add_tanks(builder, min(cab.rear, front - 2.0) - 0.2, half, rng)
        if rng.random() < 0.7:
            add_side_guards(builder, (axles[-1] + 0.7, front - 2.2), half, rng)
    rim = RIMS[int(rng.integers(len(RIMS)))]
    add_axles(builder, axles, half, TYRE, rim, mudguards=bool(rng.random() < 0.6))
    add_tail(builder, rear, half, floor, livery, rng)
    return livery.build(builder)


def _add_articulation(
    builder: Builder, cab: Cab, deck: Deck, rng: np.random.Generator
) -> list[float]:
    """Add the tractor's tail and what is below its trailer; return where the axles are."""
    half, drive = deck.half, cab.front - float(rng.uniform(4.6, 5.1))
    end = drive - 0.75
    builder.box((end, -0.4, 0.7), (cab.rear, 0.4, 1.0), UNDERBODY)
    builder.box((drive - 0.4, -0.5, 1.0), (drive + 0.4, 0.5, deck.height - 0.02), UNDERBODY)
    for side in (-1, 1):  # The tractor's own tail lamps are seen beside the trailer.
        y = side * 0.75 * half
        builder.box((end - 0.05, y - 0.22, 0.72), (end + 0.05, y + 0.22, 0.86), TAILLIGHT)
        builder.box((end, y - 0.3, 0.5), (end + 0.02, y + 0.3, 0.95), PLASTIC)
        builder.box((drive - 2.6, side * 0.55 - 0.1, 0.15), (drive - 2.45, side * 0.55 + 0.1,
                    deck.height), STEEL)  # fmt: skip
    add_tanks(builder, cab.rear - 0.1, half, rng)
    if rng.random() < 0.5:
        builder.tube((cab.rear - 0.15, -0.7 * half, 1.0), (cab.rear - 0.15, -0.7 * half,
                     cab.height + 0.1), 0.08, CHROME)  # fmt: skip
    builder.box((deck.rear + 0.1, -0.5, deck.height - 0.35), (deck.front, 0.5, deck.height - 0.02),
                UNDERBODY)  # fmt: skip
    last = deck.rear + float(rng.uniform(1.0, 2.6))
    trailer = [last + 1.31 * index for index in range(int(rng.integers(2, 4)))]
    if drive - 3.2 > trailer[-1] + 1.0:
        add_side_guards(builder, (trailer[-1] + 0.7, drive - 2.7), half, rng)
    return [cab.front - 1.35, drive, *trailer]


def make_bus(name: str, rng: np.random.Generator, *, tram: bool = False) -> Mesh:
    """Make a bus, or a tram, which has no wheels to be seen and more glass at its ends."""
    builder, livery = Builder(name), draw_livery(rng)
    length = float(rng.uniform(14.0, 18.0) if tram else rng.uniform(10.0, 12.5))
    width = float(rng.uniform(2.3, 2.5))
    height = float(rng.uniform(3.2, 3.5) if tram else rng.uniform(2.9, 3.2))
    front, half = length / 2, width / 2
    floor = 0.3
    stripe = CARGO_LOOKS[int(rng.integers(len(CARGO_LOOKS)))]
    slope = 0.35 if tram else 0.12
    outline = [(-front, floor), (front, floor), (front, 1.2), (front - slope, height - 0.25),
               (front - slope - 0.3, height), (-front + slope * tram + 0.2, height),
               (-front + slope * tram, height - 0.2), (-front, 1.2)]  # fmt: skip
    builder.prism(outline, (-half, half), PAINT)
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
        builder.ball((front - 0.01, y, 0.72), (0.05, 0.2, 0.11), HEADLIGHT, sides=8, rings=4,
                     wrapped=False)  # fmt: skip
        builder.box((rear - 0.02, y - 0.12, 0.8), (rear + 0.05, y + 0.12, 1.25), TAILLIGHT)
    builder.box((-front - 0.02, -half + 0.1, floor), (front + 0.02, half - 0.1, 0.5), PLASTIC)
    sign_low = (front - 0.2, -0.6 * half, height - 0.36)
    builder.box(sign_low, (front - 0.06, 0.6 * half, height - 0.12), PLASTIC)
    if tram:
        builder.box((-front + 0.4, -half + 0.25, 0.0), (front - 0.4, half - 0.25, 0.4), UNDERBODY)
        builder.box((-1.0, -0.6, height), (1.0, 0.6, height + 0.25), STEEL)
        return livery.build(builder)
    for x in (front - 2.6, -front + 3.1):
        for side in (-1, 1):
            builder.box((x - 0.6, side * half - 0.02, floor), (x + 0.6, side * half + 0.012, 0.98),
                        UNDERBODY)  # fmt: skip
    add_axles(builder, [front - 2.6, -front + 3.1], half + 0.04, TYRE, RIMS[0])
    return livery.build(builder)


def _add_cab(builder: Builder, cab: Cab, rng: np.random.Generator) -> None:
    front, rear, half, height = cab.front, cab.rear, cab.half, cab.height
    outline = [(rear, 0.75), (front, 0.45), (front, 1.5), (front - 0.22, height - 0.35),
               (front - 0.5, height), (rear, height)]  # fmt: skip
    builder.prism(outline, (-half, half), cab.look)
    glass_top = min(float(rng.uniform(2.4, 2.75)), height - 0.4)
    lean = 0.22 * (glass_top - 1.55) / (height - 1.85)
    add_end_panel(
        builder, (front + 0.01, front - lean + 0.01), 0.93 * half, (1.55, glass_top), GLASS
    )
    _add_face(builder, cab, rng)
    top = min(2.4, height - 0.3)
    for side in (-1, 1):
        y = side * half
        edge = y * 1.004 + side * 0.004
        add_panel(builder, (front - 1.15, front - 0.3), edge, (1.6, top), GLASS)
        if cab.length > 2.5:
            add_panel(builder, (rear + 0.2, front - 1.35), edge, (1.6, top), GLASS)
        elif cab.length > 1.95 and rng.random() < 0.3:
            add_panel(builder, (rear + 0.15, front - 1.4), edge, (1.7, top - 0.1), GLASS)
        # Seams of the door, and its handle.
        for x in (front - 1.25, front - 0.2):
            add_panel(builder, (x - 0.012, x + 0.012), edge, (0.8, top + 0.1), UNDERBODY)
        add_panel(builder, (front - 1.18, front - 1.0), edge + side * 0.004, (1.42, 1.47), PLASTIC)
        add_panel(builder, (rear + 0.1, front - 0.35), edge, (0.62, 0.8), PLASTIC)
        low, high = sorted((side * (half + 0.015), side * (half + 0.155)))
        builder.box((front - 0.3, low, 1.8), (front - 0.12, high, 2.5), PLASTIC)
        # The arch of the front wheel.
        low, high = sorted((y * 0.8, y * 1.012))
        builder.box((front - 1.95, low, 0.5), (front - 0.7, high, 1.12), UNDERBODY)
    if rng.random() < 0.4:  # A sun visor.
        builder.box((front - 0.3, -0.9 * half, glass_top), (front + 0.05, 0.9 * half,
                    glass_top + 0.08), PLASTIC)  # fmt: skip
    if rng.random() < 0.35:  # What leads the wind over the load.
        builder.prism([(rear, height), (front - 0.7, height), (rear + 0.15, height + 0.55),
                       (rear, height + 0.6)], (-0.85 * half, 0.85 * half), cab.look)  # fmt: skip
    elif rng.random() < 0.3:
        builder.box((rear + 0.5, -0.7 * half, height), (rear + 0.7, 0.7 * half, height + 0.14),
                    INDICATOR)  # fmt: skip


def _add_face(builder: Builder, cab: Cab, rng: np.random.Generator) -> None:
    """Add grille, bumper, lamps and plate."""
    front, half = cab.front, cab.half
    grille_top, grille_half = float(rng.uniform(1.3, 1.5)), float(rng.uniform(0.55, 0.85)) * half
    dark = PLASTIC if rng.random() < 0.7 else cab.look
    add_end_panel(builder, (front + 0.01,) * 2, grille_half, (0.95, grille_top), PLASTIC)
    for z in np.linspace(1.0, grille_top - 0.05, int(rng.integers(2, 5))).tolist():
        shine = CHROME if rng.random() < 0.4 else cab.look
        add_end_panel(builder, (front + 0.015,) * 2, 0.95 * grille_half, (z, z + 0.04), shine)
    add_end_panel(builder, (front + 0.012,) * 2, 0.99 * half, (0.46, 0.66), dark)
    add_end_panel(builder, (front + 0.02,) * 2, 0.26, (0.64, 0.75), PLATE)
    lamp_z = float(rng.choice([0.66, 0.78, 0.95]))
    for side in (-1, 1):
        y = side * 0.8 * half
        builder.box((front - 0.02, y - 0.2, lamp_z), (front + 0.03, y + 0.2, lamp_z + 0.2),
                    HEADLIGHT)  # fmt: skip
        builder.box((front - 0.02, y - 0.2, lamp_z + 0.2), (front + 0.028, y + 0.2, lamp_z + 0.25),
                    INDICATOR)  # fmt: skip
