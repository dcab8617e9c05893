"""What stands along streets besides plants and houses: lamps, signs, lights, fences, bins."""

from __future__ import annotations

import numpy as np

from smoke_ros.synth.meshes.shapes import (
    CHROME,
    GALVANISED,
    GLASS,
    HEADLIGHT,
    PAINT,
    PLASTIC,
    PLATE,
    RUBBER,
    STEEL,
    TAILLIGHT,
    Builder,
    Look,
)
from smoke_ros.synth.meshes.textures import brick, fence_pattern
from smoke_ros.synth.meshes.wheels import add_wheel
from smoke_ros.synth.scene import Mesh

WOOD = Look((0.2, 0.14, 0.09))
SIGN_RED, SIGN_WHITE = Look((0.5, 0.02, 0.02), 0.3), Look((0.75, 0.75, 0.75), 0.3)
SIGN_BLUE, SIGN_YELLOW = Look((0.02, 0.09, 0.4), 0.3), Look((0.7, 0.5, 0.02), 0.3)
WHITE = Look((1.0, 1.0, 1.0), 0.05, paint=1.0)
POLE_M = 0.035
#: Length of a piece of fence along x.
FENCE_M = 2.5


def make_lamp(name: str, rng: np.random.Generator) -> Mesh:
    """Make a street lamp whose arm points to +x; it stands on the origin."""
    builder = Builder(name, is_grounded=False)
    height, arm = float(rng.uniform(4.0, 9.0)), float(rng.uniform(0.0, 2.2))
    look = GALVANISED if rng.random() < 0.6 else PLASTIC
    builder.tube((0, 0, 0), (0, 0, height), (0.09, 0.05), look, sides=8)
    builder.tube((0, 0, 0), (0, 0, 0.9), 0.11, look, sides=8)
    if arm > 0.6:
        builder.tube((0, 0, height), (arm, 0, height + 0.25), 0.04, look, sides=6)
        builder.box((arm - 0.1, -0.12, height + 0.18), (arm + 0.5, 0.12, height + 0.3), look)
    else:
        builder.ball((0, 0, height + 0.2), (0.25, 0.25, 0.25), HEADLIGHT)
    return builder.build()


def make_mast(name: str, rng: np.random.Generator) -> Mesh:
    """Make a wooden mast or a thin post."""
    builder = Builder(name, is_grounded=False)
    height = float(rng.uniform(2.0, 8.5))
    builder.tube((0, 0, 0), (0, 0, height), (0.11, 0.08) if height > 4 else 0.05,
                 WOOD if height > 4 else GALVANISED)  # fmt: skip
    if height > 4:
        builder.box((-0.05, -0.8, height - 0.5), (0.05, 0.8, height - 0.4), WOOD)
    return builder.build()


def make_sign(name: str, rng: np.random.Generator) -> Mesh:
    """Make a road sign that faces -x."""
    builder = Builder(name, is_grounded=False)
    height = float(rng.uniform(2.2, 3.1))
    builder.tube((0, 0, 0), (0, 0, height), POLE_M, GALVANISED, sides=6)
    kind = rng.choice(['round', 'triangle', 'square', 'arrow', 'board'])
    size = float(rng.uniform(0.28, 0.38))
    middle = height - 0.35
    outer, inner = SIGN_RED, SIGN_WHITE
    if kind in ('square', 'arrow') or rng.random() < 0.25:
        outer, inner = SIGN_WHITE, SIGN_BLUE if rng.random() < 0.6 else SIGN_YELLOW
    corners = {'round': 14, 'triangle': 3, 'square': 4, 'arrow': 4, 'board': 4}[str(kind)]
    wide, tall = {'arrow': (2.2, 0.6), 'board': (2.6, 1.5)}.get(str(kind), (1.0, 1.0))
    add_plate(builder, middle, (wide * size, tall * size), corners, (outer, inner, PLASTIC))
    return builder.build()


def add_plate(
    builder: Builder, middle: float, size: tuple[float, float], corners: int,
    looks: tuple[Look, Look, Look],
) -> None:  # fmt: skip
    """Add a sign's plate that faces -x, whose back is bare metal.

    Parameters
    ----------
    builder
        What it is added to.
    middle
        Its height above the ground, metres.
    size
        Half its width and height between corners, metres.
    corners
        3 for a triangle, 4 for a square; from a dozen on it is round.
    looks
        Of its rim, its face, and what is written on it.
    """
    start = np.pi / 4 if corners == 4 else np.pi / 2
    angles = start + np.arange(corners) * 2 * np.pi / corners
    wide, tall = size
    for x, part, look in zip((-0.05, -0.056, -0.06), (1.0, 0.8, 0.3), looks, strict=True):
        ring = np.column_stack((np.full(corners, x), -wide * part * np.cos(angles),
                                middle + tall * part * np.sin(angles)))  # fmt: skip
        fan = [[0, i, i + 1] for i in range(1, corners - 1)]
        builder.add(ring, fan, look)
        if part == 1.0:
            builder.add(np.add(ring, (0.01, 0, 0)), np.array(fan)[:, ::-1], GALVANISED)


