import numpy as np

from smoke_ros.synth.meshes.catalogue import Catalogue
from smoke_ros.synth.traffic import draw_vehicle_scale


def test_cars_are_as_large_as_kittis_and_vary_as_much():
    rng = np.random.default_rng(0)
    catalogue = Catalogue.built_in(np.random.default_rng(0))
    cars = [model for model in catalogue.vehicles if model.class_name == 'Car']
    sizes = []
    for _ in range(2000):
        car = cars[int(rng.integers(len(cars)))]
        x, y, z = draw_vehicle_scale(car, rng)
        length, height, width = car.dimensions
        sizes.append((x * length, z * height, y * width))
    # Length, height, width of the cars in KITTI's training set, metres.
    np.testing.assert_allclose(np.mean(sizes, axis=0), (3.88, 1.53, 1.63), rtol=0.03)
    np.testing.assert_allclose(np.std(sizes, axis=0), (0.43, 0.137, 0.102), rtol=0.17)
    # A make has one size.
    x, y, z = np.array([draw_vehicle_scale(cars[0], rng) for _ in range(500)]).T
    assert np.std(x * y * z) / 3 < 0.02
