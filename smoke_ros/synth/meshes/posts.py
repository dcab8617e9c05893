"""What marks a road or advertises beside it, much of it as slim and tall as a person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from smoke_ros.structures import FloatArray
from smoke_ros.synth.meshes.furniture import (
    POLE_M,
    SIGN_BLUE,
    SIGN_RED,
    SIGN_WHITE,
    SIGN_YELLOW,
    WOOD,
    add_plate,
    draw_paint,
)
from smoke_ros.synth.meshes.shapes import (
    GALVANISED,
    INDICATOR,
    PLASTIC,
    RUBBER,
    Builder,
    Look,
    quads,
)
from smoke_ros.synth.meshes.textures import Texture, poster, stripes
from smoke_ros.synth.scene import Mesh

#: What a texture colours.
BLANK = Look((1.0, 1.0, 1.0), 0.2)
CONE = Look((0.6, 0.1, 0.02), 0.3)
#: The whole texture, from the lower left corner of a square that is seen upright.
WHOLE = ((0.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 0.0))


def make_beacon(name: str, rng: np.random.Generator) -> Sequence[Mesh]:
    """Make a warning beacon of road works that faces -x: a striped plate, at times with a lamp."""
    foot = Builder(f'{name}_foot', is_grounded=False)
    low, height = float(rng.uniform(0.1, 0.3)), float(rng.uniform(0.75, 1.1))
    half = float(rng.uniform(0.11, 0.16))
    foot.box((-0.2, -0.38, 0.0), (0.2, 0.38, 0.1), RUBBER, top=0.9)
    foot.box((-0.02, -0.03, 0.1), (0.02, 0.03, low), GALVANISED)
    if rng.random() < 0.6:
        at = (0.0, 0.0, low + height + 0.12)
        foot.box((-0.05, -0.06, low + height), (0.05, 0.06, low + height + 0.05), PLASTIC)
        foot.ball(at, (0.07, 0.1, 0.1), INDICATOR if rng.random() < 0.8 else SIGN_RED)
    plate = _board(name, half, (low, low + height), (0.02, 0.02), stripes(rng))
    return [foot.build(), plate]


def make_barrier(name: str, rng: np.random.Generator) -> Sequence[Mesh]:
    """Make a striped board across a road, which faces -x."""
    legs = Builder(f'{name}_legs', is_grounded=False)
    half, height = float(rng.uniform(0.6, 1.3)), float(rng.uniform(0.8, 1.1))
    for y in (-0.8 * half, 0.8 * half):
        legs.box((-0.35, y - 0.06, 0.0), (0.35, y + 0.06, 0.08), RUBBER)
        legs.box((-0.02, y - 0.02, 0.08), (0.02, y + 0.02, height), GALVANISED)
    # The stripes run along the board.
    texture = np.ascontiguousarray(stripes(rng).swapaxes(0, 1))
    low = height - float(rng.uniform(0.14, 0.28))
    board = _board(name, half, (low, height), (0.03, 0.03), texture)
    return [legs.build(), board]


def make_low_sign(name: str, rng: np.random.Generator) -> Mesh:
    """Make a sign at the height of a person that faces -x, as on islands and at bends."""
    builder = Builder(name, is_grounded=False)
    middle, size = float(rng.uniform(0.7, 1.6)), float(rng.uniform(0.22, 0.36))
    look = (GALVANISED, SIGN_WHITE, SIGN_YELLOW)[int(rng.choice(3, p=(0.5, 0.3, 0.2)))]
    radius = POLE_M if look is GALVANISED else float(rng.uniform(0.05, 0.14))
    builder.tube((0, 0, 0), (0, 0, middle), (radius, min(radius, 0.045)), look)
    colours = (
        (SIGN_WHITE, SIGN_BLUE, SIGN_WHITE), (SIGN_RED, SIGN_WHITE, PLASTIC),
        (SIGN_RED, SIGN_RED, SIGN_WHITE), (SIGN_RED, SIGN_BLUE, SIGN_RED),
    )[int(rng.choice(4, p=(0.55, 0.2, 0.1, 0.15)))]  # fmt: skip
    corners = int(rng.choice([14, 4, 3], p=(0.7, 0.2, 0.1)))
    add_plate(builder, middle, (size, size), corners, colours)
    return builder.build()


def make_cross(name: str, rng: np.random.Generator) -> Mesh:
    """Make the cross of a level crossing, which faces -x."""
    builder = Builder(name, is_grounded=False)
    middle, reach = float(rng.uniform(1.6, 2.6)), float(rng.uniform(0.4, 0.6))
    _add_bands(builder, middle + 0.6 * reach, POLE_M, rng)
    for sign in (-1, 1):
        along = np.array([0.0, sign * 0.72, 0.7])
        for first, last, look in ((-1.0, -0.45, SIGN_RED), (-0.45, 0.45, SIGN_WHITE),
                                  (0.45, 1.0, SIGN_RED)):  # fmt: skip
            _add_bar(builder, middle, along * reach, (first, last), look)
    return builder.build()


def make_banded_post(name: str, rng: np.random.Generator) -> Mesh:
    """Make a post or a mast in bands of two colours."""
    builder = Builder(name, is_grounded=False)
    _add_bands(builder, float(rng.uniform(0.9, 3.2)), float(rng.uniform(0.03, 0.1)), rng)
    return builder.build()


def make_cone(name: str, rng: np.random.Generator) -> Mesh:
    """Make a traffic cone."""
    builder = Builder(name)
    height = float(rng.uniform(0.45, 0.95))
    wide = 0.2 * height
    builder.box((-1.6 * wide, -1.6 * wide, 0), (1.6 * wide, 1.6 * wide, 0.04), CONE)
    for low, high, look in ((0.0, 0.4, CONE), (0.4, 0.65, SIGN_WHITE), (0.65, 1.0, CONE)):
        radii = (wide * (1.15 - low), wide * (1.15 - high))
        builder.tube((0, 0, low * height), (0, 0, high * height), radii, look, sides=10)
    return builder.build()


def make_easel(name: str, rng: np.random.Generator) -> Sequence[Mesh]:
    """Make a board on legs that shops put out: two sides, each leaning against the other."""
    frame = Builder(f'{name}_frame', is_grounded=False)
    half, height = float(rng.uniform(0.25, 0.4)), float(rng.uniform(0.8, 1.3))
    foot = 0.22 * height
    look = WOOD if rng.random() < 0.4 else draw_paint(rng)
    for y in (-half, half):
        for x in (-foot, foot):
            frame.tube((x, y, 0), (0, y, height), 0.025, look, sides=4)
    low, top = 0.12 * height, 0.98 * height
    at = (foot * (1 - low / height) + 0.02, foot * (1 - top / height) + 0.02)
    return [frame.build(), _board(name, half, (low, top), at, poster(rng))]


def make_advertisement(name: str, rng: np.random.Generator) -> Sequence[Mesh]:
    """Make a poster behind glass, on the ground, on a post or on two legs."""
    frame = Builder(f'{name}_frame', is_grounded=False)
    half, tall = float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.9, 1.9))
    low = float(rng.choice([0.1, 0.5, 0.9]))
    look = draw_paint(rng)
    for y in (0.0,) if rng.random() < 0.4 else (-0.8 * half, 0.8 * half):
        frame.box((-0.05, y - 0.06, 0), (0.05, y + 0.06, low), look)
    frame.box((-0.08, -half - 0.06, low), (0.08, half + 0.06, low + tall), look)
    sheet = (low + 0.06, low + tall - 0.06)
    return [frame.build(), _board(name, half, sheet, (0.09, 0.09), poster(rng))]


def _board(
    name: str, half: float, z: tuple[float, float], x: tuple[float, float], texture: Texture
) -> Mesh:
    """Make both faces of a board across the x axis.

    Parameters
    ----------
    name
        Of the mesh.
    half
        Half its width, metres.
    z
        Heights of its foot and top.
    x
        How far each face is from x = 0 at its foot and at its top.
    texture
        What both show.
    """
    builder = Builder(name, is_grounded=False)
    (low, high), (foot, top) = z, x
    for side in (-1, 1):
        left, right = -side * half, side * half
        near, far = side * foot, side * top
        corners = [(near, left, low), (near, right, low), (far, right, high), (far, left, high)]
        builder.quad(corners, BLANK, WHOLE)
    return builder.build(texture)


def _add_bands(builder: Builder, height: float, radius: float, rng: np.random.Generator) -> None:
    """Add a pole in bands of two colours, the topmost of which is as long as it happens to be."""
    step = float(rng.uniform(0.2, 0.5))
    looks = (SIGN_RED, SIGN_WHITE) if rng.random() < 0.8 else (PLASTIC, SIGN_WHITE)
    for index, low in enumerate(np.arange(0.0, height, step).tolist()):
        top = min(low + step, height)
        builder.tube((0, 0, low), (0, 0, top), radius, looks[index % 2], sides=8)


def _add_bar(
    builder: Builder, middle: float, along: FloatArray, part: tuple[float, float], look: Look
) -> None:
    """Add a part of a flat bar through the middle of a cross."""
    across = 0.16 * np.array([0.0, -along[2], along[1]])
    corners = []
    for x in (-0.06, -0.03):
        for where, side in ((part[0], -1), (part[0], 1), (part[1], 1), (part[1], -1)):
            corners.append((x, 0.0, middle) + where * along + side * across)
    builder.add(corners, quads([[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5],
                                [2, 3, 7, 6], [3, 0, 4, 7]]), look)  # fmt: skip