def make_traffic_light(name: str, rng: np.random.Generator) -> Mesh:
    """Make a traffic light that faces -x."""
    builder = Builder(name, is_grounded=False)
    height = float(rng.uniform(2.8, 3.4))
    builder.tube((0, 0, 0), (0, 0, height), 0.06, GALVANISED)
    lit = int(rng.integers(3))
    colours = ((0.9, 0.05, 0.03), (0.9, 0.5, 0.03), (0.05, 0.8, 0.3))
    builder.box((-0.24, -0.16, height - 0.95), (-0.06, 0.16, height), PLASTIC)
    for row in range(3):
        r, g, b = colours[row]
        # A lamp that is on is brighter than anything that only reflects.
        bright = 3.0 if row == lit else 0.06
        look = Look((r * bright, g * bright, b * bright), 0.3)
        z = height - 0.18 - 0.3 * row
        builder.tube((-0.24, 0, z), (-0.25, 0, z), 0.1, look, sides=10)
        builder.box((-0.36, -0.11, z + 0.1), (-0.24, 0.11, z + 0.12), PLASTIC)
    return builder.build()


def make_guard_rail(name: str) -> list[Mesh]:
    """Make a piece of a guard rail along x."""
    builder = Builder(name, is_grounded=False)
    half = FENCE_M / 2
    builder.box((-half, -0.05, 0.45), (half, -0.01, 0.6), GALVANISED)
    builder.box((-half, -0.05, 0.64), (half, -0.01, 0.77), GALVANISED)
    builder.box((-half, -0.02, 0.58), (half, 0.0, 0.66), GALVANISED)
    builder.box((-0.05, 0.0, 0.0), (0.05, 0.1, 0.75), GALVANISED)
    return [builder.build()]


def make_fence(name: str, rng: np.random.Generator) -> list[Mesh]:
    """Make a piece of a fence of pickets or wire along x."""
    height = float(rng.uniform(0.9, 1.5))
    half = FENCE_M / 2
    posts = Builder(f'{name}_posts', is_grounded=False)
    look = WOOD if rng.random() < 0.5 else GALVANISED
    posts.box((-0.04, -0.04, 0), (0.04, 0.04, height), look)
    posts.box((-half, -0.02, height - 0.12), (half, 0.02, height - 0.06), look)
    panel = Builder(name, is_grounded=False)
    shade = float(rng.uniform(0.05, 0.6))
    corners = [(-half, 0, 0.08), (half, 0, 0.08), (half, 0, height), (-half, 0, height)]
    panel.quad(corners, Look((shade, shade, 0.95 * shade), paint=1.0),
               [(0, 1), (2, 1), (2, 0), (0, 0)])  # fmt: skip
    return [posts.build(), panel.build(fence_pattern(rng))]


def make_wall(name: str, rng: np.random.Generator) -> list[Mesh]:
    """Make a piece of a garden wall along x."""
    builder = Builder(name, is_grounded=False)
    height, half = float(rng.uniform(0.5, 1.8)), FENCE_M / 2
    for y, order in ((-0.12, 1), (0.12, -1)):
        corners = np.array([(-half, y, 0), (half, y, 0), (half, y, height), (-half, y, height)])
        uv = np.array(
            [(0, height / 1.5), (FENCE_M / 1.5, height / 1.5), (FENCE_M / 1.5, 0), (0, 0)]
        )
        builder.quad(corners[::order], WHITE, uv[::order])
    top = [
        (-half, -0.15, height),
        (half, -0.15, height),
        (half, 0.15, height),
        (-half, 0.15, height),
    ]
    builder.quad(top, WHITE, np.full((4, 2), 0.5))
    return [builder.build(brick(rng))]


def make_bin(name: str, rng: np.random.Generator) -> Mesh:
    """Make a rubbish bin on wheels."""
    builder = Builder(name)
    look = Look(((0.03, 0.05, 0.02), (0.02, 0.04, 0.2), (0.04, 0.04, 0.04), (0.3, 0.25, 0.02))[
        int(rng.integers(4))], 0.3)  # fmt: skip
    size = float(rng.uniform(0.9, 1.2))
    builder.box((-0.32, -0.28, 0.05), (0.32, 0.28, size), look, top=1.12)
    builder.box((-0.4, -0.34, size), (0.4, 0.34, size + 0.06), look)
    return builder.build()


