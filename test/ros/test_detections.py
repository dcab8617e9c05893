"""What comes out of the node over DDS for what goes in."""

import dataclasses
import math

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')
pytest.importorskip('vision_msgs')

from fake_detector import CAR
from lifecycle_msgs.srv import GetState
from rclpy.context import Context
from rclpy.parameter import Parameter
from rclpy.qos import (
    DurabilityPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_profile_sensor_data,
)
from sensor_msgs.msg import CompressedImage, Image
from vision_msgs.msg import LabelInfo, VisionInfo
from visualization_msgs.msg import Marker, MarkerArray

from smoke_ros.ros import camera_stream
from smoke_ros.ros.node import SmokeNode

LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


def test_detections_carry_stamp_frame_box_class_and_covariance(start_node):
    bench = start_node()
    bench.connect()
    answer = bench.answer(12.5)
    assert (answer.header.stamp.sec, answer.header.stamp.nanosec) == (12, 500_000_000)
    assert answer.header.frame_id == 'camera_optical'
    car, pedestrian = answer.detections
    expected = bench.detector.detections
    for message, box in zip((car, pedestrian), expected, strict=True):
        position, size = message.bbox.center.position, message.bbox.size
        assert message.header == answer.header
        assert (position.x, position.y, position.z) == box.location
        assert (size.x, size.z, size.y) == box.dimensions
        result = message.results[0]
        assert (result.hypothesis.class_id, result.hypothesis.score) == (box.class_name, box.score)
        covariance = result.pose.covariance.reshape(6, 6)
        assert np.linalg.eigvalsh(covariance).min() > 0
    q = car.bbox.center.orientation  # drives away
    assert (q.x, q.y, q.z, q.w) == pytest.approx((0.5, -0.5, 0.5, 0.5))


def test_a_network_that_knows_how_far_off_it_is_has_its_own_covariance(start_node):
    bench = start_node()
    sure, unsure = (dataclasses.replace(CAR, depth_error=error) for error in (0.01, 0.3))
    bench.detector.detections = [sure, unsure]
    bench.connect()
    near, wide = (d.results[0].pose.covariance[14] for d in bench.answer(1.0).detections)
    assert wide > (0.2 * CAR.location[2]) ** 2 > near


def test_an_image_without_objects_gets_an_empty_answer(start_node):
    bench = start_node()
    bench.detector.detections = []
    bench.connect()
    assert bench.answer(1.0).detections == []


def test_topics_types_and_quality_of_service(start_node):
    bench = start_node()
    node = bench.node
    expected = {
        '/smoke_node/detections': ('vision_msgs/msg/Detection3DArray', 'RELIABLE', 'VOLATILE'),
        '/smoke_node/markers': ('visualization_msgs/msg/MarkerArray', 'RELIABLE', 'VOLATILE'),
        '/smoke_node/debug_image': ('sensor_msgs/msg/Image', 'BEST_EFFORT', 'VOLATILE'),
        '/diagnostics': ('diagnostic_msgs/msg/DiagnosticArray', 'RELIABLE', 'VOLATILE'),
        '/smoke_node/vision_info': ('vision_msgs/msg/VisionInfo', 'RELIABLE', 'TRANSIENT_LOCAL'),
        '/smoke_node/label_info': ('vision_msgs/msg/LabelInfo', 'RELIABLE', 'TRANSIENT_LOCAL'),
    }
    for topic, wanted in expected.items():
        (info,) = node.get_publishers_info_by_topic(topic)
        profile = info.qos_profile
        found = (info.topic_type, profile.reliability.name, profile.durability.name)
        assert found == wanted, topic
    inputs = {'/image': 'sensor_msgs/msg/Image', '/camera_info': 'sensor_msgs/msg/CameraInfo'}
    for topic, wanted_type in inputs.items():
        (info,) = node.get_subscriptions_info_by_topic(topic)
        profile = info.qos_profile
        assert info.topic_type == wanted_type
        assert (profile.reliability.name, profile.durability.name) == ('BEST_EFFORT', 'VOLATILE')


def test_names_are_relative(ros_domain):
    context = Context()
    arguments = [
        '--ros-args',
        '-r',
        '__ns:=/front',
        '-r',
        '__node:=boxes',
        '-r',
        'image:=/cam/rect',
    ]
    rclpy.init(args=arguments, context=context, domain_id=ros_domain)
    node = SmokeNode(context=context)
    try:
        assert node.get_fully_qualified_name() == '/front/boxes'
        assert node.resolve_topic_name('image') == '/cam/rect'
        assert node.resolve_topic_name('~/detections') == '/front/boxes/detections'
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)


