import threading
import time

import numpy as np
import pytest

pytest.importorskip('rclpy')

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from vision_msgs.msg import VisionInfo

from smoke_ros.ros.bags import BagReader, BagWriter
from smoke_ros.ros.images import bgr_to_image
from smoke_ros.ros.player import Player
from smoke_ros.ros.qos import LATCHED, SENSOR_DATA
from smoke_ros.ros.recorder import Recorder

RELIABLE = QoSProfile(depth=100)


def write_drive(path, count=5, period_ns=20_000_000):
    with BagWriter(path) as bag:
        bag.add_topic('/image', Image, RELIABLE)
        bag.add_topic('/info', VisionInfo, LATCHED)
        for number in range(count):
            header = Header(frame_id=f'frame {number}')
            pixels = np.full((375, 1242, 3), number, np.uint8)
            bag.write('/image', bgr_to_image(pixels, header), 10**18 + number * period_ns)
            if not number:
                bag.write('/info', VisionInfo(header=header, method='SMOKE'), 10**18)


def wait_until(condition, timeout_s=20.0):
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@pytest.fixture
def recording_node(ros_context):
    """Yield a node that is spun in a thread."""
    node = rclpy.create_node('recorder')
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    thread = threading.Thread(target=executor.spin)
    thread.start()
    yield node
    executor.shutdown()
    thread.join()
    node.destroy_node()


def test_what_is_played_is_recorded_byte_for_byte(tmp_path, recording_node):
    write_drive(tmp_path / 'drive')
    player_node = rclpy.create_node('player')
    with BagWriter(tmp_path / 'copy') as copy, BagReader(tmp_path / 'drive') as drive:
        recorder = Recorder(recording_node, copy)
        recorder.record('/image', Image, RELIABLE)
        recorder.record('/info', VisionInfo, LATCHED)
        player = Player(player_node, drive)
        assert wait_until(lambda: all(player.subscribers(topic) for topic in drive.topics))

        report = player.play(1.0)

        assert wait_until(lambda: recorder.counts == {'/image': 5, '/info': 1})
        recorder.close()
    assert dict(report.messages) == {'/image': 5, '/info': 1}
    assert report.duration_s >= 0.08
    with BagReader(tmp_path / 'drive') as drive, BagReader(tmp_path / 'copy') as copy:
        for topic in drive.topics:
            played, recorded = list(drive.messages([topic])), list(copy.messages([topic]))
            assert [m.data for m in played] == [m.data for m in recorded]
        stamps = [message.stamp_ns for message in copy.messages(['/image'])]
        assert stamps == sorted(stamps) and stamps[0] > 10**18
        # What the recorder was told, and the player offered, is stored.
        assert copy.topics['/info'].qos.durability == LATCHED.durability


def test_the_pace_is_the_bags_own_times_the_rate(tmp_path, ros_context):
    write_drive(tmp_path / 'drive', count=4, period_ns=100_000_000)
    seen = []
    with BagReader(tmp_path / 'drive') as drive:
        player = Player(rclpy.create_node('player'), drive, ['/image'])
        report = player.play(10.0, seen.append)
    assert dict(report.messages) == {'/image': 4}
    assert report.duration_s >= 0.03  # 0.3 s of recording
    assert [message.stamp_ns - 10**18 for message in seen] == [0, 10**8, 2 * 10**8, 3 * 10**8]


def test_the_beginning_is_that_of_the_topics_that_are_played(tmp_path, ros_context):
    with BagWriter(tmp_path / 'drive') as bag:
        bag.add_topic('/early', VisionInfo, RELIABLE)
        bag.add_topic('/late', VisionInfo, RELIABLE)
        for topic, stamp_ns in (('/early', 10**18), ('/late', 2 * 10**18), ('/late', 2 * 10**18)):
            bag.write(topic, VisionInfo(), stamp_ns)
    calls = []
    with BagReader(tmp_path / 'drive') as drive:
        player = Player(rclpy.create_node('player'), drive, ['/late'])
        player.play(1.0, lambda message: calls.append(message.topic), calls.append)
    assert calls == [2 * 10**18, '/late', '/late']


def test_a_rate_of_zero_is_refused(tmp_path, ros_context):
    write_drive(tmp_path / 'drive')
    with BagReader(tmp_path / 'drive') as drive:
        player = Player(rclpy.create_node('player'), drive)
        with pytest.raises(ValueError, match='rate must be above 0 and finite, got 0'):
            player.play(0.0)


def test_everything_is_offered_where_that_is_asked_for(tmp_path, ros_context):
    with BagWriter(tmp_path / 'drive') as bag:
        bag.add_topic('/image', Image, SENSOR_DATA)
        bag.write('/image', Image(), 1)
    node = rclpy.create_node('player')
    with BagReader(tmp_path / 'drive') as drive:
        for reliable, expected in ((False, 'BEST_EFFORT'), (True, 'RELIABLE')):
            player = Player(node, drive, reliable=reliable)
            (offered,) = node.get_publishers_info_by_topic('/image')
            assert offered.qos_profile.reliability.name == expected
            player.close()


def test_a_clock_that_was_set_while_recording_is_not_waited_for(tmp_path, ros_context):
    with BagWriter(tmp_path / 'drive') as bag:
        bag.add_topic('/info', VisionInfo, RELIABLE)
        for stamp_ns in (5, 6, 1_700_000_000 * 10**9):
            bag.write('/info', VisionInfo(), stamp_ns)
    played = []
    with BagReader(tmp_path / 'drive') as drive:
        player = Player(rclpy.create_node('player'), drive)
        with pytest.raises(ValueError, match=r'no message for 472222\.2 h before one on /info'):
            player.play(1.0, played.append)
    assert len(played) == 2
