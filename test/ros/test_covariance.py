import math

import numpy as np
import pytest

from smoke_ros.config.error_model import ErrorModel
from smoke_ros.ros.covariance import pose_covariance
from smoke_ros.structures import Box3D, CameraModel

# A heatmap pixel covers 1280 / 320 = 4 image pixels, of 1/500 of the distance each.
CAMERA = CameraModel.from_intrinsics([[500, 0, 640], [0, 500, 240], [0, 0, 1]], 1280, 480)
ERRORS = ErrorModel(
    depth_fraction=0.05, depth_floor_m=1e-3, keypoint_feat=1.0, heading_deg=10.0, tilt_deg=3.0
)


def covariance(location, errors=ERRORS):
    return pose_covariance(Box3D(location, (4.0, 1.5, 1.8), 0.3), CAMERA, 320, errors)


def test_straight_ahead_by_hand():
    found = covariance((0.0, 0.0, 20.0))
    across, along = 20.0 * 4 / 500, 0.05 * 20.0  # 0.16 m and 1 m
    tilt, heading = math.radians(3), math.radians(10)
    expected = np.diag([across**2, across**2, along**2, tilt**2, heading**2, tilt**2])
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_points_along_the_ray():
    location = np.array([15.0, 1.0, 20.0])
    position = covariance(tuple(location))[:3, :3]
    deviations, axes = np.linalg.eigh(position)
    ray = location / np.linalg.norm(location)
    assert abs(axes[:, 2] @ ray) == pytest.approx(1.0)  # the largest deviation
    assert math.sqrt(deviations[2]) == pytest.approx(0.05 * np.linalg.norm(location), rel=1e-4)
    assert deviations[0] == pytest.approx(deviations[1])
    assert position[0, 2] > 0  # to the right: too far is too far right


def test_variance_grows_with_the_distance_squared():
    near, far = covariance((0.0, 0.0, 20.0)), covariance((0.0, 0.0, 60.0))
    np.testing.assert_allclose(np.diag(far)[:3] / np.diag(near)[:3], 9.0, rtol=1e-4)


@pytest.mark.parametrize('location', [(0.0, 0.0, 0.1), (0.0, 0.0, 0.0), (-30.0, 1.0, 5.0)])
def test_never_claims_certainty(location):
    found = covariance(location, ErrorModel())
    np.testing.assert_allclose(found, found.T)
    assert np.linalg.eigvalsh(found).min() > 1e-5


def test_a_network_that_knows_how_far_off_it_is_is_believed():
    box = Box3D((0.0, 0.0, 20.0), (4.0, 1.5, 1.8), 0.3)
    found = pose_covariance(box, CAMERA, 320, ERRORS, depth_error=0.1)
    errors = np.random.default_rng(0).laplace(0.0, 0.1 * 20.0, 100_000)
    assert np.abs(errors).mean() == pytest.approx(2.0, rel=0.01)
    assert math.sqrt(found[2, 2]) == pytest.approx(errors.std(), rel=0.01)
    plain = covariance((0.0, 0.0, 20.0))
    found[2, 2] = plain[2, 2]
    np.testing.assert_allclose(found, plain)