def test_late_subscribers_get_the_class_names(start_node):
    bench = start_node()
    infos = bench.listen(VisionInfo, 'smoke_node/vision_info', LATCHED)
    labels = bench.listen(LabelInfo, 'smoke_node/label_info', LATCHED)
    assert bench.wait(lambda: infos and labels)
    assert infos[0].database_location == '/smoke_node/label_info'
    names = [entry.class_name for entry in labels[0].class_map]
    assert (names, labels[0].threshold) == (['Car', 'Cyclist', 'Pedestrian'], 0.25)
    bench.node.set_parameters([Parameter('score_threshold', value=0.5)])
    assert bench.wait(lambda: labels[-1].threshold == 0.5)
    bench.node.set_parameters([Parameter('class_thresholds', value=['Cyclist=0.125'])])
    assert bench.wait(lambda: labels[-1].threshold == 0.125)
    # Of a class that is not published, the threshold is nobody's.
    bench.node.set_parameters([Parameter('classes', value=['Car'])])
    assert bench.wait(lambda: labels[-1].threshold == 0.5)
    assert len(labels[-1].class_map) == 3


def test_markers_follow_the_detections_and_are_cleared(start_node):
    bench = start_node(marker_lifetime=2.5)
    markers = bench.listen(MarkerArray, 'smoke_node/markers')
    bench.connect()
    publisher = bench.node._streams[0]._markers
    assert bench.wait(lambda: publisher.get_subscription_count() > 0)

    def actions(number):
        assert bench.wait(lambda: len(markers) >= number)
        return [marker.action for marker in markers[number - 1].markers]

    bench.answer(1.0)
    assert actions(1) == [Marker.ADD] * 8
    assert markers[0].markers[0].header.frame_id == 'camera_optical'
    assert markers[0].markers[0].lifetime.sec == 2
    bench.detector.detections = bench.detector.detections[:1]
    bench.answer(2.0)
    assert actions(2) == [Marker.ADD] * 4 + [Marker.DELETE] * 4
    bench.detector.detections = []
    bench.answer(3.0)
    assert actions(3) == [Marker.DELETE] * 4
    bench.answer(4.0)
    assert actions(4) == []


def test_debug_image_is_drawn_only_while_somebody_looks(start_node, monkeypatch):
    drawn = []

    def annotate(image, detections, camera):
        drawn.append((len(detections), camera.width))
        return image + np.uint8(1)

    monkeypatch.setattr(camera_stream, 'annotate', annotate)
    bench = start_node()
    bench.connect()
    assert bench.answer(1.0) is not None
    assert bench.answer(2.0) is not None  # the first one is through by now
    assert drawn == []
    pictures = bench.listen(Image, 'smoke_node/debug_image', qos_profile_sensor_data)
    publisher = bench.node._streams[0]._debug_image
    assert bench.wait(lambda: publisher.get_subscription_count() > 0)
    bench.answer(3.0)
    assert bench.wait(lambda: pictures)
    assert drawn == [(2, 64)]
    assert (pictures[0].width, pictures[0].height, pictures[0].encoding) == (64, 48, 'bgr8')
    assert pictures[0].header == bench.detections[-1].header
    assert set(pictures[0].data) == {1}


def test_compressed_images(start_node):
    bench = start_node(image_transport='compressed')
    bench.connect(image_type=CompressedImage)
    pixels = np.full((48, 64, 3), (10, 20, 30), np.uint8)
    message = CompressedImage(format='png', data=cv2.imencode('.png', pixels)[1].tobytes())
    message.header.stamp.sec = 1
    answer = bench.answer(1.0, image=message)
    assert len(answer.detections) == 2
    np.testing.assert_array_equal(bench.detector.images[-1], pixels)


def test_frames_that_come_while_the_network_is_busy_are_dropped_for_the_newest(start_node):
    bench = start_node()
    bench.connect()
    bench.detector.idle.clear()
    bench.send(1.0)
    assert bench.wait(lambda: len(bench.detector.images) == 1)
    for number in range(2, 7):  # one by one: the queue of five holds them anyway
        bench.send(float(number))
        assert bench.wait(lambda n=number: bench.statistics().frames_in == n)
    assert bench.wait(lambda: bench.statistics().frames_dropped == 4)
    bench.detector.idle.set()
    assert bench.wait(lambda: len(bench.detections) == 2)
    assert [m.header.stamp.sec for m in bench.detections] == [1, 6]
    report = bench.statistics()
    assert (report.frames_in, report.frames_out, report.frames_dropped) == (6, 2, 4)


def test_the_node_answers_while_the_network_is_busy(start_node):
    bench = start_node()
    bench.connect()
    bench.detector.idle.clear()
    bench.send(1.0)
    assert bench.wait(lambda: len(bench.detector.images) == 1)
    client = bench.peer.create_client(GetState, 'smoke_node/get_state')
    assert bench.wait(client.service_is_ready)
    future = client.call_async(GetState.Request())
    assert bench.wait(future.done)
    assert future.result().current_state.label == 'active'
    bench.detector.idle.set()


def test_the_covariances_of_a_network_that_predicts_no_errors_are_parameters(start_node):
    bench = start_node(error_depth=0.2, error_heading=30.0)
    bench.connect()
    covariance = bench.answer(1.0).detections[0].results[0].pose.covariance
    assert covariance[14] == pytest.approx((0.2 * CAR.location[2]) ** 2, rel=0.02)
    assert covariance[28] == pytest.approx(math.radians(30.0) ** 2)
