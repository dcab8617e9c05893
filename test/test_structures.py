import math

import numpy as np
import pytest

from smoke_ros.structures import DIMENSION_ORDER, Box3D, CameraModel

K = np.array([[700.0, 0, 320], [0, 710, 240], [0, 0, 1]])


def test_dimensions_are_length_height_width():
    assert DIMENSION_ORDER == ('length', 'height', 'width')
    extent = np.ptp(Box3D((0, 0, 10), (4.0, 1.5, 1.8), 0.0).corners(), axis=0)
    np.testing.assert_allclose(extent, (4.0, 1.5, 1.8))  # x, y, z at rotation_y = 0


def test_a_car_that_drives_away_has_alpha_of_minus_a_right_angle():
    ahead = Box3D((0.0, 1.0, 10.0), (4.0, 1.5, 1.8), -math.pi / 2)
    assert ahead.alpha == pytest.approx(-math.pi / 2)
    front = ahead.corners()[[0, 1, 4, 5]].mean(axis=0)
    np.testing.assert_allclose(front, (0.0, 1.0, 12.0), atol=1e-12)
    aside = Box3D((10.0, 1.0, 10.0), (4.0, 1.5, 1.8), -math.pi / 2)
    assert aside.alpha == pytest.approx(-math.pi / 2 - math.pi / 4)


def test_a_plain_camera_projects_by_hand():
    camera = CameraModel.from_intrinsics(K, 640, 480)
    np.testing.assert_allclose(camera.project((1.0, -2.0, 10.0)), (390.0, 98.0))
    assert not camera.has_distortion


def test_a_projection_matrix_moves_the_point():
    P = np.hstack([K, [[45.0], [0.2], [0.003]]])
    camera = CameraModel.from_projection(P, 640, 480)
    x, y, w = P @ (1.0, -2.0, 10.0, 1.0)
    np.testing.assert_allclose(camera.project((1.0, -2.0, 10.0)), (x / w, y / w))


def test_scaling_moves_every_pixel_with_the_image():
    P = np.hstack([K, [[45.0], [0.2], [0.003]]])
    full = CameraModel.from_projection(P, 640, 480)
    half = full.scaled_to(320, 240)
    np.testing.assert_allclose(half.project((1, 2, 9)), full.project((1, 2, 9)) / 2)
    assert (half.width, half.height) == (320, 240)
    assert full.scaled_to(640, 480) is full


@pytest.mark.parametrize('size', [(155, 46), (124, 37), (78, 23), (77, 23)])
def test_the_aspect_of_a_small_image_is_rounded(size):
    # An eighth, a tenth and a sixteenth, rounded either way.
    camera = CameraModel.from_intrinsics(K, 1242, 375).scaled_to(*size)
    assert (camera.width, camera.height) == size


@pytest.mark.parametrize('size', [(124, 40), (78, 25), (4, 1), (1, 1)])
def test_a_small_image_that_was_cropped_is_refused(size):
    with pytest.raises(ValueError, match='aspect'):
        CameraModel.from_intrinsics(K, 1242, 375).scaled_to(*size)


def test_another_aspect_ratio_is_refused():
    with pytest.raises(ValueError, match=r'640x480, the image is 640x400.*aspect'):
        CameraModel.from_intrinsics(K, 640, 480).scaled_to(640, 400)


@pytest.mark.parametrize(
    ('broken', 'message'),
    [
        (np.eye(4), r'K must be \(3, 3\), got \(4, 4\)'),
        (np.diag([np.nan, 1, 1]), 'finite'),
        (np.zeros((3, 3)), r'not calibrated \(K\[0\] = 0\)'),
        (np.diag([-700.0, 700, 1]), 'focal lengths must be positive'),
        (np.diag([700.0, 700, 2]), r'last row \(0, 0, 1\)'),
        ([[700, 400, 320], [0, 700, 240], [0, 0, 1]], 'skew'),
    ],
)
def test_what_is_no_camera_is_refused(broken, message):
    with pytest.raises(ValueError, match=message):
        CameraModel.from_intrinsics(broken, 640, 480)


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'distortion_model': 'barrel', 'D': (0.1,)}, "got 'barrel'"),
        ({'distortion_model': 'plumb_bob', 'D': (0.1, 0.2)}, '4 or 5 coefficients, got 2'),
        ({'distortion_model': 'plumb_bob', 'D': (math.nan,) * 5}, 'must be finite'),
        # A fisheye without coefficients is not calibrated, rather than a pinhole.
        ({'distortion_model': 'equidistant', 'D': ()}, '4 coefficients, got 0'),
    ],
)
def test_a_distortion_that_is_none_is_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        CameraModel(K, 640, 480, **kwargs)


@pytest.mark.parametrize('offset', [(math.nan, 0.0, 0.0), (1.0, 2.0)])
def test_a_projection_that_is_none_is_refused(offset):
    with pytest.raises(ValueError, match='projection_offset must be 3 finite numbers, got'):
        CameraModel(K, 640, 480, projection_offset=offset)


def test_zero_distortion_is_no_distortion():
    camera = CameraModel(K, 640, 480, 'plumb_bob', (0.0,) * 5)
    assert not camera.has_distortion
    assert camera.key == CameraModel(K, 640, 480).key


def test_a_fisheye_without_further_distortion_is_no_pinhole():
    camera = CameraModel(K, 640, 480, 'equidistant', (0.0,) * 4)
    assert camera.has_distortion
    assert camera.key != CameraModel(K, 640, 480).key


def test_a_camera_cannot_be_changed_behind_a_caches_back():
    mine = K.copy()
    camera = CameraModel(mine, 640, 480)
    mine[0, 0] = 1.0
    assert camera.K[0, 0] == 700.0
    with pytest.raises(ValueError, match='read-only'):
        camera.K[0, 0] = 1.0


@pytest.mark.parametrize(
    ('model', 'count'),
    [('plumb_bob', 4), ('plumb_bob', 5), ('rational_polynomial', 8), ('rational_polynomial', 12),
     ('rational_polynomial', 14), ('equidistant', 4)],
)  # fmt: skip
def test_as_many_coefficients_as_opencv_takes(model, count):
    assert CameraModel(K, 640, 480, model, (0.01,) * count).has_distortion


def test_a_crop_of_few_rows_is_refused_and_whole_pixels_are_not():
    camera = CameraModel.from_intrinsics(K, 640, 480)
    with pytest.raises(ValueError, match='aspect'):
        camera.scaled_to(640, 470)
    assert camera.scaled_to(427, 320).width == 427
