import dataclasses
import math

import numpy as np
import pytest
import torch
from label_network import label_model

from smoke_ros.coder import decode_location
from smoke_ros.config.detector import DetectorConfig
from smoke_ros.config.error_model import ErrorModel
from smoke_ros.config.model import ModelConfig
from smoke_ros.detector import Detector
from smoke_ros.ros.covariance import pose_covariance
from smoke_ros.structures import CameraModel, Detection3D

# A pixel of a heatmap that is 320 wide covers 1280 / 320 = 4 image pixels, of 1/500 of the
# distance each.
PIXEL = 4.0
CAMERA = CameraModel.from_intrinsics([[500, 0, 640], [0, 500, 240], [0, 0, 1]], 1280, 480)
ERRORS = ErrorModel(
    error_depth=0.05,
    error_depth_floor=1e-3,
    error_keypoint=1.0,
    error_heading=10.0,
    error_tilt=3.0,
)


def covariance(location, errors=ERRORS):
    return pose_covariance(detection(location), CAMERA, PIXEL, errors)


def detection(location, depth_error=None):
    size, box = (4.0, 1.5, 1.8), (0.0, 0.0, 1.0, 1.0)
    return Detection3D(location, size, 0.3, 'Car', 0.9, box, depth_error)


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


@pytest.mark.parametrize('correction', ['depth', 'image'])
def test_across_the_ray_it_is_what_a_pixel_of_the_heatmap_covers(correction):
    """However the image is laid into the input for the camera's focal length."""
    model, errors = ModelConfig(), dataclasses.replace(ERRORS, error_depth_floor=1e-3)
    K = np.array([[1115.4, 0.0, 640.0], [0.0, 1115.4, 360.0], [0.0, 0.0, 1.0]])
    camera = CameraModel(K, 1280, 720)
    maps = torch.zeros(1, 3, 1, 1), torch.zeros(1, 8, 1, 1)
    detector = Detector(
        label_model(*maps, model), config=DetectorConfig(focal_correction=correction)
    )
    setup = detector.camera_setup(camera)
    keypoints = np.array([[100.0, 40.0], [101.0, 40.0]])
    here, beside = decode_location(
        keypoints, np.full(2, 30.0), setup.geometry.image_from_feature, K
    )
    one = np.linalg.norm(beside - here)
    found = pose_covariance(detection((0.0, 0.0, 30.0)), camera, setup.heatmap_pixel_px, errors)
    assert math.sqrt(found[0, 0]) == pytest.approx(one, rel=1e-4)


def test_a_network_that_knows_how_far_off_it_is_is_believed():
    found = pose_covariance(detection((0.0, 0.0, 20.0), 0.1), CAMERA, PIXEL, ERRORS)
    errors = np.random.default_rng(0).laplace(0.0, 0.1 * 20.0, 100_000)
    assert np.abs(errors).mean() == pytest.approx(2.0, rel=0.01)
    assert math.sqrt(found[2, 2]) == pytest.approx(errors.std(), rel=0.01)
    plain = covariance((0.0, 0.0, 20.0))
    found[2, 2] = plain[2, 2]
    np.testing.assert_allclose(found, plain)
