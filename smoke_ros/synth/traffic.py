"""Who is on a street: vehicles in lanes, parked ones, people, cyclists, and things in the way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smoke_ros.random_draws import log_uniform
from smoke_ros.structures import Vector3
from smoke_ros.synth.actors import Crowd, Model, Motion
from smoke_ros.synth.street import BEHIND_M, SIDE_SPEED, Generator, Lane, Range, Street

#: Linear reflectances of car paint, and how common each is.
PAINTS: tuple[tuple[Vector3, float], ...] = (
    ((0.80, 0.80, 0.78), 0.17), ((0.015, 0.015, 0.017), 0.2), ((0.16, 0.165, 0.17), 0.15),
    ((0.42, 0.43, 0.44), 0.15), ((0.05, 0.055, 0.06), 0.08), ((0.03, 0.06, 0.20), 0.08),
    ((0.38, 0.02, 0.02), 0.06), ((0.10, 0.02, 0.02), 0.03), ((0.02, 0.10, 0.05), 0.03),
    ((0.45, 0.36, 0.25), 0.03), ((0.75, 0.55, 0.05), 0.02),
)  # fmt: skip

#: Between them, each paint has as much room as its share.
PAINT_BOUNDS = np.cumsum([share for _, share in PAINTS])

#: On length, width and height. A depth is told from a size. KITTI's boxes of cars are 3.88 m long,
#: 1.53 m high and 1.63 m wide in the mean, drawn around what a laser scanner met; the makes in its
#: pictures, and the meshes, are nearer to 4.26 x 1.51 x 1.75 m. With cars as small as the boxes a
#: network places real ones 2 to 6% too near; these are in the middle.
TYPICAL_SCALES = {'Car': (0.95, 0.975, 1.01), 'Van': (0.98, 1.0, 1.02)}

#: Standard deviations of a vehicle's size about its model's: of all of it, and of length, width
#: and height besides. Lengths and heights of the models vary as those of KITTI's cars already
#: (0.43 and 0.14 m), their widths less (0.08 rather than 0.10 m); and a make has one size.
COMMON_SPREAD, SPREADS = 0.008, (0.01, 0.035, 0.005)

#: How far before the camera the vehicle ahead in a queue ends.
QUEUE_GAP_M = (3.5, 10.0)

#: How far from the camera traffic is put, metres along its street.
NEAREST_M, FARTHEST_M = -9.0, 100.0
#: How long a queue is, metres.
QUEUE_M = (1.0, 45.0)
#: Standard deviation of people's and cyclists' sizes about their models'.
BODY_SPREAD = 0.03
#: How many places are tried for what would stand in something else.
TRIES = 5


@dataclass(frozen=True)
class Cast:
    """The catalogue's models by the part that they play."""

    cars: Sequence[Model]
    vans: Sequence[Model]
    large: Sequence[Model]
    people: Sequence[Model]
    cyclists: Sequence[Model]
    distractors: Sequence[Model]

    def vehicle(self, rng: Generator, large_share: float) -> Model | None:
        """Draw a vehicle, mostly a car."""
        kind = rng.random()
        if kind < large_share and self.large:
            return _pick(self.large, rng)
        if kind < large_share + 0.1 and self.vans:
            return _pick(self.vans, rng)
        return _pick(self.cars, rng) if self.cars else None


@dataclass(frozen=True)
class Density:
    """How full a street is."""

    empty: bool = False
    #: Of a truck, bus or the like close to the camera.
    large_close: bool = False
    #: Whether the camera stands in a queue.
    queue: bool = False
    #: On the mean numbers of people and cyclists.
    people: float = 1.0
    #: Of the camera's vehicle, m/s, and for how many seconds: others come from farther away.
    own_speed: float = 0.0
    duration_s: float = 0.0


def draw_paint(rng: Generator) -> Vector3:
    """Draw a paint: mostly white, black or grey, with a little variation; at times any colour."""
    if rng.random() < 0.12:
        r, g, b = (rng.random(3) ** 2 * 0.8).tolist()
        return r, g, b
    colour = PAINTS[int(np.searchsorted(PAINT_BOUNDS, rng.random() * PAINT_BOUNDS[-1]))][0]
    light = rng.normal(1.0, 0.1, 3) * rng.uniform(0.7, 1.2)
    r, g, b = np.clip(light * colour, 0.005, 0.9).tolist()
    return r, g, b


