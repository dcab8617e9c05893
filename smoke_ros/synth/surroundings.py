"""What stands along a street and is not labelled: buildings, trees, hedges, poles, signs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from smoke_ros.structures import Vector3
from smoke_ros.synth.actors import Actor, Footprints, Model, Motion, Rectangle
from smoke_ros.synth.street import BEHIND_M, Generator, Street

#: Along the street; what is behind the camera throws its shadow ahead.
FROM_M, TO_M = -BEHIND_M, 130.0
#: How far houses stand behind the pavements of side streets, metres.
SIDE_SETBACK_M = (0.0, 2.0)
#: Of a side street's end so much is without houses, metres.
SIDE_OPEN_M = 30.0
#: Of the rectangles that stand for a street, metres, and how far things may reach into them.
STEP_M, TOUCH_M = 5.0, 0.02


@dataclass(frozen=True)
class Props:
    """The catalogue's models that stand along streets."""

    buildings: Sequence[Model]
    trees: Sequence[Model]
    hedges: Sequence[Model]
    fences: Sequence[Model]
    poles: Sequence[Model]
    signs: Sequence[Model]


def furnish(street: Street, props: Props, rng: Generator) -> list[Actor]:
    """Return everything that stands beside a street and the streets that cross it."""
    site = Footprints()  # of streets and houses
    for _, other in street.crossings:
        _take(site, _pieces(other))
    actors: list[Actor] = []
    for side in (-1, +1):
        actors += _furnish_side(street, side, props, site, rng)
    _take(site, _pieces(street))
    for _, other in street.crossings:
        for side in (-1, +1):
            if rng.random() < 0.7 and props.buildings:
                setback = float(rng.uniform(*SIDE_SETBACK_M))
                actors += _build(other, side, setback, props.buildings, site, rng)
    return actors


def _pieces(street: Street) -> list[Rectangle]:
    """Return a street from edge to edge as rectangles, one behind another."""
    line, middle = street.centreline, (street.left + street.right) / 2
    pieces = []
    for s in np.arange(-line.behind, line.length, STEP_M).tolist():
        x, y, _, yaw = line.pose(s + STEP_M / 2, middle)
        pieces.append((x, y, yaw, STEP_M / 2, (street.left - street.right) / 2))
    return pieces


def _take(site: Footprints, rectangles: Iterable[Rectangle]) -> None:
    for rectangle in rectangles:
        site.take(rectangle)


def _clear(site: Footprints, actors: Sequence[Actor]) -> list[Actor]:
    """Return those that stand neither in a street that they do not belong to nor in a house."""
    clear = []
    for actor in actors:
        x, y, yaw, length, width = actor.base()
        if site.is_free((x, y, yaw, length - TOUCH_M, width - TOUCH_M)):
            clear.append(actor)
    return clear


def _build(
    street: Street, side: int, setback: float, models: Sequence[Model], site: Footprints,
    rng: Generator,
) -> list[Actor]:  # fmt: skip
    """Put up a row of houses where there is room."""
    houses = _clear(site, _row_of_buildings(street, side, setback, models, rng))
    _take(site, (house.base() for house in houses))
    return houses


def _furnish_side(
    street: Street, side: int, props: Props, site: Footprints, rng: Generator
) -> list[Actor]:
    kind = street.kind
    edge = street.left if side > 0 else -street.right
    setback = float(rng.uniform(*kind.setback))
    has_buildings = rng.random() < kind.buildings and bool(props.buildings)
    houses = _build(street, side, setback, props.buildings, site, rng) if has_buildings else []
    actors: list[Actor] = []
    border = edge + min(setback, 1.0) * 0.5 + 0.2
    if setback > 1.0 or not has_buildings:
        for models, share in ((props.hedges, kind.hedges), (props.fences, kind.fences)):
            if models and rng.random() < share:
                actors += _border(street, side, border, models, rng)
                break
    if kind.guard_rail and rng.random() < kind.guard_rail and props.fences:
        actors += _border(street, side, edge - 0.3, props.fences[:1], rng)
    if props.trees and rng.random() < kind.trees:
        actors += _row_of_trees(street, side, edge, setback, props.trees, rng)
    if props.trees and rng.random() < kind.woods + 0.25 * (not has_buildings):
        actors += _woods(street, side, edge + 4.0 + 14.0 * has_buildings, props.trees, rng)
    actors += _poles_and_signs(street, side, edge, props, rng)
    return [*houses, *_clear(site, actors)]


def _stand(
    street: Street, model: Model, s: float, side: int, out: float, angle: float,
    scale: Vector3 = (1.0, 1.0, 1.0), paint: Vector3 = (1.0, 1.0, 1.0),
) -> Actor:  # fmt: skip
    """Put a model `out` metres from the centreline on a side."""
    motion = Motion(street, s, side * out, angle=angle)
    return Actor(model, motion, paint=paint, scale=scale)


