import math

import numpy as np
import pytest
from box_models import BoxCatalogue, BoxModel

from smoke_ros.config.synth import SynthConfig
from smoke_ros.synth.actors import rectangles_overlap
from smoke_ros.synth.compose import compose, sort_models
from smoke_ros.synth.meshes.catalogue import Catalogue
from smoke_ros.synth.meshes.people import make_cyclist, make_pedestrian
from smoke_ros.synth.traffic import draw_body_scale, draw_vehicle_scale

VEHICLES = ('Car', 'Van', 'Truck', 'Tram')


def furnished():
    """Return a catalogue in which every kind of thing beside a street has a model."""
    return BoxCatalogue(
        hedges=[BoxModel('hedge', '', (3.0, 1.3, 0.9))],
        fences=[BoxModel('fence', '', (2.0, 1.0, 0.1))],
        poles=[BoxModel('lamp', '', (0.5, 6.0, 0.5), base=(0.0, 0.0, 0.2, 0.2))],
        signs=[BoxModel('sign', '', (0.1, 2.5, 0.7), base=(0.0, 0.0, 0.1, 0.1))],
        distractors=[
            BoxModel('bin', '', (1.0, 1.0, 1.0)), BoxModel('trailer', 'Misc', (3.5, 1.2, 1.7)),
        ],
    )  # fmt: skip


def composed(seed, kind='', **config):
    cast, props = sort_models(furnished(), held_out=False)
    return compose(SynthConfig(**config), cast, props, np.random.default_rng(seed), kind=kind)


@pytest.mark.parametrize('kind', ['urban', 'residential', 'avenue'])
def test_houses_stand_outside_of_streets(kind):
    houses = aside = 0
    for seed in range(12):
        made = composed(seed, kind, crossing_share=1.0)
        street = made.own.line
        streets = [street, *(other for _, other in street.crossings)]
        assert len(streets) == 2
        for house in (prop for prop in made.props if prop.model.name == 'house'):
            houses += 1
            aside += house.motion.line is not street
            x, y, yaw, half_l, half_w = house.base()
            for along, left in [(a, b) for a in (-1, -0.5, 0, 0.5, 1) for b in (-1, 1)]:
                a, b = along * half_l, left * half_w
                wall = (x + a * math.cos(yaw) - b * math.sin(yaw),
                        y + a * math.sin(yaw) + b * math.cos(yaw))  # fmt: skip
                for each in streets:
                    s, d = each.centreline.locate(*wall)
                    is_beside = -each.centreline.behind < s < each.centreline.length
                    assert not is_beside or d < each.right + 0.05 or d > each.left - 0.05
    assert houses > 50 and aside > 20


def test_nobody_stands_in_what_stands_beside_the_street():
    counts = dict.fromkeys(('bin', 'trailer', 'person'), 0)
    for seed in range(25):
        made = composed(seed, ('urban', 'residential')[seed % 2], empty_share=0.0)
        bases = [prop.base() for prop in made.props]
        for actor in made.actors:
            x, y, _, yaw = actor.motion.pose(0.0)
            length, _, width = actor.dimensions
            footprint = x, y, yaw, length / 2, width / 2
            assert not any(rectangles_overlap(footprint, base) for base in bases)
            if actor.model.name in counts:
                counts[actor.model.name] += 1
    # Who finds no place at first looks for another one.
    assert counts['bin'] + counts['trailer'] > 25 * 6.0
    assert counts['person'] > 25 * 3.0


def test_streets_without_vehicles_have_none_of_any_kind():
    made = [composed(seed, 'urban', empty_share=1.0) for seed in range(20)]
    names = {actor.model.class_name for each in made for actor in each.actors}
    assert names == {'Pedestrian', 'Cyclist', ''}


