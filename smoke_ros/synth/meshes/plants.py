"""Trees, hedges and bushes: cards of leaves around a trunk or in a row.

Far away crowns have fewer and larger cards, hedges fewer pieces.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from smoke_ros.structures import FloatArray
from smoke_ros.synth.meshes.shapes import Builder, Look, grid
from smoke_ros.synth.meshes.textures import Texture, leaves
from smoke_ros.synth.scene import Mesh

BARK = Look((0.13, 0.1, 0.07))
#: Leaves take an instance's shade.
LEAF_COLOURS = ((0.16, 0.22, 0.06), (0.11, 0.18, 0.05), (0.22, 0.24, 0.07), (0.1, 0.14, 0.06),
                (0.25, 0.18, 0.06))  # fmt: skip
HEDGE_M = (3.0, 0.9, 1.3)
#: Of a crown's next coarser form: one card in so many is left, larger by this.
FEWER_CARDS, LARGER_CARDS = 2, 1.3
#: Places along a hedge's piece.
HEDGE_STEPS = 9


def draw_leaf_texture(rng: np.random.Generator) -> Texture:
    """Draw leaves that many plants may share."""
    return leaves(rng)


def make_tree(name: str, texture: Texture, rng: np.random.Generator) -> list[Mesh]:
    """Make a trunk with branches and a crown of cards; 4 to 10 m high."""
    height = float(rng.uniform(4.5, 10.0))
    conifer = rng.random() < 0.2
    crown_low = height * float(rng.uniform(0.05, 0.12) if conifer else rng.uniform(0.2, 0.4))
    radius = float(rng.uniform(0.16, 0.24) if conifer else rng.uniform(0.28, 0.42)) * height
    thick = 0.018 * height
    trunk = Builder(f'{name}_trunk', is_grounded=False)
    trunk.tube((0, 0, 0), (0, 0, crown_low * 1.3 + 0.3), (thick, 0.7 * thick), BARK, sides=7)
    middle = (crown_low + height) / 2
    for angle in rng.uniform(0, 2 * np.pi, 0 if conifer else 4):
        end = (0.6 * radius * np.cos(angle), 0.6 * radius * np.sin(angle), middle)
        trunk.tube((0, 0, crown_low), end, (0.6 * thick, 0.2 * thick), BARK, sides=5, closed=False)
    trunk.tube((0, 0, crown_low), (0, 0, height * 0.9), (0.7 * thick, 0.1 * thick), BARK, sides=5)
    crown = Builder(f'{name}_crown', is_grounded=False)
    look = Look(LEAF_COLOURS[int(rng.integers(len(LEAF_COLOURS)))], 0.06, paint=1.0)
    count = 64
    unit = rng.normal(size=(count, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    out = rng.uniform(0.35, 0.9, (count, 1))
    half = np.array([radius, radius, (height - crown_low) / 2])
    centres = np.array([0, 0, middle]) + unit * out * half
    size = 0.42 * radius * rng.uniform(0.8, 1.3, count) + 0.25
    if conifer:
        up = rng.random(count) ** 1.3
        around = rng.uniform(0, 2 * np.pi, count)
        out = (1.0 - up) * radius * rng.uniform(0.4, 0.9, count)
        centres = np.column_stack(
            (
                out * np.cos(around),
                out * np.sin(around),
                crown_low + up * 0.95 * (height - crown_low),
            )
        )
        size = 0.15 * height * (1.15 - up)
    _add_cards(crown, centres, size, np.array([0, 0, middle]), look, rng)
    return [trunk.build(one_sided=True), _with_coarse(crown.build(texture, one_sided=True), 2)]


def make_bush(name: str, texture: Texture, rng: np.random.Generator) -> list[Mesh]:
    """Make a round bush that reaches to the ground."""
    builder = Builder(name)
    look = Look(LEAF_COLOURS[int(rng.integers(len(LEAF_COLOURS)))], 0.06, paint=1.0)
    half = rng.uniform([0.6, 0.6, 0.5], [1.6, 1.3, 1.3])
    unit = rng.normal(size=(30, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    centres = unit * rng.uniform(0.3, 0.75, (30, 1)) * half + (0, 0, half[2])
    _add_cards(builder, centres, np.full(30, 0.6 * half.min()), np.array([0, 0, 0.3]), look, rng)
    return [builder.build(texture, one_sided=True)]


def make_hedge(name: str, texture: Texture, rng: np.random.Generator) -> list[Mesh]:
    """Make a piece of a hedge whose ends fit to each other, along x."""
    length, width, height = HEDGE_M
    height *= float(rng.uniform(0.8, 1.4))
    look = Look(LEAF_COLOURS[int(rng.integers(len(LEAF_COLOURS)))], 0.06, paint=1.0)
    core = Builder(f'{name}_core', is_grounded=False)
    dark = Look((0.03, 0.04, 0.012), 0.02, paint=1.0)
    core.box((-length / 2, -0.35 * width, 0), (length / 2, 0.35 * width, 0.86 * height), dark)
    steps = np.linspace(-length / 2, length / 2, HEDGE_STEPS)
    # Across it: up one side, over the top, down the other.
    section = np.array([(-0.5, 0.0), (-0.52, 0.5), (-0.47, 0.9), (-0.3, 1.0), (0.3, 1.0),
                        (0.47, 0.9), (0.52, 0.5), (0.5, 0.0)])  # fmt: skip
    bumps = 1.0 + rng.uniform(-0.12, 0.12, (HEDGE_STEPS, 8))
    bumps[-1] = bumps[0]
    points = np.stack(np.broadcast_arrays(
        steps[:, None], section[:, 0] * width * bumps, section[:, 1] * height * bumps
    ), -1)  # fmt: skip
    normals = points - (0, 0, 0.4 * height)
    normals[..., 0] = 0.0
    uv = np.stack(np.broadcast_arrays(steps[:, None] / 1.2, np.arange(8) * 0.45), -1)
    shade = 0.45 + 0.55 * section[:, 1] * np.ones((HEDGE_STEPS, 1))

    def shell(every: int) -> Builder:
        """Return the sheet of leaves with one step in so many."""
        kept = slice(None, None, every)
        return Builder(name, is_grounded=False).add(
            points[kept].reshape(-1, 3), grid(len(steps[kept]), 8), look,
            normals=normals[kept].reshape(-1, 3), uv=uv[kept].reshape(-1, 2),
            shade=shade[kept].reshape(-1),
        )  # fmt: skip

    builder = shell(1)
    along, across = rng.uniform(-1.25, 1.25, 10), rng.uniform(-0.3, 0.3, 10) * width
    centres = np.column_stack((along, across, np.full(10, 0.93 * height)))
    _add_cards(builder, centres, np.full(10, 0.25), np.array([0, 0, 0.0]), look, rng)
    coarse = replace(shell(4).build(texture), coarse=shell(8).build(texture))
    return [core.build(), replace(builder.build(texture), coarse=coarse)]


def _with_coarse(crown: Mesh, levels: int) -> Mesh:
    """Return a crown of cards with coarser forms of it."""
    if levels == 0:
        return crown
    cards = crown.positions.reshape(-1, 4, 3)[::FEWER_CARDS]
    middle = cards.mean(axis=1, keepdims=True)
    larger = middle + LARGER_CARDS * (cards - middle)
    larger[..., 2] = np.maximum(larger[..., 2], 0.0)

    def kept(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return values.reshape(-1, 4, *values.shape[1:])[::FEWER_CARDS].reshape(
            -1, *values.shape[1:]
        )

    coarse = replace(
        crown, positions=larger.reshape(-1, 3), normals=kept(crown.normals),
        colours=kept(crown.colours), paint=kept(crown.paint), gloss=kept(crown.gloss),
        uv=None if crown.uv is None else kept(crown.uv),
        triangles=crown.triangles[: 2 * len(cards)],
    )  # fmt: skip
    return replace(crown, coarse=_with_coarse(coarse, levels - 1))


def _add_cards(
    builder: Builder, centres: FloatArray, sizes: FloatArray, middle: FloatArray, look: Look,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Add squares of leaves in any direction, lit as if they were a closed crown."""
    for centre, size in zip(centres, sizes, strict=True):
        frame, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        # Their fronts face outwards: those behind the crown's middle are not drawn.
        outer = np.sign((centre - middle) @ np.cross(frame[:, 0], frame[:, 1])) or 1.0
        a, b = frame[:, 0] * size, outer * frame[:, 1] * size
        corners = np.array([centre - a - b, centre + a - b, centre + a + b, centre - a + b])
        corners[:, 2] = np.maximum(corners[:, 2], 0.0)
        normals = corners - middle + (0, 0, 0.3)
        uv = np.roll([(0, 0), (1, 0), (1, 1), (0, 1)], int(rng.integers(4)), axis=0)
        outwards = float(np.linalg.norm(centre - middle)) / (float(sizes.max()) * 2.5)
        shade = np.clip(0.45 + 0.55 * outwards, 0.4, 1.0) * rng.uniform(0.85, 1.15)
        builder.add(corners, [[0, 1, 2], [0, 2, 3]], look, normals=normals, uv=uv, shade=shade)
