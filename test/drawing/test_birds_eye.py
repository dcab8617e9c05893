import numpy as np

from smoke_ros.drawing import draw_birds_eye
from smoke_ros.drawing.birds_eye import SEEN_GROUND
from smoke_ros.structures import CameraModel, Detection3D

SIZE = (200, 200)
RANGE_M = 94.0  # with the margin of 6% below the camera, 2 pixels a metre


def draw(*boxes, **options):
    return draw_birds_eye(boxes, SIZE, RANGE_M, text_scale=0.3, **options)


def make_box(x, z, rotation_y=0.0):
    return Detection3D((x, 1.0, z), (20.0, 2.0, 8.0), rotation_y, 'Car', 0.9, (0, 0, 0, 0))


def changed(*boxes, **options):
    """Return the extent of what boxes add: the first and last column, and row."""
    rows, columns = np.nonzero((draw(*boxes, **options) != draw()).any(axis=-1))
    return columns.min(), columns.max(), rows.min(), rows.max()


def test_a_box_lies_where_it_is():
    # 20 m long across the view, 8 m deep, at x = 10 and z = 50: columns 100 + 2 * (0 to 20), rows
    # 188 - 2 * (46 to 54). The heading line goes on for 10 m, to the right.
    left, right, top, bottom = changed(make_box(10.0, 50.0))
    assert abs(left - 100) <= 1 and abs(right - 160) <= 1
    assert abs(top - 80) <= 1 and abs(bottom - 96) <= 1


def test_the_heading_turns_as_rotation_y():
    # At +90 degrees the heading is -z, towards the camera: downwards.
    left, right, top, bottom = changed(make_box(0.0, 50.0, np.pi / 2))
    assert abs(left - 92) <= 1 and abs(right - 108) <= 1
    assert abs(top - 68) <= 1 and abs(bottom - 128) <= 1


def test_what_is_out_of_range_is_left_out():
    np.testing.assert_array_equal(draw(make_box(0.0, 300.0), make_box(0.0, -80.0)), draw())


def test_ground_truth_is_an_outline_in_its_own_colour():
    box = make_box(0.0, 50.0)
    picture = draw(ground_truth=[box], truth_colour=(0.0, 0.0, 255.0))
    assert (np.abs(picture[80, 100] - np.array([0, 0, 255])) < 30).all()
    np.testing.assert_array_equal(picture[91, 97], draw()[91, 97])


def test_the_field_of_view_is_the_cameras():
    camera = CameraModel.from_intrinsics([[100, 0, 100], [0, 100, 50], [0, 0, 1]], 201, 100)
    picture = draw(camera=camera)  # 45 degrees to each side
    inside, outside = picture[188 - 70, 100 - 60], picture[188 - 70, 100 - 80]
    np.testing.assert_array_equal(inside, SEEN_GROUND)
    assert (outside < SEEN_GROUND).all()


def test_the_picture_has_the_size_that_was_asked_for():
    assert draw_birds_eye([], (120, 90), 30.0).shape == (90, 120, 3)
