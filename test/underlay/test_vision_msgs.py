"""The message package of underlay/vision_msgs, or a ROS installation's own, on the wire."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('rclpy')
pytest.importorskip('vision_msgs')

import rclpy
from ament_index_python.packages import get_package_share_directory
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from vision_msgs import msg as messages
from vision_msgs.msg import BoundingBox3D, Detection3D, Detection3DArray, ObjectHypothesisWithPose

# A fact about the released package: what other nodes announce, from Jazzy on (REP-2011).
DETECTIONS_HASH = 'RIHS01_793f5eab9595ac1c0da07873cc859db42eae51f0ee76056db8562515d830e018'

MESSAGES = {
    'BoundingBox2D', 'BoundingBox2DArray', 'BoundingBox3D', 'BoundingBox3DArray', 'Classification',
    'Detection2D', 'Detection2DArray', 'Detection3D', 'Detection3DArray', 'LabelInfo',
    'ObjectHypothesis', 'ObjectHypothesisWithPose', 'Point2D', 'Pose2D', 'VisionClass',
    'VisionInfo',
}  # fmt: skip

# A second process that says as JSON what it received: DDS is all that it shares with the first.
LISTENER = """
import json, sys, rclpy
from vision_msgs.msg import Detection3DArray
rclpy.init()
node = rclpy.create_node('listener')
def show(array):
    found = array.detections[0]
    print(json.dumps({
        'frame': array.header.frame_id,
        'stamp': [array.header.stamp.sec, array.header.stamp.nanosec],
        'count': len(array.detections),
        'class': found.results[0].hypothesis.class_id,
        'score': found.results[0].hypothesis.score,
        'covariance': list(found.results[0].pose.covariance),
        'centre': [getattr(found.bbox.center.position, axis) for axis in 'xyz'],
        'turn': [getattr(found.bbox.center.orientation, axis) for axis in 'xyzw'],
        'size': [getattr(found.bbox.size, axis) for axis in 'xyz'],
        'id': found.id,
    }), flush=True)
    sys.exit(0)
node.create_subscription(Detection3DArray, 'detections', show, 1)
print('ready', flush=True)
rclpy.spin(node)
"""


def make_detections() -> Detection3DArray:
    array = Detection3DArray()
    array.header.frame_id = 'camera_optical'
    array.header.stamp.sec, array.header.stamp.nanosec = 12, 345678901
    result = ObjectHypothesisWithPose()
    result.hypothesis.class_id, result.hypothesis.score = 'Car', 0.75
    result.pose.covariance = [float(number) for number in range(36)]
    pose = Pose(
        position=Point(x=1.5, y=-0.25, z=20.0), orientation=Quaternion(x=0.5, y=-0.5, z=0.5, w=0.5)
    )
    box = BoundingBox3D(center=pose, size=Vector3(x=4.25, y=1.75, z=1.5))
    array.detections = [Detection3D(header=array.header, results=[result], bbox=box, id='7')] * 3
    return array


def test_every_message_of_the_released_package_can_be_made():
    made = {name for name in MESSAGES if getattr(messages, name)() is not None}
    assert made == MESSAGES
    assert {name for name in vars(messages) if name[0].isupper()} >= MESSAGES


@pytest.mark.skipif(os.environ.get('ROS_DISTRO') == 'humble', reason='Humble has no type hashes')
def test_type_hash_is_the_released_packages(ros_context, spin_until):
    node = rclpy.create_node('talker')
    node.create_publisher(Detection3DArray, 'detections', 1)
    assert spin_until(lambda: node.get_publishers_info_by_topic('/detections'), node)
    info = node.get_publishers_info_by_topic('/detections')[0]
    assert info.topic_type == 'vision_msgs/msg/Detection3DArray'
    assert str(info.topic_type_hash) == DETECTIONS_HASH
    node.destroy_node()


def test_detections_reach_another_process_unchanged(ros_context, spin_until):
    node = rclpy.create_node('talker')
    publisher = node.create_publisher(Detection3DArray, 'detections', 1)
    listener = subprocess.Popen(
        [sys.executable, '-c', LISTENER], stdout=subprocess.PIPE, text=True
    )
    try:
        assert listener.stdout.readline() == 'ready\n'
        assert spin_until(lambda: publisher.get_subscription_count() == 1, node)
        sent = make_detections()
        publisher.publish(sent)
        received = json.loads(listener.communicate(timeout=20)[0])
    finally:
        listener.kill()
        listener.wait()
        node.destroy_node()
    assert received == {
        'frame': 'camera_optical',
        'stamp': [12, 345678901],
        'count': 3,
        'class': 'Car',
        'score': 0.75,
        'covariance': [float(number) for number in range(36)],
        'centre': [1.5, -0.25, 20.0],
        'turn': [0.5, -0.5, 0.5, 0.5],
        'size': [4.25, 1.75, 1.5],
        'id': '7',
    }


def test_ament_index_knows_the_package_and_its_definitions():
    share = Path(get_package_share_directory('vision_msgs'))
    assert (share / 'package.xml').is_file()
    assert {path.stem for path in (share / 'msg').glob('*.msg')} >= MESSAGES