def make_bollard(name: str, rng: np.random.Generator) -> Mesh:
    """Make a bollard."""
    builder = Builder(name)
    height = float(rng.uniform(0.7, 1.1))
    builder.tube((0, 0, 0), (0, 0, height), 0.07, PLASTIC)
    builder.tube((0, 0, 0.75 * height), (0, 0, 0.9 * height), 0.075, SIGN_WHITE)
    return builder.build()


def make_delineator(name: str, rng: np.random.Generator) -> Mesh:
    """Make a marker post that stands beside country roads: white, with a dark band."""
    builder = Builder(name, is_grounded=False)
    height = float(rng.uniform(0.9, 1.1))
    builder.box((-0.04, -0.07, 0), (0.04, 0.07, 0.72 * height), SIGN_WHITE)
    builder.box((-0.04, -0.07, 0.72 * height), (0.04, 0.07, 0.92 * height), PLASTIC)
    builder.box((-0.04, -0.07, 0.92 * height), (0.04, 0.07, height), SIGN_WHITE, top=0.6)
    builder.box((-0.045, -0.025, 0.76 * height), (0.045, 0.025, 0.88 * height),
                SIGN_YELLOW if rng.random() < 0.5 else SIGN_WHITE)  # fmt: skip
    return builder.build()


def make_litter_bin(name: str, rng: np.random.Generator) -> Mesh:
    """Make a small bin on a post."""
    builder = Builder(name)
    look = draw_paint(rng)
    height, half = float(rng.uniform(0.85, 1.15)), float(rng.uniform(0.17, 0.26))
    builder.tube((0, 0, 0), (0, 0, height), POLE_M, GALVANISED, sides=6)
    if rng.random() < 0.5:
        builder.box((-half, -half, 0.4), (half, half, height), look)
    else:
        builder.tube((0, 0, 0.35), (0, 0, height), half, look, sides=12)
    builder.box((-half, -half, height), (half, half, height + 0.04), PLASTIC)
    return builder.build()


def make_cabinet(name: str, rng: np.random.Generator) -> Mesh:
    """Make a cabinet for cables or letters, as high as a child to as high as an adult."""
    builder = Builder(name)
    width, deep = float(rng.uniform(0.3, 1.4)), float(rng.uniform(0.25, 0.5))
    height = float(rng.uniform(0.9, 1.6))
    builder.box((-width / 2, -deep / 2, 0), (width / 2, deep / 2, 0.1), PLASTIC)
    builder.box((-width / 2, -deep / 2, 0.1), (width / 2, deep / 2, height), draw_paint(rng))
    builder.box((-width / 2 - 0.03, -deep / 2 - 0.03, height),
                (width / 2 + 0.03, deep / 2 + 0.03, height + 0.05), GALVANISED)  # fmt: skip
    return builder.build()


def make_pillar(name: str, rng: np.random.Generator) -> Mesh:
    """Make a machine or a pillar as slim as a person: for tickets, parking, advertising."""
    builder = Builder(name)
    height, radius = float(rng.uniform(1.2, 2.6)), float(rng.uniform(0.12, 0.55))
    look = draw_paint(rng)
    if rng.random() < 0.5:
        builder.tube((0, 0, 0), (0, 0, height), radius, look, sides=14)
        builder.ball((0, 0, height), (1.1 * radius, 1.1 * radius, 0.15), PLASTIC)
    else:
        radius = min(radius, 0.3)
        builder.tube((0, 0, 0), (0, 0, 0.4 * height), 0.6 * radius, GALVANISED)
        builder.box((-radius, -0.7 * radius, 0.4 * height), (radius, 0.7 * radius, height), look)
        builder.box((-0.7 * radius, -0.75 * radius, 0.7 * height),
                    (0.7 * radius, -0.7 * radius, 0.85 * height), GLASS)  # fmt: skip
    return builder.build()


def draw_paint(rng: np.random.Generator) -> Look:
    """Draw the paint of street furniture: greys and greens mostly, at times any colour."""
    grey = float(rng.uniform(0.03, 0.6))
    tint = rng.normal(0.0, 0.15, 3) * (rng.random() < 0.5)
    r, g, b = np.clip(grey * (1.0 + tint) + (0.0, 0.02, 0.0), 0.01, 0.8).tolist()
    if rng.random() < 0.2:
        r, g, b = rng.uniform(0.02, 0.6, 3).tolist()
    return Look((r, g, b), 0.2)


