"""Labels in, labels out: the whole path on real frames, with a network that knows the labels."""

import math

import cv2
import numpy as np
import pytest

pytest.importorskip('vision_msgs')

from label_network import encode_boxes, label_model
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, RegionOfInterest
from visualization_msgs.msg import Marker, MarkerArray

from smoke_ros.config.model import ModelConfig
from smoke_ros.data.kitti import read_calibration, read_objects
from smoke_ros.detector import Detector
from smoke_ros.preprocess import InputGeometry
from smoke_ros.ros.images import bgr_to_image
from smoke_ros.structures import CameraModel

MODEL = ModelConfig()
RELIABLE = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
SIZE = (MODEL.input_width, MODEL.input_height)


class Frame:
    """One frame of the object benchmark: its image, K, and labelled boxes by class."""

    def __init__(self, folder, number):
        self.image = cv2.imread(str(folder / 'image_2' / f'{number:06}.png'))
        height, width = self.image.shape[:2]
        self.K = read_calibration(folder / 'calib' / f'{number:06}.txt', width, height).K
        labels = read_objects(folder / 'label_2' / f'{number:06}.txt')
        self.labels = [label for label in labels if label.class_name in MODEL.classes]

    def as_it_is(self):
        return self.image, self.camera_info(), self.K

    def rectified(self):
        """K and D are of a raw image, and must not be used."""
        info = self.camera_info()
        info.k = [500.0, 0.0, 300.0, 0.0, 500.0, 100.0, 0.0, 0.0, 1.0]
        info.d = [-0.3, 0.1, 0.0, 0.0, 0.0]
        projection = np.hstack((self.K, [[44.9], [0.2], [0.003]]))
        info.p = projection.ravel().tolist()
        return self.image, info, self.K

    def unrectified(self):
        info = self.camera_info()
        info.d = [-0.1, 0.02, 0.001, -0.001, 0.0]
        return self.image, info, self.K

    def half_size(self):
        """The calibration is for the full size."""
        height, width = self.image.shape[:2]
        half = cv2.resize(self.image, (width // 2, height // 2))
        scale = np.diag([half.shape[1] / width, half.shape[0] / height, 1.0])
        return half, self.camera_info(), scale @ self.K

    def cropped(self):
        """A region of interest: the network sees everything larger, so the depth is corrected."""
        height, width = self.image.shape[:2]
        left, right = 200, width - 200
        info = self.camera_info()
        info.roi = RegionOfInterest(
            x_offset=left, y_offset=30, width=right - left, height=height - 30
        )
        K = self.K.copy()
        K[0, 2] -= left
        K[1, 2] -= 30
        return self.image[30:, left:right], info, K

    def camera_info(self):
        height, width = self.image.shape[:2]
        info = CameraInfo(height=height, width=width, distortion_model='plumb_bob', d=[0.0] * 5)
        info.k = self.K.ravel().tolist()
        info.r = np.eye(3).ravel().tolist()
        info.p = np.hstack((self.K, np.zeros((3, 1)))).ravel().tolist()
        return info


def detector_of(labels, image, K):
    """Return a detector that finds the labels in the image, and those that it can find."""
    height, width = image.shape[:2]
    camera = CameraModel.from_intrinsics(K, width, height)
    geometry = InputGeometry.centred((width, height), SIZE)
    ratio = geometry.scale * K[0, 0] / MODEL.reference_focal_px
    depth_scale = ratio if abs(ratio - 1.0) > 0.02 else 1.0
    boxes = []
    for number, label in enumerate(labels):
        u, v = camera.project(label.location)
        x, y = geometry.feature_from_image[:2] @ (u, v, 1.0)
        if 0 <= x < MODEL.feature_width and 0 <= y < MODEL.feature_height:
            boxes.append((label.class_name, 0.9 - 0.01 * number, label))
    maps = encode_boxes(MODEL, camera, geometry, boxes, depth_scale)
    return Detector(label_model(*maps)), boxes


def heading_of(quaternion):
    """Return rotation_y of a box whose x axis is turned by a quaternion."""
    w, x, y, z = quaternion.w, quaternion.x, quaternion.y, quaternion.z
    return math.atan2(-2 * (x * z - w * y), 1 - 2 * (y * y + z * z))


def assert_pose_and_size(pose, size, label):
    position = pose.position
    assert np.linalg.norm(np.subtract((position.x, position.y, position.z), label.location)) < 0.02
    length, height, width = label.dimensions
    np.testing.assert_allclose((size.x, size.y, size.z), (length, width, height), atol=0.01)
    turn = heading_of(pose.orientation) - label.rotation_y
    assert abs(math.remainder(turn, 2 * math.pi)) < math.radians(0.5)


@pytest.mark.parametrize(
    ('number', 'variant'),
    [(n, 'as_it_is') for n in range(6)]
    + [(4, v) for v in ('rectified', 'unrectified', 'half_size', 'cropped')],
)
def test_labels_come_out_as_detections_and_markers(start_node, shared_dir, number, variant):
    frame = Frame(shared_dir / 'kitti' / 'object' / 'training', number)
    image, info, K = getattr(frame, variant)()
    detector, boxes = detector_of(frame.labels, image, K)
    rectification = 'rectified' if variant == 'rectified' else 'auto'
    bench = start_node(detector=detector, rectification=rectification)
    markers = bench.listen(MarkerArray, 'smoke_node/markers')
    bench.connect(RELIABLE)
    publisher = bench.node._streams[0]._markers
    assert bench.wait(lambda: publisher.get_subscription_count() > 0)
    message = bgr_to_image(np.ascontiguousarray(image), info.header)
    for part in (message, info):
        part.header.frame_id = 'cam2_optical'
        part.header.stamp.sec = 1
    answer = bench.answer(1.0, image=message, info=info)
    assert answer.header.frame_id == 'cam2_optical'
    assert bench.wait(lambda: markers)
    cubes = [m for m in markers[0].markers if m.type == Marker.CUBE]
    assert len(answer.detections) == len(cubes) == len(boxes)
    found = sorted(answer.detections, key=lambda d: -d.results[0].hypothesis.score)
    for detection, cube, (name, score, label) in zip(found, cubes, boxes, strict=True):
        hypothesis = detection.results[0].hypothesis
        assert hypothesis.class_id == name
        assert hypothesis.score == pytest.approx(score, abs=1e-6)
        assert_pose_and_size(detection.bbox.center, detection.bbox.size, label)
        assert_pose_and_size(cube.pose, cube.scale, label)


def test_there_is_something_to_find(shared_dir):
    folder = shared_dir / 'kitti' / 'object' / 'training'
    found = {}
    for number in range(6):
        frame = Frame(folder, number)
        for variant in ('as_it_is', 'cropped'):
            image, _, K = getattr(frame, variant)()
            found.setdefault(variant, []).append(len(detector_of(frame.labels, image, K)[1]))
    assert sum(found['as_it_is']) >= 7
    assert found['cropped'][4] >= 1


def test_the_real_network_on_a_real_frame(start_node, shared_dir):
    """Random weights detect nothing, and say so; everything else is real."""
    frame = Frame(shared_dir / 'kitti' / 'object' / 'training', 4)
    bench = start_node(activate=False, model='random', device='cpu')
    bench.node._load_detector = Detector.from_model
    assert bench.node.start()
    assert bench.log.has('info', 'running random, trained on nothing (random weights), on cpu')
    assert bench.log.has('warning', 'random weights')
    bench.connect(RELIABLE)
    image, info, _ = frame.as_it_is()
    message = bgr_to_image(image, info.header)
    for part in (message, info):
        part.header.stamp.sec = 1
    bench.send(1.0, image=message, info=info)
    assert bench.wait(lambda: bench.detections, timeout_s=60.0)
    assert bench.detections[0].detections == []
    bench.fresh_status()
    assert float(bench.values()['latency_network_ms']) > 10.0
