import dataclasses
import itertools

import numpy as np
import pytest

pytest.importorskip('rclpy')

from small_bags import CAR, HEIGHT, WIDTH, K
from std_msgs.msg import Header

from smoke_ros.data.kitti import DONT_CARE, KittiObject, dont_care
from smoke_ros.drawing.boxes import project_to_image
from smoke_ros.geometry import projected_extent
from smoke_ros.preprocess import undistort_pixels
from smoke_ros.ros.ground_truth import message_to_objects, objects_to_message
from smoke_ros.structures import Box3D, CameraModel

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


def test_an_object_without_a_3d_box_stays_one():
    flat = dataclasses.replace(IGNORED, class_name='Car', truncation=0.0, occlusion=1)
    message = objects_to_message([flat], Header())
    assert message.detections[0].bbox.size.x == message.detections[0].bbox.center.position.z == 0.0
    assert message_to_objects(message, CAMERA) == [flat]


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


@pytest.mark.parametrize(
    ('model', 'D'),
    [('plumb_bob', (-0.3, 0.08, 0.0, 0.0, 0.0)), ('equidistant', (0.02, -0.01, 0.0, 0.0))],
)
def test_boxes_of_a_distorted_image_become_those_of_the_undistorted_one(model, D):
    pinhole = CameraModel.from_intrinsics([[400.0, 0, 320], [0, 400, 200], [0, 0, 1]], 640, 400)
    camera = dataclasses.replace(pinhole, distortion_model=model, D=D)
    wall = Box3D((-3.0, 0.0, 8.0), (4.0, 2.0, 1e-3), 0.0)
    left, top, right, bottom = projected_extent(pinhole.K, wall.corners())
    x, y = np.linspace(left, right, 50), np.linspace(top, bottom, 50)
    border = [
        *itertools.product(x, (top, bottom), (1,)),
        *itertools.product((left, right), y, (1,)),
    ]
    rays = np.array(border) @ np.linalg.inv(pinhole.K).T
    bent = project_to_image(camera, rays, camera.undistorted_reach())
    taken = KittiObject(
        wall.location, wall.dimensions, 0.0, 'Car', 0.0, 0, 0.0,
        (*bent.min(0).tolist(), *bent.max(0).tolist()),
    )  # fmt: skip
    (found,) = message_to_objects(objects_to_message([taken], Header()), camera)
    # A box around what is bent is a little larger than that.
    assert found.bbox_xyxy_px == pytest.approx((left, top, right, bottom), abs=6.0)
    assert (
        max(abs(a - b) for a, b in zip(taken.bbox_xyxy_px, found.bbox_xyxy_px, strict=True)) > 8.0
    )
    assert (found.truncation, found.occlusion) == (0.0, 0)


def test_what_the_undistorted_image_cuts_or_does_not_show():
    pinhole = CameraModel.from_intrinsics([[400.0, 0, 320], [0, 400, 200], [0, 0, 1]], 640, 400)
    camera = dataclasses.replace(pinhole, distortion_model='plumb_bob', D=(-0.3, 0.08, 0, 0, 0))
    cut = dataclasses.replace(CAR, bbox_xyxy_px=(0.0, 150.0, 120.0, 250.0), truncation=0.2)
    unknown = dataclasses.replace(cut, truncation=-1.0)
    hidden = dataclasses.replace(CAR, bbox_xyxy_px=(0.0, 180.0, 12.0, 220.0))
    region = dont_care((0.0, 180.0, 12.0, 220.0))
    message = objects_to_message([cut, unknown, hidden, region], Header())
    found, other = message_to_objects(message, camera)
    assert found.bbox_xyxy_px[0] == 0.0
    x2 = undistort_pixels(camera, np.array([120.0, 200.0]))[0]
    x1 = undistort_pixels(camera, np.array([0.0, 150.0]))[0]
    assert found.truncation == pytest.approx(1.0 - 0.8 * x2 / (x2 - x1), abs=0.03) and x1 < -20.0
    assert other.truncation == -1.0
    # The image as it was taken has them all.
    assert len(message_to_objects(message, pinhole)) == 4