def make_bus_stop(name: str, rng: np.random.Generator) -> Mesh:
    """Make a shelter whose open side is -y."""
    builder = Builder(name)
    half = float(rng.uniform(1.5, 2.4))
    builder.box((-half, -0.7, 2.35), (half, 0.7, 2.45), PLASTIC)
    for x in (-half + 0.05, 0.0, half - 0.05):
        builder.box((x - 0.04, 0.55, 0.0), (x + 0.04, 0.63, 2.35), GALVANISED)
    for low, high in ((-half + 0.1, -0.08), (0.08, half - 0.1)):
        builder.box((low, 0.58, 0.3), (high, 0.6, 2.2), GLASS)
    builder.box((half - 0.06, -0.5, 0.4), (half, 0.5, 2.1), SIGN_WHITE)
    builder.box((-half + 0.5, 0.1, 0.4), (half - 0.6, 0.45, 0.46), WOOD)
    return builder.build()


def make_motorcycle(name: str, rng: np.random.Generator) -> Mesh:
    """Make a parked motorcycle or scooter."""
    builder = Builder(name)
    radius = float(rng.uniform(0.24, 0.32))
    base = 0.68
    for x in (-base, base):
        for y in (0.035, -0.035):
            add_wheel(builder, (x, y, radius), radius, 0.07, STEEL, spokes=5)
    builder.ball((0.15, 0, 0.78), (0.36, 0.16, 0.16), PAINT)
    builder.ball((-0.35, 0, 0.78), (0.42, 0.14, 0.08), RUBBER)
    builder.box((-0.25, -0.16, 0.3), (0.3, 0.16, 0.62), STEEL)
    builder.tube((base, 0, radius), (0.42, 0, 1.0), 0.06, CHROME, sides=6)
    builder.tube((0.38, -0.34, 1.02), (0.38, 0.34, 1.02), 0.02, PLASTIC, sides=6)
    builder.ball((0.55, 0, 0.88), (0.08, 0.1, 0.1), HEADLIGHT, sides=8, rings=4)
    builder.box((-0.85, -0.08, 0.72), (-0.78, 0.08, 0.8), TAILLIGHT)
    builder.tube((-0.75, -0.17, 0.38), (-0.1, -0.17, 0.34), 0.05, CHROME, sides=6)
    return builder.build()


def make_trailer(name: str, rng: np.random.Generator) -> Mesh:
    """Make a car's trailer that nothing pulls: low walls on two wheels, some under canvas."""
    builder = Builder(name)
    length, width = float(rng.uniform(2.0, 3.2)), float(rng.uniform(1.2, 1.8))
    floor, wall = float(rng.uniform(0.45, 0.6)), float(rng.uniform(0.3, 0.5))
    half, rear, front = width / 2, -length / 2, length / 2
    look = GALVANISED if rng.random() < 0.6 else WOOD
    builder.box((rear, -half, floor), (front, half, floor + wall), look)
    if rng.random() < 0.6:
        top = floor + wall + float(rng.uniform(0.3, 1.2))
        shade = float(rng.uniform(0.02, 0.5))
        cover = Look((shade, shade, shade) if rng.random() < 0.5 else (0.02, 0.04, 0.2))
        builder.box((rear + 0.02, 0.02 - half, floor + wall), (front - 0.02, half - 0.02, top),
                    cover)  # fmt: skip
    builder.box((rear - 0.02, -half, floor - 0.16), (rear + 0.04, half, floor - 0.02), PLASTIC)
    builder.box((rear - 0.04, -0.26, floor - 0.14), (rear - 0.02, 0.26, floor - 0.03), PLATE)
    for side in (-1, 1):
        y = side * (half - 0.14)
        builder.box((rear - 0.05, y - 0.12, floor - 0.14), (rear, y + 0.12, floor - 0.03),
                    TAILLIGHT)  # fmt: skip
        add_wheel(builder, (-0.1, side * (half + 0.1), 0.3), 0.3, 0.16, GALVANISED, spokes=0)
        builder.tube((front, side * 0.4 * half, floor), (front + 1.1, 0, floor), 0.04, GALVANISED)
    builder.tube((front + 0.9, 0, floor + 0.1), (front + 0.9, 0, 0.08), 0.03, GALVANISED)
    builder.ball((front + 0.9, 0, 0.1), (0.1, 0.04, 0.1), RUBBER)
    return builder.build()