def fill_street(
    street: Street, own_lane: Lane, cast: Cast, density: Density, crowd: Crowd, rng: Generator
) -> None:
    """Put traffic on a street and on those that cross it, what matters most first."""
    if not density.empty:
        if density.large_close and cast.large:
            _add_large_close(street, own_lane, cast, crowd, rng)
        if density.queue:
            _add_queue(street, own_lane, cast, crowd, rng)
        _fill_lanes(street, own_lane, cast, density, crowd, rng)
        for _, other in street.crossings:
            _fill_crossing(other, cast, density.duration_s, crowd, rng)
        for row in street.rows:
            _fill_row(street, row.offset, row.angle, cast, crowd, rng)
        if rng.random() < 0.2:
            any(_add_odd_one(street, cast, crowd, rng) for _ in range(TRIES))
    _add_people(street, cast, density.people, crowd, rng)
    _add_cyclists(street, cast, density.people, crowd, rng)
    # Misc are vehicles too.
    distractors = [m for m in cast.distractors if not (density.empty and m.class_name)]
    _add_distractors(street, distractors, crowd, rng)


def _add_large_close(
    street: Street, own_lane: Lane, cast: Cast, crowd: Crowd, rng: Generator
) -> None:
    """Put one or two large vehicles where they fill much of the picture, often cut by its edge."""
    for _ in range(int(rng.integers(1, 3))):
        model = _pick(cast.large, rng)
        length = model.dimensions[0]
        lane = street.lanes[int(rng.integers(len(street.lanes)))]
        start = 5.0 if lane is own_lane else -3.0
        s = start + length / 2 + float(rng.exponential(8.0))
        _drive(street, lane, s, model, 0.0, crowd, rng)


def _add_queue(street: Street, own_lane: Lane, cast: Cast, crowd: Crowd, rng: Generator) -> None:
    """Let the camera's vehicle stand in a queue, perhaps beside others of it."""
    # Its own lane first, lest a wide one beside it takes the place ahead.
    for lane in sorted(street.lanes, key=lambda lane: lane is not own_lane):
        if lane is own_lane:
            s = log_uniform(rng, *QUEUE_GAP_M)
        elif lane.direction > 0 and rng.random() < 0.6:
            s = float(rng.uniform(NEAREST_M, 8.0))
        else:
            continue
        end = s + float(rng.uniform(*QUEUE_M))
        _line_up(street, lane, (s, end), 0.0, (0.8, 1.6), cast, street.kind.large, crowd, rng)


def _fill_lanes(
    street: Street, own_lane: Lane, cast: Cast, density: Density, crowd: Crowd, rng: Generator
) -> None:
    for lane in street.lanes:
        gap = log_uniform(rng, *street.kind.gap)
        speed = float(rng.uniform(*street.kind.speed))
        if lane is own_lane and density.duration_s > 0.0:
            speed = density.own_speed * float(rng.uniform(0.93, 1.1))
        faster = max(0.0, speed * lane.direction - density.own_speed)
        first = NEAREST_M - faster * density.duration_s + float(rng.exponential(gap))
        last = FARTHEST_M + street.travel_m
        if lane.direction < 0:
            last += speed * density.duration_s
        _line_up(
            street, lane, (first, last), speed, (1.5, gap), cast, street.kind.large, crowd, rng
        )


def _fill_crossing(
    other: Street, cast: Cast, duration_s: float, crowd: Crowd, rng: Generator
) -> None:
    """Let vehicles wait at the crossing, cross it, or drive on the other street."""
    for lane in other.lanes:
        gap = float(rng.uniform(4.0, 22.0))
        speed = float(rng.uniform(*SIDE_SPEED))
        first, last = -BEHIND_M + float(rng.exponential(gap)), 35.0
        if lane.direction > 0:
            first -= speed * duration_s
        else:
            last += speed * duration_s
        _line_up(other, lane, (first, last), speed, (1.0, gap), cast, 0.12, crowd, rng)


def _line_up(
    street: Street, lane: Lane, part: Range, speed: float, gap: Range, cast: Cast,
    large_share: float, crowd: Crowd, rng: Generator,
) -> None:  # fmt: skip
    """Let vehicles drive one behind another in a part of a lane.

    Between them are `gap` metres: the least, and on average so many more.
    """
    s, end = part
    while s < end and (model := cast.vehicle(rng, large_share)) is not None:
        length = model.dimensions[0]
        _drive(street, lane, s + length / 2, model, speed, crowd, rng)
        s += length + gap[0] + float(rng.exponential(gap[1]))


