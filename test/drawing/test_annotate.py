import dataclasses

import numpy as np
import pytest

from smoke_ros.colours import class_colour
from smoke_ros.config.drawing import DrawingConfig
from smoke_ros.drawing import annotate, draw_caption
from smoke_ros.drawing.canvas import bgr
from smoke_ros.structures import CameraModel, Detection3D

CAMERA = CameraModel.from_intrinsics([[700, 0, 600], [0, 700, 180], [0, 0, 1]], 1200, 370)
PLAIN = DrawingConfig(birds_eye=False)


def make_image(camera=CAMERA):
    return np.full((camera.height, camera.width, 3), 80, np.uint8)


def make_detection(class_name='Car', x=0.0, z=20.0):
    return Detection3D((x, 1.0, z), (4.0, 1.5, 1.6), 0.3, class_name, 0.9, (0, 0, 0, 0))


def count_of(picture, class_name):
    """Count the pixels in a class's pure colour."""
    return int((np.abs(picture - np.array(bgr(class_colour(class_name)))) < 3).all(-1).sum())


def test_the_image_itself_stays_as_it_was():
    image = make_image()
    picture = annotate(image, [make_detection()], CAMERA)
    assert (image == 80).all()
    assert picture.shape == image.shape and picture.dtype == np.uint8
    assert (picture != image).any()


def test_nothing_detected_leaves_only_the_inset():
    image = make_image()
    np.testing.assert_array_equal(annotate(image, [], CAMERA, PLAIN), image)
    rows, columns = np.nonzero((annotate(image, [], CAMERA) != image).any(-1))
    assert columns.min() > 0.75 * CAMERA.width and rows.max() < 0.7 * CAMERA.height


def test_a_detection_has_the_colour_of_its_class():
    picture = annotate(make_image(), [make_detection('Cyclist', z=8.0)], CAMERA, PLAIN)
    assert count_of(picture, 'Cyclist') > 50 and count_of(picture, 'Car') == 0


def test_ground_truth_is_white_and_has_no_label():
    picture = annotate(make_image(), [], CAMERA, PLAIN, ground_truth=[make_detection(z=8.0)])
    assert (picture > 200).all(-1).sum() > 50
    rows, _ = np.nonzero((picture != 80).any(-1))
    # The box's upper edge is at y = 0.25, no nearer than z = 5: below the image's row 180.
    assert rows.min() >= 180


def test_labels_do_not_cover_each_other():
    # Two boxes in nearly the same place: the second label has to make way.
    one = annotate(make_image(), [make_detection()], CAMERA, PLAIN)
    two = annotate(make_image(), [make_detection(), make_detection('Van', z=20.5)], CAMERA, PLAIN)
    rows_of_one = np.nonzero((one != 80).any(-1))[0]
    rows_of_two = np.nonzero((two != 80).any(-1))[0]
    assert rows_of_two.min() < rows_of_one.min() - 10


@pytest.mark.parametrize('size', [(1, 1), (32, 32), (640, 101), (101, 640), (3840, 2160)])
def test_any_size_of_image(size):
    camera = dataclasses.replace(CAMERA, width=size[0], height=size[1])
    picture = annotate(make_image(camera), [make_detection()], camera)
    assert picture.shape == (size[1], size[0], 3)


def test_a_box_at_the_camera_and_one_behind_it():
    detections = [make_detection(x=0.5, z=0.3), make_detection(z=-4.0)]
    assert annotate(make_image(), detections, CAMERA).shape == (370, 1200, 3)


def test_a_caption_is_written_into_the_lower_left_corner():
    picture = make_image()
    draw_caption(picture, 'frame 1')
    rows, columns = np.nonzero((picture != 80).any(-1))
    assert rows.min() > 320 and columns.max() < 120 and picture.max() > 200
