"""Bicycles, and rows of them that nobody rides."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from smoke_ros.structures import Vector3
from smoke_ros.synth.meshes.shapes import GALVANISED, PLASTIC, RUBBER, STEEL, Builder, Look
from smoke_ros.synth.rotations import about_x, about_z
from smoke_ros.synth.scene import Mesh

#: Of baskets.
WICKER = Look((0.25, 0.15, 0.07))
#: Most bicycles of a row, how far they stand apart, metres, and how far they lean, radians.
MOST_PARKED, APART_M, LEANS = 10, (0.45, 0.8), (0.05, 0.2)


def add_bicycle(builder: Builder, rng: np.random.Generator) -> None:
    """Add a bicycle that stands upright on the origin and faces +x."""
    frame = Look(tuple(rng.uniform(0.02, 0.5, 3).tolist()), 0.5)  # type: ignore[arg-type]
    radius, axle = 0.34, 0.52
    for x in (-axle, axle):
        _add_wheel(builder, (x, 0.0, radius), radius)
    head, seat, crank = (0.36, 0, 0.84), (-0.2, 0, 0.84), (-0.02, 0, 0.32)
    for start, end in (
        (crank, seat), (crank, (0.38, 0, 0.74)), (seat, head), (seat, (-axle, 0, radius)),
        (crank, (-axle, 0, radius)), ((0.35, 0, 0.95), (axle, 0, radius)),
    ):  # fmt: skip
        builder.tube(start, end, 0.02, frame, sides=5, closed=False)
    builder.tube((0.36, -0.27, 1.0), (0.36, 0.27, 1.0), 0.016, STEEL, sides=5)
    builder.box((-0.36, -0.08, 0.88), (-0.1, 0.08, 0.94), PLASTIC)
    if rng.random() < 0.5:
        builder.box(
            (-0.72, -0.16, 0.72), (-0.36, 0.16, 0.75 + 0.25 * (rng.random() < 0.5)), PLASTIC
        )
    if rng.random() < 0.3:
        builder.box(
            (0.4, -0.17, 0.8),
            (0.72, 0.17, 1.04),
            (STEEL, PLASTIC, WICKER)[int(rng.integers(3))],
            top=1.15,
        )
    builder.box((-0.78, -0.03, 0.6), (-0.75, 0.03, 0.68), Look((0.4, 0.01, 0.01), 0.6))


def _add_wheel(builder: Builder, middle: Vector3, radius: float) -> None:
    angles = np.linspace(0.0, 2.0 * np.pi, 17)
    rim = [(middle[0] + radius * np.cos(a), 0.0, middle[2] + radius * np.sin(a)) for a in angles]
    inner = 0.97 * radius
    for first, last in pairwise(rim):
        builder.tube(first, last, 0.024, RUBBER, sides=4, closed=False)
    for angle in angles[:-1:2]:
        end = (middle[0] + inner * np.cos(angle), 0.0, middle[2] + inner * np.sin(angle))
        builder.tube(middle, end, 0.004, STEEL, sides=3, closed=False)


def make_parked_bicycles(name: str, rng: np.random.Generator) -> Mesh:
    """Make a few bicycles side by side, some of them in stands: what is no cyclist."""
    builder = Builder(name)
    apart, has_stands = float(rng.uniform(*APART_M)), rng.random() < 0.6
    for place in range(int(rng.integers(1, MOST_PARKED + 1))):
        bicycle = Builder(f'{name}_{place}')
        add_bicycle(bicycle, rng)
        mesh = bicycle.build()
        lean = float(rng.uniform(*LEANS)) * float(rng.choice([-1, 1]))
        turn = float(rng.normal(0.0, 0.08)) + np.pi * float(rng.random() < 0.3)
        pose = about_z(turn) @ about_x(lean)
        shift = (float(rng.normal(0.0, 0.08)), place * apart, 0.0)
        builder.add_mesh(mesh, mesh.positions @ pose.T + shift, mesh.normals @ pose.T)
        if has_stands:
            y = place * apart + 0.1
            for x in (0.1, 0.7):
                builder.tube((x, y, 0.0), (x, y, 0.75), 0.025, GALVANISED, sides=6, closed=False)
            builder.tube((0.1, y, 0.75), (0.7, y, 0.75), 0.025, GALVANISED, sides=6)
    return builder.build(one_sided=True)
