"""Light lorries: the cab of a delivery van, and behind it a platform, a skip, canvas or a box.

From behind they are hardly larger than a car, and are none.
"""

from __future__ import annotations

import numpy as np

from smoke_ros.synth.meshes.cargo import (
    CANVAS,
    CARGO_LOOKS,
    PAINTED_BODIES,
    Deck,
    add_box,
    add_canvas,
    add_flatbed,
    add_tipper,
)
from smoke_ros.synth.meshes.livery import draw_livery
from smoke_ros.synth.meshes.running_gear import RIMS, Tyre, add_axles, add_tail
from smoke_ros.synth.meshes.shapes import (
    GLASS,
    HEADLIGHT,
    PAINT,
    PLASTIC,
    PLATE,
    UNDERBODY,
    Builder,
    Look,
    add_end_panel,
    add_panel,
)
from smoke_ros.synth.meshes.trucks import CAB_LOOKS
from smoke_ros.synth.scene import Mesh

LIGHT_LORRIES = ('light_flatbed', 'light_tipper', 'light_canvas', 'light_box')
TYRE = Tyre(0.34, 0.22)
#: Foot of the windscreen above the ground, and how far it is behind the front.
WAIST_M, BONNET_M = 1.22, 0.7


def make_light_lorry(name: str, kind: str, rng: np.random.Generator) -> Mesh:
    """Make a light lorry; `kind` is one of :data:`LIGHT_LORRIES`."""
    builder, livery = Builder(name), draw_livery(rng)
    length = float(rng.uniform(5.3, 6.9))
    width = float(rng.uniform(1.95, 2.25))
    cab_height = float(rng.uniform(2.1, 2.4))
    # Some have a second row of seats.
    has_crew = bool(rng.random() < 0.35)
    cab_length = float(rng.uniform(1.95, 2.25)) + 0.75 * has_crew
    front, rear = length / 2, -length / 2
    paint = PAINT if rng.random() < 0.6 else CAB_LOOKS[int(rng.integers(len(CAB_LOOKS)))]
    _add_cab(builder, front, (cab_length, 0.94 * width, cab_height), paint, has_crew)
    deck = Deck(
        rear, front - cab_length - float(rng.uniform(0.04, 0.2)), width,
        float(rng.uniform(0.72, 0.95)), livery, (cab_height - 0.1, cab_height + 0.7),
    )  # fmt: skip
    builder.box((rear + 0.1, -0.4 * width, 0.42), (front - 0.5, 0.4 * width, deck.height),
                UNDERBODY)  # fmt: skip
    looks = CANVAS if kind == 'light_canvas' else CARGO_LOOKS
    body = kind.removeprefix('light_')
    look = looks[int(rng.integers(len(looks)))]
    if body in PAINTED_BODIES and rng.random() < 0.4:
        look = paint
    add = {
        'flatbed': add_flatbed, 'tipper': add_tipper, 'canvas': add_canvas, 'box': add_box,
    }[body]  # fmt: skip
    add(builder, deck, look, rng)
    add_tail(builder, rear, deck.half, deck.height, livery, rng)
    rim = RIMS[int(rng.integers(len(RIMS)))]
    axles = (front - 0.95, rear + float(rng.uniform(1.0, 1.3)))
    add_axles(builder, axles, 0.47 * width + 0.02, TYRE, rim)
    return livery.build(builder)


def _add_cab(
    builder: Builder, front: float, size: tuple[float, float, float], paint: Look, has_crew: bool
) -> None:
    """Add a cab of some length, width and height."""
    length, width, height = size
    half, rear = width / 2, front - length
    foot, top = front - BONNET_M, front - BONNET_M - 0.65
    outline = [(rear, 0.45), (front - 0.05, 0.28), (front, 0.55), (front - 0.06, 0.95),
               (foot, WAIST_M), (top, height - 0.05), (rear, height)]  # fmt: skip
    builder.prism(outline, (-half, half), paint)
    lean = (foot - top) / (height - 0.05 - WAIST_M)
    low, high = WAIST_M + 0.05, height - 0.15
    screen = tuple(foot - lean * (z - WAIST_M) + 0.012 for z in (low, high))
    add_end_panel(builder, screen, 0.9 * half, (low, high), GLASS)
    add_end_panel(builder, (front - 0.01, front + 0.012), 0.97 * half, (0.3, 0.55), PLASTIC)
    add_end_panel(builder, (front + 0.012, front - 0.03), 0.6 * half, (0.56, 0.85), PLASTIC)
    add_end_panel(builder, (front + 0.02,) * 2, 0.26, (0.4, 0.51), PLATE)
    for side in (-1, 1):
        y = side * (half + 0.006)
        pillar = rear + 1.05 if has_crew else rear + 0.25
        _add_door_window(builder, (pillar, foot, lean), y, (low, height - 0.25))
        if has_crew:
            add_panel(builder, (rear + 0.2, pillar - 0.1), y, (low, height - 0.25), GLASS)
        add_panel(builder, (rear + 0.05, front - 0.2), y, (0.5, 0.62), PLASTIC)
        builder.box((front - 0.16, side * 0.8 * half - 0.13, 0.68),
                    (front + 0.005, side * 0.8 * half + 0.13, 0.9), HEADLIGHT)  # fmt: skip
        near, far = sorted((side * half, side * (half + 0.17)))
        builder.box((foot - 0.35, near, 1.3), (foot - 0.22, far, 1.65), PLASTIC)
        # The arch of the front wheel.
        near, far = sorted((side * 0.8 * half, side * (half + 0.01)))
        builder.box((front - 1.36, near, 0.3), (front - 0.54, far, 0.76), UNDERBODY)


def _add_door_window(
    builder: Builder, x: tuple[float, float, float], y: float, z: tuple[float, float]
) -> None:
    """Add a side window whose front edge leans back with the windscreen."""
    rear, foot, lean = x
    low, high = z
    front = [foot - lean * (each - WAIST_M) - 0.12 for each in z]
    corners = np.array([(rear, y, low), (front[0], y, low), (front[1], y, high), (rear, y, high)])
    builder.quad(corners if y < 0 else corners[::-1], GLASS)