def _drive(
    street: Street, lane: Lane, s: float, model: Model, speed: float, crowd: Crowd, rng: Generator
) -> bool:
    d = lane.offset + float(rng.normal(0.0, 0.25))
    angle = (0.0 if lane.direction > 0 else math.pi) + float(rng.normal(0.0, 0.02))
    motion = Motion(street, s, d, speed * lane.direction, angle)
    scale = draw_vehicle_scale(model, rng)
    return crowd.add(model, motion, paint=draw_paint(rng), scale=scale, margin=0.4)


def _fill_row(
    street: Street, offset: float, angle: float, cast: Cast, crowd: Crowd, rng: Generator
) -> None:
    """Park vehicles in a row: blocks of them, close together, facing either way."""
    turned = abs(math.sin(angle))
    step = 0.0
    s = float(rng.uniform(-12.0, 0.0))
    occupied = float(rng.uniform(0.35, 0.97))
    backwards = float(rng.choice([0.02, 0.15, 0.5]))
    while s < 72.0 + street.travel_m:
        model = cast.vehicle(rng, 0.03)
        if model is None:
            return
        length, _, width = model.dimensions
        step = (length if turned < 0.5 else width / max(turned, 0.3)) + 0.1
        step += float(rng.uniform(0.3, 1.6)) * (1.0 if turned < 0.5 else 0.5)
        s += step / 2
        if length > 7.0 and turned > 0.3:
            continue
        if rng.random() < occupied and street.is_free(s, 4.0) and _off_zebra(street, s):
            facing = angle + (math.pi if rng.random() < backwards else 0.0)
            motion = Motion(
                street, s, offset + float(rng.normal(0.0, 0.12)),
                angle=facing + float(rng.normal(0.0, 0.03)),
            )  # fmt: skip
            scale = draw_vehicle_scale(model, rng)
            crowd.add(model, motion, paint=draw_paint(rng), scale=scale, margin=0.05)
        s += step / 2


def _off_zebra(street: Street, s: float) -> bool:
    return all(abs(s - zebra - 1.5) > 5.0 for zebra in street.zebras)


def _add_odd_one(street: Street, cast: Cast, crowd: Crowd, rng: Generator) -> bool:
    """Add a vehicle at any angle: one that turns, or leaves a parking place or a drive."""
    model = cast.vehicle(rng, 0.1)
    if model is None:
        return False
    s, d = float(rng.uniform(7.0, 40.0)), float(rng.uniform(street.right, street.left))
    motion = Motion(street, s, d, angle=float(rng.uniform(-math.pi, math.pi)))
    scale = draw_vehicle_scale(model, rng)
    return crowd.add(model, motion, paint=draw_paint(rng), scale=scale, margin=0.3)


def _add_people(street: Street, cast: Cast, factor: float, crowd: Crowd, rng: Generator) -> None:
    if not cast.people:
        return
    longer = 1.0 + street.travel_m / 50.0
    for _ in range(int(rng.poisson(street.kind.people * factor * longer))):
        crossing = not street.walks or rng.random() < 0.15
        s = _draw_distance(rng, 4.0, 50.0 * longer)
        if crossing and street.zebras and rng.random() < 0.7:
            s = street.zebras[0] + float(rng.uniform(0.3, 2.7))
        for _ in range(1 + int(rng.random() < 0.35) + int(rng.random() < 0.1)):
            model = _pick(cast.people, rng)
            any(
                _add_walker(
                    street, model, s + float(rng.normal(0.0, spread)), crossing, crowd, rng
                )
                for spread in range(TRIES)
            )
            s += float(rng.uniform(0.3, 0.9))


def _add_walker(
    street: Street, model: Model, s: float, crossing: bool, crowd: Crowd, rng: Generator
) -> bool:
    if crossing:
        d = float(rng.uniform(street.right, street.left))
        angle = float(rng.choice([-1, 1])) * math.pi / 2
    else:
        d = float(rng.choice(street.walks)) + float(rng.normal(0.0, 0.5))
        angle = float(rng.choice([0.0, math.pi]))
    if rng.random() < 0.2:
        angle = float(rng.uniform(-math.pi, math.pi))
    angle += float(rng.normal(0.0, 0.15))
    along, sideways = 1.3 * math.cos(angle), 1.3 * math.sin(angle)
    motion = Motion(street, s, d, along, angle, sideways)
    scale = draw_body_scale(rng)
    return crowd.add(model, motion, paint=draw_clothes(rng), scale=scale, margin=0.1)


