import dataclasses
import math

import numpy as np
import pytest

pytest.importorskip('vision_msgs')

from geometry_msgs.msg import Quaternion
from std_msgs.msg import Header
from vision_msgs.msg import Detection3D as Detection3DMessage
from vision_msgs.msg import Detection3DArray

from smoke_ros.geometry import box_corners
from smoke_ros.ros.messages import (
    METHOD,
    detections_to_message,
    label_info,
    message_to_detections,
    quaternion_from_rotation_y,
    rotation_y_from_quaternion,
    vision_info,
    with_image_box,
)
from smoke_ros.structures import CameraModel, Detection3D

CAR = Detection3D((2.0, 1.0, 30.0), (4.0, 1.5, 1.8), 0.7, 'Car', 0.875, (0.0, 0.0, 9.0, 9.0))


def rotate(quaternion: Quaternion, vector) -> np.ndarray:
    """Rotate by the definition, q v q*: nothing of the code under test."""
    w, u = quaternion.w, np.array([quaternion.x, quaternion.y, quaternion.z])
    v = np.asarray(vector, float)
    return v + 2 * np.cross(u, np.cross(u, v) + w * v)


# Optical frame: x right, y down, z ahead. By hand, from KITTI's definition of rotation_y.
@pytest.mark.parametrize(
    ('rotation_y', 'forward', 'left'),
    [
        (-math.pi / 2, (0, 0, 1), (-1, 0, 0)),  # drives away: its left is the camera's left
        (math.pi / 2, (0, 0, -1), (1, 0, 0)),  # comes towards the camera
        (0.0, (1, 0, 0), (0, 0, 1)),  # drives to the right: its left is ahead
        (math.pi, (-1, 0, 0), (0, 0, -1)),  # drives to the left
    ],
)
def test_quaternion_turns_the_box_axes_into_the_optical_frame(rotation_y, forward, left):
    quaternion = quaternion_from_rotation_y(rotation_y)
    np.testing.assert_allclose(rotate(quaternion, (1, 0, 0)), forward, atol=1e-12)
    np.testing.assert_allclose(rotate(quaternion, (0, 1, 0)), left, atol=1e-12)
    np.testing.assert_allclose(rotate(quaternion, (0, 0, 1)), (0, -1, 0), atol=1e-12)


def test_quaternion_by_hand():
    q = quaternion_from_rotation_y(-math.pi / 2)
    # A quarter turn about x, then -90 degrees about y.
    assert (q.x, q.y, q.z, q.w) == pytest.approx((0.5, -0.5, 0.5, 0.5))


@pytest.mark.parametrize('rotation_y', [-math.pi, -3.0, -1.2, 0.0, 0.4, 2.5, 3.1])
def test_rotation_y_comes_back(rotation_y):
    quaternion = quaternion_from_rotation_y(rotation_y)
    assert rotation_y_from_quaternion(quaternion) == pytest.approx(rotation_y)
    for sign in ('x', 'y', 'z', 'w'):  # q and -q are the same rotation
        setattr(quaternion, sign, -getattr(quaternion, sign))
    assert rotation_y_from_quaternion(quaternion) == pytest.approx(rotation_y)


@pytest.mark.parametrize('length', [0.5, 0.99, 2.0])
def test_the_heading_of_a_quaternion_does_not_change_with_its_length(length):
    q = quaternion_from_rotation_y(0.3)
    scaled = Quaternion(x=length * q.x, y=length * q.y, z=length * q.z, w=length * q.w)
    assert rotation_y_from_quaternion(scaled) == pytest.approx(0.3)


def test_corners_from_the_message_are_the_library_s():
    message = detections_to_message([CAR], Header(), lambda _: np.eye(6)).detections[0]
    size = message.bbox.size
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    own = 0.5 * signs * [size.x, size.y, size.z]
    corners = [rotate(message.bbox.center.orientation, corner) + CAR.location for corner in own]
    expected = box_corners(
        np.array(CAR.location), np.array(CAR.dimensions), np.array(CAR.rotation_y)
    )

    def sort(points):
        return sorted(np.round(points, 9).tolist())

    assert sort(corners) == pytest.approx(np.array(sort(expected)))


def test_content():
    header = Header(frame_id='camera_optical')
    header.stamp.sec = 7
    covariance = np.arange(36.0).reshape(6, 6)
    array = detections_to_message([CAR], header, lambda _: covariance)
    (message,) = array.detections
    assert array.header == message.header == header
    centre = message.bbox.center.position
    assert (centre.x, centre.y, centre.z) == CAR.location
    assert (message.bbox.size.x, message.bbox.size.y, message.bbox.size.z) == (4.0, 1.8, 1.5)
    (result,) = message.results
    assert (result.hypothesis.class_id, result.hypothesis.score) == ('Car', 0.875)
    assert result.pose.pose == message.bbox.center
    assert result.pose.covariance.tolist() == list(range(36))


def test_nothing_found_is_an_empty_message():
    header = Header(frame_id='camera_optical')
    array = detections_to_message([], header, lambda _: np.eye(6))
    assert (array.header, array.detections) == (header, [])
    assert message_to_detections(array) == []


def test_round_trip():
    array = detections_to_message([CAR], Header(), lambda _: np.eye(6))
    (back,) = message_to_detections(array)
    assert (back.location, back.dimensions) == (CAR.location, CAR.dimensions)
    assert (back.class_name, back.score) == (CAR.class_name, CAR.score)
    assert back.rotation_y == pytest.approx(CAR.rotation_y)


def test_a_detection_without_result_has_no_class():
    with pytest.raises(ValueError, match='detection 0 has no results'):
        message_to_detections(Detection3DArray(detections=[Detection3DMessage()]))


def test_class_names():
    info = vision_info(Header(), '/smoke_node/label_info')
    assert (info.method, info.database_location) == (METHOD, '/smoke_node/label_info')
    labels = label_info(Header(), ('Car', 'Cyclist'), 0.25)
    assert [(c.class_id, c.class_name) for c in labels.class_map] == [(0, 'Car'), (1, 'Cyclist')]
    assert labels.threshold == 0.25


def test_the_image_box_is_that_of_the_corners_clipped_to_the_image():
    camera = CameraModel.from_intrinsics([[50.0, 0, 32], [0, 50, 24], [0, 0, 1]], 64, 48)
    car = dataclasses.replace(CAR, location=(2.0, 0.0, 4.9), rotation_y=0.0)
    # The near face is 4 m away and reaches from x = 0 to 4, y = -0.75 to 0.75.
    expected = (32.0, 24.0 - 50 * 0.75 / 4, 64.0, 24.0 + 50 * 0.75 / 4)
    assert with_image_box(car, camera).bbox_xyxy_px == pytest.approx(expected)
