import dataclasses

import cv2
import numpy as np
import pytest

from smoke_ros.drawing import draw_boxes
from smoke_ros.drawing.boxes import project_to_image
from smoke_ros.structures import CameraModel, Detection3D

CAMERA = CameraModel.from_intrinsics([[700, 0, 600], [0, 700, 180], [0, 0, 1]], 1200, 370)
RED, GREEN = (0.0, 0.0, 255.0), (0.0, 255.0, 0.0)


def make_box(location=(0.0, 0.0, 10.0), dimensions=(4.0, 2.0, 2.0), rotation_y=0.0):
    return Detection3D(location, dimensions, rotation_y, 'Car', 0.9, (0.0, 0.0, 0.0, 0.0))


def draw(*boxes, camera=CAMERA, colours=None):
    image = np.zeros((camera.height, camera.width, 3), np.uint8)
    extents = draw_boxes(image, boxes, colours or [RED] * len(boxes), camera)
    return image, extents


def test_edges_lie_where_the_corners_project():
    image, extents = draw(make_box())

    # The near face is at z = 9, x = +-2, y = +-1.
    x1, y1, x2, y2 = 600 - 1400 / 9, 180 - 700 / 9, 600 + 1400 / 9, 180 + 700 / 9
    np.testing.assert_allclose(extents, [(x1, y1, x2, y2)])
    rows, columns = np.nonzero(image[..., 2] > 128)
    assert abs(columns.min() - x1) < 2 and abs(columns.max() - x2) < 2
    assert abs(rows.min() - y1) < 2 and abs(rows.max() - y2) < 2


def test_the_front_face_is_shaded():
    facing_camera, _ = draw(make_box(rotation_y=np.pi / 2))  # the heading is -z
    facing_right, _ = draw(make_box(rotation_y=0.0))

    assert facing_camera[170, 580, 2] > 50
    assert facing_right[170, 580, 2] == 0


def test_the_nearer_box_is_on_top():
    near, far = make_box((0.0, 0.0, 10.0)), make_box((0.0, 0.0, 11.0))
    for boxes, colours in (((near, far), [GREEN, RED]), ((far, near), [RED, GREEN])):
        image, _ = draw(*boxes, colours=colours)
        crossing = image[round(180 + 700 / 9), 620]  # an edge of the near face
        assert crossing[1] > 200 and crossing[2] < 60


@pytest.mark.parametrize('location', [(0.0, 0.0, -10.0), (5.0, 0.0, -3.0)])
def test_a_box_behind_the_camera_is_not_drawn(location):
    image, extents = draw(make_box(location))
    assert not image.any()
    assert extents == [None]


def test_a_box_that_reaches_behind_the_camera_is_cut():
    # Beside the camera, from z = -3 to z = 5; its far end is at x = 2 and x = 4.
    image, extents = draw(make_box((3.0, 0.0, 1.0), (8.0, 2.0, 2.0), np.pi / 2))
    x1, _, _, _ = extents[0]
    assert abs(x1 - (600 + 700 * 2 / 5)) < 1e-6
    columns = np.nonzero(image.any(axis=(0, 2)))[0]
    assert len(columns) and columns.min() > x1 - 4


def test_no_boxes_leave_the_image_alone():
    image, extents = draw()
    assert extents == [] and not image.any()


@pytest.mark.parametrize(
    ('model', 'D'),
    [
        ('plumb_bob', (-0.3, 0.1, 0.001, -0.002, 0.02)),
        ('rational_polynomial', (0.4, 0.1, 0.001, 0.0, 0.01, 0.5, 0.1, 0.02)),
        ('equidistant', (0.02, -0.01, 0.003, -0.001)),
    ],
)
def test_distortion_is_the_inverse_of_opencvs_undistortion(model, D):
    camera = dataclasses.replace(CAMERA, distortion_model=model, D=D)
    points = np.array([[0.0, 0.0, 5.0], [1.0, -0.5, 4.0], [-2.0, 1.0, 6.0]])

    pixels = project_to_image(camera, points, camera.undistorted_reach())

    undistort = cv2.fisheye.undistortPoints if model == 'equidistant' else cv2.undistortPoints
    rays = undistort(pixels[:, None], camera.K, np.array(D))[:, 0]
    np.testing.assert_allclose(rays, points[:, :2] / points[:, 2:], atol=1e-4)


@pytest.mark.parametrize(
    ('model', 'D'),
    [('plumb_bob', (-0.2, 0.05, 0.0, 0.0, 0.0)), ('equidistant', (0.02, 0.0, 0.0, 0.0))],
)
def test_the_skew_of_a_distorted_image_is_drawn(model, D):
    skewed = np.array([[800.0, 16.0, 640.0], [0.0, 800.0, 360.0], [0.0, 0.0, 1.0]])
    square = np.array([[800.0, 0.0, 640.0], [0.0, 800.0, 360.0], [0.0, 0.0, 1.0]])
    points = np.array([[3.0, 3.0, 10.0], [-2.0, -2.0, 8.0], [0.0, 0.0, 5.0]])
    drawn, upright = (
        project_to_image(camera, points, camera.undistorted_reach())
        for camera in (CameraModel(K, 1280, 720, model, D) for K in (skewed, square))
    )
    shift = 16.0 / 800.0 * (upright[:, 1] - 360.0)
    np.testing.assert_allclose(drawn, upright + np.stack((shift, 0 * shift), 1), atol=1e-9)
    assert np.abs(shift).max() > 3.0


def test_what_lies_outside_of_the_lens_does_not_come_back_into_the_image():
    # r (1 - 0.3 r^2) turns back at r = 1 / sqrt(0.9): at r = 1.8 it is close to the axis again.
    camera = dataclasses.replace(CAMERA, distortion_model='plumb_bob', D=(-0.3, 0.0, 0.0, 0.0))
    assert camera.undistorted_reach() == pytest.approx(1 / np.sqrt(0.9), abs=0.01)
    image, extents = draw(make_box((18.0, 0.0, 10.0), (0.5, 0.5, 0.5)), camera=camera)
    assert not image.any() and extents == [None]


def test_an_edge_is_bent_by_distortion():
    camera = dataclasses.replace(CAMERA, distortion_model='plumb_bob', D=(-0.3, 0.0, 0.0, 0.0))
    straight, _ = draw(make_box((0.0, 1.0, 6.0), (6.0, 1.0, 1.0)))
    bent, _ = draw(make_box((0.0, 1.0, 6.0), (6.0, 1.0, 1.0)), camera=camera)
    middle, end = (np.nonzero(bent[:, column, 2] > 128)[0].max() for column in (600, 900))
    assert middle > end + 3
    middle, end = (np.nonzero(straight[:, column, 2] > 128)[0].max() for column in (600, 900))
    assert abs(middle - end) <= 1
