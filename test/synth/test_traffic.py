import math

import numpy as np
import pytest
from box_models import BoxCatalogue

from smoke_ros.config.synth import SynthConfig
from smoke_ros.synth.compose import compose, sort_models
from smoke_ros.synth.meshes.catalogue import Catalogue
from smoke_ros.synth.traffic import draw_vehicle_scale


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
            and actor.model.class_name in ('Car', 'Van', 'Truck', 'Tram')
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
            if actor.model.class_name in ('Car', 'Van', 'Truck', 'Tram')
        )
        for made in (
            compose(config, cast, props, np.random.default_rng(seed), kind='motorway')
            for seed in range(12)
        )
    ]
    # A motorway has none of its own.
    assert all(crossed) if share else not any(crossed)
