import math

import numpy as np
import pytest
import torch

from smoke_ros import geometry

K = np.array([[700.0, 0, 320], [0, 710, 240], [0, 0, 1]])
RNG = np.random.default_rng(3)


def random_boxes(count):
    locations = RNG.uniform((-10, -1, 5), (10, 2, 60), (count, 3))
    return locations, RNG.uniform(0.5, 5, (count, 3)), RNG.uniform(-math.pi, math.pi, count)


@pytest.mark.parametrize(
    ('angle', 'wrapped'), [(0, 0), (math.pi, -math.pi), (-math.pi, -math.pi), (4, 4 - 2 * math.pi)]
)
def test_angles_wrap_to_the_half_open_interval(angle, wrapped):
    assert geometry.wrap_angle(angle) == pytest.approx(wrapped)


def test_alpha_and_rotation_y_are_inverse():
    angles = RNG.uniform(-math.pi, math.pi, 100)
    x, z = RNG.uniform(-20, 20, 100), RNG.uniform(1, 50, 100)
    alpha = geometry.alpha_from_rotation_y(angles, x, z)
    np.testing.assert_allclose(geometry.rotation_y_from_alpha(alpha, x, z), angles, atol=1e-12)


def test_box_corners_by_hand():
    corners = geometry.box_corners(np.array([1.0, 2, 10]), np.array([4.0, 1, 2]), np.array(0.0))
    np.testing.assert_allclose(corners[0], (3.0, 2.5, 11.0))  # front, bottom, far side
    np.testing.assert_allclose(corners[6], (-1.0, 1.5, 9.0))  # rear, top, near side
    turned = geometry.box_corners(
        np.array([1.0, 2, 10]), np.array([4.0, 1, 2]), np.array(-math.pi / 2)
    )
    np.testing.assert_allclose(turned[:2].mean(axis=0), (1.0, 2.5, 12.0))  # the front looks to +z


def test_the_twelve_edges_are_along_one_dimension_each():
    corners = geometry.box_corners(np.zeros(3), np.array([4.0, 1, 2]), np.array(0.0))
    lengths = [np.linalg.norm(corners[a] - corners[b]) for a, b in geometry.BOX_EDGES]
    assert sorted(lengths) == pytest.approx([1] * 4 + [2] * 4 + [4] * 4)


def test_numpy_and_torch_give_the_same():
    arrays = random_boxes(7)
    tensors = [torch.from_numpy(array) for array in arrays]
    by_torch = geometry.box_corners(*tensors)
    np.testing.assert_allclose(by_torch.numpy(), geometry.box_corners(*arrays), atol=1e-12)
    points = geometry.project(torch.from_numpy(K), by_torch)
    np.testing.assert_allclose(points.numpy(), geometry.project(K, by_torch.numpy()), atol=1e-9)


def test_no_boxes_have_no_corners():
    assert geometry.box_corners(*random_boxes(0)).shape == (0, 8, 3)


@pytest.mark.parametrize('offset', [(0.0, 0.0, 0.0), (45.0, 0.2, 0.003)])
def test_unproject_inverts_project(offset):
    points = random_boxes(20)[0]
    pixels = geometry.project(K, points, offset)
    back = geometry.unproject(K, pixels, points[:, 2] + offset[2], offset)
    np.testing.assert_allclose(back, points, atol=1e-9)


def test_the_extent_of_a_box_that_passes_the_camera_is_cut_at_the_near_plane():
    corners = geometry.box_corners(np.array([2.0, 0, 0]), np.array([2.0, 2, 8]), np.array(0.0))
    x1, y1, x2, y2 = geometry.projected_extent(K, corners)
    assert x1 == pytest.approx(320 + 700 * 1 / 4)  # its near side, at the far end
    assert x2 == pytest.approx(320 + 700 * 3 / geometry.NEAR_M)
    assert (y1, y2) == pytest.approx((240 - 7100, 240 + 7100))


def test_a_box_behind_the_camera_has_no_extent():
    corners = geometry.box_corners(np.array([0.0, 0, -9]), np.array([2.0, 2, 2]), np.array(0.0))
    assert geometry.projected_extent(K, corners) is None


def test_segments_are_cut_at_the_near_plane():
    front, behind = np.array([0.0, 0, 1.1]), np.array([1.0, 0, -0.9])
    np.testing.assert_allclose(geometry.clip_segment(front, behind)[1], (0.5, 0, 0.1))
    np.testing.assert_allclose(geometry.clip_segment(behind, front)[0], (0.5, 0, 0.1))
    assert geometry.clip_segment(behind, behind) is None