def _add_cyclists(street: Street, cast: Cast, factor: float, crowd: Crowd, rng: Generator) -> None:
    if not cast.cyclists:
        return
    longer = 1.0 + street.travel_m / 50.0
    for _ in range(int(rng.poisson(street.kind.cyclists * factor * longer))):
        model = _pick(cast.cyclists, rng)
        any(_add_cyclist(street, model, 55.0 * longer, crowd, rng) for _ in range(TRIES))


def _add_cyclist(
    street: Street, model: Model, farthest: float, crowd: Crowd, rng: Generator
) -> bool:
    direction = int(rng.choice([-1, 1]))
    lanes = [lane for lane in street.lanes if lane.direction == direction]
    edge = max(lanes, key=lambda lane: abs(lane.offset))
    d = edge.offset - direction * (edge.width / 2 - float(rng.uniform(0.4, 1.0)))
    angle = (0.0 if direction > 0 else math.pi) + float(rng.normal(0.0, 0.06))
    if street.walks and rng.random() < 0.3:
        d = float(rng.choice(street.walks)) + float(rng.normal(0.0, 0.4))
    elif rng.random() < 0.15:
        angle, d = angle + math.pi / 2, float(rng.uniform(street.right, street.left))
    motion = Motion(
        street, _draw_distance(rng, 4.0, farthest), d, 4.5 * math.cos(angle), angle,
        4.5 * math.sin(angle),
    )  # fmt: skip
    return crowd.add(model, motion, paint=draw_clothes(rng), scale=draw_body_scale(rng))


def _add_distractors(
    street: Street, models: Sequence[Model], crowd: Crowd, rng: Generator
) -> None:
    """Add what is no vehicle, person or cyclist to a network, mostly beside the carriageway."""
    if not models:
        return
    longer = 1.0 + street.travel_m / 60.0
    for _ in range(int(rng.poisson(7.0 * longer))):
        model = _pick(models, rng)
        any(_add_distractor(street, model, 60.0 * longer, crowd, rng) for _ in range(TRIES))


def _add_distractor(
    street: Street, model: Model, farthest: float, crowd: Crowd, rng: Generator
) -> bool:
    s = _draw_distance(rng, 5.0, farthest)
    side = int(rng.choice([-1, 1]))
    edge = street.left if side > 0 else street.right
    d = edge - side * float(rng.uniform(-3.0, 1.5))
    if rng.random() < 0.08:
        d = float(rng.uniform(street.right, street.left))
    motion = Motion(street, s, d, angle=float(rng.uniform(-math.pi, math.pi)))
    labelled = bool(model.class_name)
    scale = _vary(rng, 0.04 if labelled else 0.25)
    return crowd.add(model, motion, paint=draw_clothes(rng), scale=scale, labelled=labelled)


def draw_clothes(rng: Generator) -> Vector3:
    """Draw any colour, dark ones more often."""
    grey = rng.random() ** 2 * 0.7
    r, g, b = np.clip(grey + rng.normal(0.0, 0.12, 3) * (rng.random() < 0.6), 0.01, 0.9).tolist()
    return r, g, b


def _draw_distance(rng: Generator, nearest: float, farthest: float) -> float:
    """Draw a distance, near ones more often: the far ones are hidden or small."""
    return nearest + (farthest - nearest) * float(rng.random()) ** 1.4


def draw_vehicle_scale(model: Model, rng: Generator) -> Vector3:
    """Draw factors on a vehicle's size, about those of its class."""
    length, width, height = TYPICAL_SCALES.get(model.class_name, (1.0, 1.0, 1.0))
    varied = rng.normal(1.0, COMMON_SPREAD) * rng.normal(1.0, SPREADS, 3)
    x, y, z = np.clip(varied, 0.6, 1.6).tolist()
    return x * length, y * width, z * height


def draw_body_scale(rng: Generator) -> Vector3:
    """Draw factors on the size of somebody, on foot or on a bicycle."""
    return _vary(rng, BODY_SPREAD)


def _vary(rng: Generator, spread: float) -> Vector3:
    common = rng.normal(0.0, spread)
    x, y, z = np.clip(1.0 + common + rng.normal(0.0, spread / 2, 3), 0.6, 1.6).tolist()
    return x, y, z


def _pick(models: Sequence[Model], rng: Generator) -> Model:
    return models[int(rng.integers(len(models)))]
