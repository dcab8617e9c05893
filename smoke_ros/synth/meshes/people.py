"""People on foot and on bicycles, simple bodies in poses of walking and riding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smoke_ros.structures import FloatArray, Vector3
from smoke_ros.synth.meshes.bicycles import add_bicycle
from smoke_ros.synth.meshes.shapes import Builder, Look
from smoke_ros.synth.scene import Mesh

#: Heights as parts of a body's height.
HIP, SHOULDER, NECK, KNEE = 0.52, 0.815, 0.86, 0.285
ADULT_M = 1.75
#: How many are children, and how many of all stand.
CHILDREN, STANDING = 0.06, 0.2
#: How far legs are swung in a stride, radians: KITTI's people are 0.84 m long in the mean.
STRIDE = (0.22, 0.5)
SKINS = ((0.55, 0.36, 0.27), (0.45, 0.28, 0.2), (0.24, 0.13, 0.08), (0.62, 0.43, 0.34))
HAIRS = ((0.02, 0.015, 0.01), (0.08, 0.045, 0.02), (0.3, 0.2, 0.1), (0.4, 0.4, 0.4),
         (0.65, 0.64, 0.6), (0.5, 0.36, 0.16))  # fmt: skip
SIDES = 7


@dataclass(frozen=True)
class Clothes:
    """What a body wears."""

    top: Look
    legs: Look
    shoes: Look
    skin: Look
    hair: Look
    #: Of the lower legs, which shorts and skirts leave bare.
    shins: Look
    #: Of a cap or a hat, if there is one.
    hat: Look | None = None
    skirt: bool = False
    sleeves: bool = True
    #: Whether the top reaches to the thighs.
    coat: bool = False
    long_hair: bool = False


def draw_clothes(rng: np.random.Generator) -> Clothes:
    """Draw clothes: mostly dark or plain, some bright; legs darker than tops."""
    bright = rng.random() < 0.4
    top = rng.uniform(0.02, 0.65, 3) if bright else np.full(3, rng.beta(1.0, 2.0) * 0.7)
    legs = rng.uniform(0.5, 1.5, 3) * rng.beta(1.0, 4.0) * (0.5, 0.55, 0.8)
    skin = _matt(np.array(SKINS[int(rng.integers(len(SKINS)))]))
    trousers = _matt(legs + 0.015)
    skirt = bool(rng.random() < 0.15)
    return Clothes(
        top=_matt(top + rng.uniform(0.0, 0.03, 3)),
        legs=trousers,
        shoes=_matt(np.full(3, rng.choice([0.02, 0.05, 0.5]))),
        skin=skin,
        hair=_matt(np.array(HAIRS[int(rng.integers(len(HAIRS)))])),
        shins=skin if rng.random() < (0.7 if skirt else 0.25) else trousers,
        hat=_matt(rng.uniform(0.02, 0.7, 3)) if rng.random() < 0.15 else None,
        skirt=skirt,
        sleeves=bool(rng.random() < 0.6),
        coat=bool(rng.random() < 0.15),
        long_hair=bool(rng.random() < 0.35),
    )


def make_pedestrian(name: str, rng: np.random.Generator) -> Mesh:
    """Make somebody who walks or stands."""
    builder = Builder(name)
    child = rng.random() < CHILDREN
    height = float(
        rng.uniform(1.05, 1.45) if child else np.clip(rng.normal(1.77, 0.08), 1.56, 1.97)
    )
    clothes = draw_clothes(rng)
    stride = 0.0 if rng.random() < STANDING else float(rng.uniform(*STRIDE)) * rng.choice([-1, 1])
    elbows_out = float(rng.uniform(0.02, 0.12))
    girth = float(rng.uniform(0.88, 1.25))
    unit = height / ADULT_M
    hip_z, shoulder_z = HIP * height, SHOULDER * height
    lean = 0.04 * abs(stride)
    for side in (-1, 1):
        swing = side * stride
        hip = np.array([0.0, side * 0.095 * unit * girth, hip_z])
        knee = hip + _along(swing + 0.12 * abs(stride), HIP * height - KNEE * height)
        back = swing < 0
        ankle = knee + _along(
            swing - (0.7 * abs(stride) if back else 0.05), (KNEE - 0.045) * height
        )
        _limb(builder, hip, knee, (0.095 * unit * girth, 0.065 * unit), clothes.legs)
        _limb(builder, knee, ankle, (0.066 * unit, 0.048 * unit), clothes.shins)
        _foot(builder, ankle, unit, clothes.shoes)
        shoulder = np.array([lean, side * 0.185 * unit * girth, shoulder_z])
        elbow = shoulder + _along(-0.8 * swing, 0.165 * height) + (0, side * elbows_out, 0)
        hand = elbow + _along(-0.8 * swing + 0.35, 0.15 * height)
        lower = clothes.top if clothes.sleeves else clothes.skin
        _limb(builder, shoulder, elbow, (0.055 * unit, 0.045 * unit), clothes.top)
        _limb(builder, elbow, hand, (0.045 * unit, 0.034 * unit), lower)
        builder.ball(tuple(hand - (0, 0, 0.04 * unit)), (0.045 * unit, 0.03 * unit, 0.07 * unit),
                     clothes.skin, sides=5, rings=4)  # type: ignore[arg-type]  # fmt: skip
    if clothes.skirt:
        builder.tube((0, 0, KNEE * height), (0, 0, hip_z + 0.05), (0.21 * unit, 0.14 * unit),
                     clothes.legs, sides=10)  # fmt: skip
    if clothes.coat:
        radii = (0.2 * unit * girth, 0.165 * unit * girth)
        hem, waist = (0.0, 0.0, 0.38 * height), (0.0, 0.0, hip_z + 0.03)
        builder.tube(hem, waist, radii, clothes.top, sides=10)
    _torso(builder, (0, 0, hip_z), (lean, 0, shoulder_z), unit, girth, clothes.top)
    _head(builder, (lean * 1.3, 0, NECK * height), height, clothes)
    _add_luggage(builder, height, girth, rng)
    return builder.build(one_sided=True)


def make_cyclist(name: str, rng: np.random.Generator) -> Mesh:
    """Make a bicycle with its rider."""
    builder = Builder(name)
    clothes = draw_clothes(rng)
    add_bicycle(builder, rng)
    height = float(rng.uniform(1.5, 1.78))
    unit = height / ADULT_M
    saddle = np.array([-0.22, 0.0, 0.95])
    lean = float(rng.uniform(0.2, 0.75))
    shoulder = saddle + (0.53 * height / 1.75) * np.array([np.sin(lean), 0, np.cos(lean)])
    bars = np.array([0.36, 0.0, 1.02])
    pedal = float(rng.uniform(0.0, 2.0 * np.pi))
    for side in (-1, 1):
        y = np.array([0.0, side * 0.1 * unit, 0.0])
        turn = pedal + (np.pi if side > 0 else 0.0)
        ankle = np.array([-0.02 + 0.17 * np.cos(turn), 0, 0.36 + 0.17 * np.sin(turn)]) + y
        knee = _bent(saddle + y, ankle, 0.43 * unit, 0.44 * unit)
        _limb(builder, saddle + y, knee, (0.09 * unit, 0.065 * unit), clothes.legs)
        _limb(builder, knee, ankle, (0.065 * unit, 0.045 * unit), clothes.shins)
        _foot(builder, ankle, unit, clothes.shoes)
        at = np.add(shoulder, (0.0, side * 0.18 * unit, 0.0))
        hand = np.add(bars, (0.0, side * 0.24, 0.0))
        elbow = (at + hand) / 2 + (-0.03, side * 0.06, -0.07)
        _limb(builder, at, elbow, (0.053 * unit, 0.044 * unit), clothes.top)
        _limb(builder, elbow, hand, (0.043 * unit, 0.034 * unit),
              clothes.top if clothes.sleeves else clothes.skin)  # fmt: skip
    _torso(builder, tuple(np.add(saddle, (0, 0, 0.02))), tuple(shoulder), unit, 1.0, clothes.top)
    _head(
        builder,
        tuple(np.add(shoulder, (0.06, 0, 0.08))),
        height,
        clothes,
        helmet=rng.random() < 0.4,
    )
    if rng.random() < 0.25:
        _add_luggage(builder, height, 1.0, rng, at=shoulder)
    return builder.build(one_sided=True)


def _limb(
    builder: Builder, start: FloatArray, end: FloatArray, radii: tuple[float, float], look: Look
) -> None:
    first, last = (tuple(point.tolist()) for point in (start, end))
    builder.tube(first, last, radii, look, sides=SIDES, closed=False)
    builder.ball(first, (radii[0],) * 3, look, sides=6, rings=4)


def _foot(builder: Builder, ankle: FloatArray, unit: float, look: Look) -> None:
    x, y, z = ankle.tolist()
    builder.ball((x + 0.06 * unit, y, z - 0.03 * unit), (0.14 * unit, 0.05 * unit, 0.05 * unit),
                 look, sides=6, rings=4)  # fmt: skip


def _torso(
    builder: Builder, hip: Vector3, shoulder: Vector3, unit: float, girth: float, look: Look
) -> None:
    """Add a trunk that is wider across than it is deep, from hips to neck."""
    start, end = np.array(hip) - (0, 0, 0.03 * unit), np.add(shoulder, (0, 0, 0.04 * unit))
    parts = np.array([0.0, 0.2, 0.55, 0.85, 1.0, 1.06])
    across = np.array([0.165, 0.155, 0.18, 0.2, 0.13, 0.05]) * unit * girth
    deep = np.array([0.12, 0.115, 0.125, 0.11, 0.08, 0.05]) * unit * girth
    angles = np.linspace(0.0, 2.0 * np.pi, 11)
    centres = start + parts[:, None] * (end - start)
    ring = np.stack((np.cos(angles), np.sin(angles), np.zeros(11)), -1)
    size = np.stack((deep, across, np.ones(6)), -1)
    points = centres[:, None] + ring[None] * size[:, None]
    normals = np.broadcast_to(ring, points.shape)
    i = (np.arange(5)[:, None] * 11 + np.arange(10)).reshape(-1)
    faces = np.stack((i, i + 1, i + 12, i + 11), 1)[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)
    builder.add(points.reshape(-1, 3), faces, look, normals=normals.reshape(-1, 3))


def _head(
    builder: Builder, neck: Vector3, height: float, clothes: Clothes, *, helmet: bool = False
) -> None:
    x, y, z = neck
    size = 0.065 * height**0.6 * 1.15
    middle = z + 0.07 * height
    builder.tube((x, y, z - 0.06), (x, y, z + 0.05), 0.05, clothes.skin, sides=6, closed=False)
    builder.ball((x + 0.015, y, middle), (size * 1.05, size * 0.85, 1.25 * size), clothes.skin,
                 sides=8, rings=6)  # fmt: skip
    hair = Look((0.5, 0.5, 0.5), 0.5) if helmet else clothes.hair
    wide = 1.25 if helmet else 1.07
    radii = (size * 1.05 * wide, size * 0.9 * wide, size)
    builder.ball((x - 0.02, y, middle + 0.35 * size), radii, hair, sides=8, rings=5)
    if clothes.long_hair:
        builder.ball((x - 0.045, y, middle - 0.9 * size), (0.6 * size, 0.95 * size, 1.4 * size),
                     clothes.hair, sides=8, rings=5)  # fmt: skip
    if clothes.hat is not None and not helmet:
        crown = middle + 0.55 * size
        builder.ball((x - 0.01, y, crown), (1.15 * size, size, size), clothes.hat)
        builder.ball((x + 0.04, y, crown), (1.8 * size, 1.3 * size, 0.12 * size), clothes.hat)


def _add_luggage(
    builder: Builder, height: float, girth: float, rng: np.random.Generator,
    at: FloatArray | None = None,
) -> None:  # fmt: skip
    look = _matt(rng.uniform(0.02, 0.4, 3))
    kind = rng.random()
    shoulder = 0.78 * height if at is None else at[2] - 0.1
    x = 0.0 if at is None else at[0] - 0.1
    if kind < 0.25:
        depth = 0.12 * girth
        builder.box((x - depth - 0.16, -0.14, shoulder - 0.38), (x - depth, 0.14, shoulder), look)
    elif kind < 0.6 and at is None:
        side = float(rng.choice([-1, 1]))
        y = side * 0.3 * girth
        # Carried in the hand, or hung from the shoulder.
        top = (0.36 if kind < 0.45 else 0.56) * height
        long, deep = float(rng.uniform(0.1, 0.2)), float(rng.uniform(0.2, 0.36))
        builder.box((-long, y - 0.06, top - deep), (long, y + 0.06, top), look)


def _along(angle: float, length: float) -> FloatArray:
    """Return a vector down that is swung forwards by an angle."""
    return np.array([np.sin(angle) * length, 0.0, -np.cos(angle) * length])


def _bent(hip: FloatArray, ankle: FloatArray, thigh: float, shin: float) -> FloatArray:
    """Return where the knee is, in front of the line from hip to ankle."""
    line = ankle - hip
    distance = min(float(np.linalg.norm(line)), thigh + shin - 1e-3)
    along = (thigh**2 - shin**2 + distance**2) / (2.0 * distance)
    out = np.sqrt(max(thigh**2 - along**2, 0.0))
    direction = line / np.linalg.norm(line)
    forwards = np.array([-direction[2], 0.0, direction[0]])
    if forwards[0] < 0:
        forwards = -forwards
    return np.asarray(hip + along * direction + out * forwards)


def _matt(colour: FloatArray) -> Look:
    r, g, b = np.clip(colour, 0.01, 0.8).tolist()
    return Look((r, g, b))