def _row_of_buildings(
    street: Street, side: int, setback: float, models: Sequence[Model], rng: Generator
) -> list[Actor]:
    line, out = street.centreline, (street.left if side > 0 else -street.right) + setback
    actors = []
    s = -line.behind + float(rng.uniform(0.0, 8.0))
    detached = rng.random() < 0.5
    while s < min(TO_M + street.travel_m, line.length - SIDE_OPEN_M):
        model = models[int(rng.integers(len(models)))]
        length, _, width = model.dimensions
        scale = _factors(rng, (0.8, 1.3), (0.9, 1.2), (0.8, 1.25))
        length, width = length * scale[0], width * scale[1]
        depth = out + float(rng.uniform(0.0, 1.5)) * detached
        # Inside a bend the corners of a straight front are nearer to the street than its middle.
        bend = line.pose(s + length, 0.0)[3] - line.pose(s, 0.0)[3]
        depth += max(0.0, side * bend) * length / 8
        middle = s + length / 2
        if street.is_free(middle, length / 2):
            # A building's front is its -y side: the street is there seen from the left.
            angle = 0.0 if side > 0 else math.pi
            paint = _wall_paint(rng)
            actors.append(
                _stand(street, model, middle, side, depth + width / 2, angle, scale, paint)
            )
        s += length + (float(rng.exponential(6.0)) if detached or rng.random() < 0.1 else 0.02)
        if rng.random() < 0.08:
            s += float(rng.uniform(8.0, 30.0))
    return actors


def _border(
    street: Street, side: int, out: float, models: Sequence[Model], rng: Generator
) -> list[Actor]:
    """Put pieces of a hedge or a fence end to end."""
    model = models[int(rng.integers(len(models)))]
    scale = _factors(rng, (1.0, 1.0), (0.8, 1.5), (0.7, 1.5))
    step = model.dimensions[0] * scale[0]
    shade = float(rng.uniform(0.6, 1.1))
    actors = []
    s = -8.0
    while s < 90.0 + street.travel_m:
        if street.is_free(s, step / 2 + 0.5) and rng.random() > 0.06:
            angle = 0.0 if side > 0 else math.pi
            actors.append(_stand(street, model, s, side, out, angle, scale, (shade, shade, shade)))
        s += step
    return actors


def _row_of_trees(
    street: Street, side: int, edge: float, setback: float, models: Sequence[Model], rng: Generator
) -> list[Actor]:
    gap = float(rng.uniform(*street.kind.tree_gap))
    out = edge + float(rng.uniform(-0.5, max(0.5, min(setback, 3.0))))
    model = models[int(rng.integers(len(models)))]
    actors = []
    s = FROM_M + float(rng.uniform(0.0, gap))
    while s < 110.0 + street.travel_m:
        if rng.random() < 0.3:
            model = models[int(rng.integers(len(models)))]
        if street.is_free(s, 2.0):
            actors.append(_tree(street, model, s, side, out + float(rng.normal(0.0, 0.2)), rng))
        s += gap * float(rng.uniform(0.8, 1.25))
    return actors


def _woods(
    street: Street, side: int, out: float, models: Sequence[Model], rng: Generator
) -> list[Actor]:
    actors = []
    longer = 1.0 + street.travel_m / 150.0
    for _ in range(int(rng.integers(8, 36) * longer)):
        s = float(rng.uniform(0.0, 150.0 * longer))
        distance = out + float(rng.exponential(8.0))
        model = models[int(rng.integers(len(models)))]
        if street.is_free(s, 3.0):
            actors.append(_tree(street, model, s, side, distance, rng))
    return actors


def _tree(street: Street, model: Model, s: float, side: int, out: float, rng: Generator) -> Actor:
    size = float(rng.uniform(0.6, 1.4))
    shade = rng.uniform(0.45, 1.05)
    r, g, b = (shade * rng.uniform(0.85, 1.1, 3)).tolist()
    angle = float(rng.uniform(-math.pi, math.pi))
    scale = (size, size, size * float(rng.uniform(0.85, 1.2)))
    return _stand(street, model, s, side, out, angle, scale, (r, g, b))


def _poles_and_signs(
    street: Street, side: int, edge: float, props: Props, rng: Generator
) -> list[Actor]:
    actors = []
    has_walk = any(side * walk > 0.0 for walk in street.walks)
    out = edge - float(rng.uniform(-0.5, 0.6)) if has_walk else edge + 0.5
    if props.poles and rng.random() < 0.6:
        gap = float(rng.uniform(15.0, 45.0))
        model = props.poles[int(rng.integers(len(props.poles)))]
        # Lamps reach over the street, which lies to the right of what stands on its left.
        angle = -side * math.pi / 2
        first = FROM_M + rng.uniform(0.0, gap)
        for s in np.arange(first, 110.0 + street.travel_m, gap).tolist():
            if street.is_free(s, 1.0):
                actors.append(_stand(street, model, s, side, out, angle))
    if props.signs:
        longer = 1.0 + street.travel_m / 70.0
        for _ in range(int(rng.poisson(2.8 * longer))):
            s = float(rng.uniform(4.0, 70.0 * longer))
            model = props.signs[int(rng.integers(len(props.signs)))]
            angle = (0.0 if rng.random() < 0.7 else math.pi) + float(rng.normal(0.0, 0.15))
            if street.is_free(s, 0.5):
                actors.append(_stand(street, model, s, side, out, angle, paint=_wall_paint(rng)))
    return actors


def _wall_paint(rng: Generator) -> Vector3:
    light = float(rng.uniform(0.15, 0.8))
    warm = float(rng.uniform(0.0, 0.35)) * (rng.random() < 0.6)
    return light, light * (1.0 - 0.5 * warm), light * (1.0 - warm)


def _factors(rng: Generator, *ranges: tuple[float, float]) -> Vector3:
    x, y, z = (float(rng.uniform(low, high)) for low, high in ranges)
    return x, y, z