@pytest.mark.parametrize(
    ('make', 'count', 'means', 'spreads'),
    [
        (make_pedestrian, 150, (0.80, 1.73, 0.65), (0.25, 0.14, 0.085)),
        (make_cyclist, 40, (1.77, 1.73, 0.60), (0.06, 0.075, 0.025)),
    ],
)
def test_people_are_as_large_as_kittis(make, count, means, spreads):
    rng = np.random.default_rng(0)
    sizes = []
    for seed in range(count):
        length, height, width = make('somebody', np.random.default_rng(seed)).dimensions
        x, y, z = draw_body_scale(rng)
        sizes.append((x * length, z * height, y * width))
    # Length, height, width: the reference sizes that networks start from are
    # (0.88, 1.73, 0.67) and (1.78, 1.70, 0.58).
    np.testing.assert_allclose(np.mean(sizes, axis=0), means, rtol=0.05)
    assert np.mean(sizes, axis=0)[1] == pytest.approx(means[1], abs=0.025)
    np.testing.assert_allclose(np.std(sizes, axis=0), spreads, rtol=0.3)


def test_cars_are_between_kittis_boxes_and_its_cars_and_vary_as_much():
    rng = np.random.default_rng(0)
    catalogue = Catalogue.built_in(np.random.default_rng(0))
    cars = [model for model in catalogue.vehicles if model.class_name == 'Car']
    sizes = []
    for _ in range(2000):
        car = cars[int(rng.integers(len(cars)))]
        x, y, z = draw_vehicle_scale(car, rng)
        length, height, width = car.dimensions
        sizes.append((x * length, z * height, y * width))
    # Length, height, width in metres: of the boxes of cars in KITTI's training set the mean is
    # (3.88, 1.53, 1.63), of the cars in its pictures it is nearer to (4.26, 1.51, 1.75).
    np.testing.assert_allclose(np.mean(sizes, axis=0), (4.05, 1.53, 1.70), rtol=0.02)
    # As the boxes.
    np.testing.assert_allclose(np.std(sizes, axis=0), (0.43, 0.137, 0.102), rtol=0.17)
    # A make has one size.
    x, y, z = np.array([draw_vehicle_scale(cars[0], rng) for _ in range(500)]).T
    assert np.std(x * y * z) / 3 < 0.02


@pytest.mark.parametrize('share', [0.0, 1.0])
def test_in_a_queue_something_stands_close_ahead(share):
    cast, props = sort_models(BoxCatalogue(), held_out=False)
    config = SynthConfig(queue_share=share, empty_share=0.0, large_vehicle_share=0.0)
    ahead = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        made = compose(config, cast, props, rng, kind='avenue')
        ends = [
            actor.motion.s - actor.dimensions[0] / 2
            for actor in made.actors
            if actor.motion.line is made.own.line
            and abs(actor.motion.d - made.own.d) < 1.2
            and actor.model.class_name in VEHICLES
            and actor.motion.s > 0
        ]
        ahead.append(min(ends, default=np.inf))
    is_close = (np.array(ahead) > 2.0) & (np.array(ahead) < 10.6)
    assert is_close.mean() == 1.0 if share else is_close.mean() < 0.5


@pytest.mark.parametrize('share', [0.0, 1.0])
def test_a_camera_that_turns_looks_askew_at_its_street(share):
    cast, props = sort_models(BoxCatalogue(), held_out=False)
    config = SynthConfig(turning_share=share, empty_share=0.0)
    turns = []
    for seed in range(30):
        made = compose(config, cast, props, np.random.default_rng(seed), kind='urban')
        turns.append(math.degrees(made.own.angle))
        # Nothing stands in the camera's own vehicle, whichever way that is turned.
        for actor in made.actors:
            x, y, *_ = np.subtract(actor.motion.pose(0.0), made.own.pose(0.0))
            assert math.hypot(x, y) > 0.9
    assert np.std(turns) > 20.0 if share else not np.any(turns)
    assert np.abs(turns).max() <= 60.0


@pytest.mark.parametrize('share', [0.0, 1.0])
def test_share_of_frames_with_a_side_street(share):
    cast, props = sort_models(BoxCatalogue(), held_out=False)
    config = SynthConfig(crossing_share=share, empty_share=0.0)
    crossed = [
        any(
            actor.motion.line is not made.own.line
            for actor in made.actors
            if actor.model.class_name in VEHICLES
        )
        for made in (
            compose(config, cast, props, np.random.default_rng(seed), kind='motorway')
            for seed in range(12)
        )
    ]
    # A motorway has none of its own.
    assert all(crossed) if share else not any(crossed)
