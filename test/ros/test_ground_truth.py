import dataclasses

import pytest

pytest.importorskip('rclpy')

from small_bags import CAR, HEIGHT, WIDTH, K
from std_msgs.msg import Header

from smoke_ros.data.kitti import DONT_CARE, KittiObject
from smoke_ros.ros.ground_truth import message_to_objects, objects_to_message
from smoke_ros.structures import CameraModel

CAMERA = CameraModel.from_intrinsics(K, WIDTH, HEIGHT)
IGNORED = KittiObject(
    (-1000.0,) * 3, (-1.0,) * 3, -10.0, DONT_CARE, -1.0, -1, -10.0, (1.0, 2.0, 3.0, 4.5)
)


def test_labels_come_back_as_they_went_in():
    header = Header(frame_id='front_optical')
    message = objects_to_message([CAR, IGNORED], header)
    assert message.header == header
    car, ignored = message_to_objects(message, CAMERA)
    assert car.location == pytest.approx(CAR.location)
    assert car.dimensions == pytest.approx(CAR.dimensions)
    assert car.rotation_y == pytest.approx(CAR.rotation_y)
    assert car.observation_angle == pytest.approx(CAR.alpha)
    kept = ('class_name', 'truncation', 'occlusion', 'bbox_xyxy_px')
    assert all(getattr(car, name) == getattr(CAR, name) for name in kept)
    assert ignored == IGNORED
    # An ignored region shows as nothing in a viewer.
    assert message.detections[1].bbox.size.x == 0.0


def test_no_labels():
    assert message_to_objects(objects_to_message([], Header()), CAMERA) == []


def test_another_programs_boxes_are_projected():
    half_out = dataclasses.replace(CAR, location=(-6.4, 0.0, 10.0), dimensions=(1e-3, 2.0, 2.0))
    behind = dataclasses.replace(CAR, location=(0.0, 0.0, -10.0))
    beside = dataclasses.replace(CAR, location=(100.0, 0.0, 10.0))
    message = objects_to_message([CAR, half_out, behind, beside], Header())
    for detection in message.detections:
        detection.id = 'track 7'
    car, cut = message_to_objects(message, CAMERA)
    assert car.bbox_xyxy_px != CAR.bbox_xyxy_px and car.truncation == 0.0 and car.occlusion == -1
    # Its centre lies on the left edge of the image.
    assert cut.bbox_xyxy_px[0] == 0.0
    assert cut.truncation == pytest.approx(0.5, abs=0.02)


def test_an_object_without_a_class_is_refused():
    message = objects_to_message([CAR], Header())
    message.detections[0].results[0].hypothesis.class_id = ' '
    with pytest.raises(ValueError, match='has no class: its class_id is empty'):
        message_to_objects(message, CAMERA)
    message.detections[0].results = []
    with pytest.raises(ValueError, match='detection 0 has no results'):
        message_to_objects(message, CAMERA)
