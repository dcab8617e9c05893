"""Light lorries: the cab of a delivery van, and behind it a platform, a skip, canvas or a box.

From behind they are hardly larger than a car, and are none.
"""

from __future__ import annotations

import numpy as np

from smoke_ros.synth.meshes.cargo import (
    CANVAS,
    CARGO_LOOKS,
    Deck,
    add_box,
    add_flatbed,
    add_stripes,
    add_tipper,
)
from smoke_ros.synth.meshes.shapes import (
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

LIGHT_LORRIES = ('light_flatbed', 'light_tipper', 'light_canvas', 'light_box')
TYRE_M, TYRE_WIDTH_M = 0.34, 0.22
RIM = Look((0.3, 0.3, 0.31), 0.3)
ALUMINIUM = Look((0.45, 0.45, 0.46), 0.4)
#: Foot of the windscreen above the ground, and how far it is behind the front.
WAIST_M, BONNET_M = 1.22, 0.7


def make_light_lorry(name: str, kind: str, rng: np.random.Generator) -> Mesh:
    """Make a light lorry; `kind` is one of :data:`LIGHT_LORRIES`."""
    builder = Builder(name)
    length = float(rng.uniform(5.3, 6.9))
    width = float(rng.uniform(1.95, 2.25))
    cab_height = float(rng.uniform(2.1, 2.4))
    # Some have a second row of seats.
    cab_length = float(rng.uniform(1.95, 2.25)) + 0.75 * bool(rng.random() < 0.25)
    front, rear = length / 2, -length / 2
    _add_cab(builder, front, cab_length, 0.94 * width, cab_height)
    deck = Deck(
        rear, front - cab_length - float(rng.uniform(0.04, 0.2)), width,
        float(rng.uniform(0.72, 0.95)), (cab_height - 0.1, cab_height + 0.7),
    )  # fmt: skip
    builder.box((rear + 0.1, -0.4 * width, 0.42), (front - 0.5, 0.4 * width, deck.height),
                UNDERBODY)  # fmt: skip
    looks = CANVAS if kind == 'light_canvas' else CARGO_LOOKS
    look = looks[int(rng.integers(len(looks)))]
    if kind == 'light_canvas' or rng.random() < 0.5:
        _add_walls(builder, deck, float(rng.uniform(0.3, 0.5)))
    add = {
        'flatbed': add_flatbed, 'tipper': add_tipper, 'canvas': add_box, 'box': add_box,
    }[kind.removeprefix('light_')]  # fmt: skip
    add(builder, deck, look, rng)
    if kind == 'light_canvas' and rng.random() < 0.5:
        # Open behind: the load stands in the dark.
        back = (deck.rear - 0.04,) * 2
        add_end_panel(
            builder, back, 0.44 * width, (deck.height + 0.5, deck.roof[0] - 0.12), UNDERBODY
        )
    _add_tail(builder, deck)
    if rng.random() < 0.4:
        add_stripes(builder, deck)
    for x in (front - 0.95, rear + float(rng.uniform(1.0, 1.3))):
        for side in (-1, 1):
            y = side * (0.47 * width - TYRE_WIDTH_M / 2)
            add_wheel(builder, (x, y, TYRE_M), TYRE_M, TYRE_WIDTH_M, RIM, spokes=0)
    return builder.build(one_sided=True)


def _add_cab(builder: Builder, front: float, length: float, width: float, height: float) -> None:
    half, rear = width / 2, front - length
    foot, top = front - BONNET_M, front - BONNET_M - 0.65
    outline = [(rear, 0.45), (front - 0.05, 0.28), (front, 0.55), (front - 0.06, 0.95),
               (foot, WAIST_M), (top, height - 0.05), (rear, height)]  # fmt: skip
    builder.prism(outline, (-half, half), PAINT)
    lean = (foot - top) / (height - 0.05 - WAIST_M)
    low, high = WAIST_M + 0.05, height - 0.15
    screen = tuple(foot - lean * (z - WAIST_M) + 0.012 for z in (low, high))
    add_end_panel(builder, screen, 0.9 * half, (low, high), GLASS)
    add_end_panel(builder, (front - 0.01, front + 0.012), 0.97 * half, (0.3, 0.55), PLASTIC)
    add_end_panel(builder, (front + 0.012, front - 0.03), 0.6 * half, (0.56, 0.85), PLASTIC)
    add_end_panel(builder, (front + 0.02,) * 2, 0.26, (0.4, 0.51), PLATE)
    for side in (-1, 1):
        y = side * (half + 0.006)
        _add_door_window(builder, (rear + 0.25, foot, lean), y, (low, height - 0.25))
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


def _add_walls(builder: Builder, deck: Deck, height: float) -> None:
    """Add low walls of aluminium around the deck."""
    low, high = deck.height - 0.02, deck.height + height
    half = deck.width / 2 + 0.012
    for side in (-1, 1):
        near, far = sorted((side * half, side * (half - 0.05)))
        builder.box((deck.rear - 0.012, near, low), (deck.front, far, high), ALUMINIUM)
        for x in np.linspace(deck.rear, deck.front, 4)[1:-1].tolist():
            add_panel(builder, (x - 0.03, x + 0.03), side * (half + 0.006), (low, high), STEEL)
    builder.box((deck.rear - 0.012, -half, low), (deck.rear + 0.04, half, high), ALUMINIUM)


def _add_tail(builder: Builder, deck: Deck) -> None:
    rear, half = deck.rear, deck.width / 2
    builder.box((rear, -0.9 * half, 0.4), (rear + 0.08, 0.9 * half, 0.52), STEEL)
    for side in (-1, 1):
        y = side * 0.74 * half
        builder.box((rear - 0.03, y - 0.16, 0.53), (rear + 0.05, y + 0.16, 0.68), TAILLIGHT)
    builder.box((rear - 0.02, -0.26, 0.54), (rear, 0.26, 0.65), PLATE)
