import math

import numpy as np
import pytest

pytest.importorskip('rclpy')

from rclpy.serialization import serialize_message
from rosbags.typesys import Stores, get_typestore
from sensor_msgs.msg import CameraInfo, Image
from small_bags import BEGIN_NS, CAR, STEP_NS, K, picture, write_small_bag
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray

from smoke_ros.calibration import Calibration
from smoke_ros.ros import bag_frames
from smoke_ros.ros.bag_frames import BagFrames, FrameDecoder, Selection
from smoke_ros.ros.bags import BagTopic, BagWriter
from smoke_ros.ros.camera_info import calibration_to_message
from smoke_ros.ros.camera_topics import (
    CAMERA_INFO,
    COMPRESSED,
    DETECTIONS,
    IMAGE,
    NO_TRUTH,
    find_cameras,
)
from smoke_ros.ros.ground_truth import objects_to_message
from smoke_ros.ros.images import bgr_to_image
from smoke_ros.ros.message_types import type_name
from smoke_ros.ros.qos import RELIABLE
from smoke_ros.ros.stamps import stamp_message
from smoke_ros.ros.tolerant_bag import TolerantBag


def read(path, selection=None, calibration=None, **options):
    """Return (frame, decoded or the error) of every frame of a bag."""
    with TolerantBag(path) as bag:
        cameras = find_cameras(bag.topics, has_calibration=calibration is not None, **options)
        decoder, found = FrameDecoder('auto', calibration), []
        for frame in BagFrames(bag, cameras, selection or Selection()):
            try:
                found.append((frame, decoder.decode(frame)))
            except ValueError as error:
                found.append((frame, error))
        return found


@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('compressed', [False, True])
def test_every_image_comes_with_its_camera_and_its_labels(tmp_path, storage, compressed):
    write_small_bag(tmp_path / 'bag', 3, storage=storage, compressed=compressed)
    for number, (frame, decoded) in enumerate(read(tmp_path / 'bag')):
        assert frame.index == number
        assert frame.stamp_ns == BEGIN_NS + number * STEP_NS
        assert frame.frame_id == decoded.header.frame_id == 'front_optical'
        assert (decoded.image_bgr == number).all()
        np.testing.assert_array_equal(decoded.camera.K, K)
        (car,) = decoded.truth
        assert car.location == pytest.approx(CAR.location)


def test_messages_of_a_big_endian_machine(tmp_path):
    types = get_typestore(Stores.ROS2_HUMBLE)

    def turned_round(message):
        name = type_name(type(message))
        read = types.deserialize_cdr(serialize_message(message), name)
        return bytes(types.serialize_cdr(read, name, little_endian=False))

    header = Header(frame_id='front_optical', stamp=stamp_message(BEGIN_NS + 3))
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/image', Image, RELIABLE)
        bag.add_topic('/camera_info', CameraInfo, RELIABLE)
        info = calibration_to_message(Calibration(64, 48, K), header)
        bag.write('/camera_info', turned_round(info), 0)
        image = bgr_to_image(np.full((48, 64, 3), 7, np.uint8), header)
        bag.write('/image', turned_round(image), 1)
    ((frame, decoded),) = read(tmp_path / 'bag')
    assert (frame.stamp_ns, frame.frame_id) == (BEGIN_NS + 3, 'front_optical')
    np.testing.assert_array_equal(decoded.camera.K, K)
    assert (decoded.image_bgr == 7).all()


def test_several_cameras_keep_the_order_of_the_bag(tmp_path):
    write_small_bag(tmp_path / 'bag', 2, cameras=('/left', '/right'), truth=False)
    found = [(frame.topics.namespace, frame.index) for frame, _ in read(tmp_path / 'bag')]
    assert found == [('/left', 0), ('/right', 0), ('/left', 1), ('/right', 1)]


@pytest.mark.parametrize(
    ('selection', 'indices'),
    [
        (Selection(start_s=0.25), [3, 4, 5]),
        (Selection(duration_s=0.2), [0, 1]),
        (Selection(start_s=0.1, duration_s=0.4, stride=2), [1, 3]),
        (Selection(start_s=99.0), []),
    ],
)
def test_a_part_of_a_bag(tmp_path, selection, indices):
    write_small_bag(tmp_path / 'bag', 6)
    assert [frame.index for frame, _ in read(tmp_path / 'bag', selection)] == indices


def test_what_belongs_to_the_last_image_may_come_after_the_end(tmp_path):
    write_small_bag(tmp_path / 'bag', 3)
    found = read(tmp_path / 'bag', Selection(duration_s=0.1 + 1e-9))
    assert [decoded.truth is not None for _, decoded in found] == [True, True]


def test_labels_of_a_fast_camera_outlast_an_image_without_any(tmp_path):
    # 200 images a second: 100 come while the first, which has no label, waits for one.
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/image', Image, RELIABLE)
        bag.add_topic('/camera_info', CameraInfo, RELIABLE)
        bag.add_topic('/ground_truth', Detection3DArray, RELIABLE)
        for number in range(300):
            stamp_ns = BEGIN_NS + number * 5_000_000
            header = Header(stamp=stamp_message(stamp_ns))
            info = calibration_to_message(Calibration(64, 48, K), header)
            bag.write('/camera_info', info, stamp_ns)
            bag.write('/image', bgr_to_image(picture(number), header), stamp_ns + 1)
            if number:
                bag.write('/ground_truth', objects_to_message([CAR], header), stamp_ns + 2)
    unlabelled = [n for n, (_, decoded) in enumerate(read(tmp_path / 'bag')) if not decoded.truth]
    assert unlabelled == [0]


def test_a_selection_that_makes_no_sense():
    for values, message in (
        ({'start_s': -1.0}, 'start must be at least 0 s and finite, got -1'),
        ({'duration_s': 0.0}, 'duration must be above 0 s'),
        ({'stride': 0}, 'stride must be at least 1'),
        ({'start_s': math.nan}, 'start must be'),
    ):
        with pytest.raises(ValueError, match=message):
            Selection(**values)


def test_one_camera_info_for_all_images(tmp_path):
    info = calibration_to_message(Calibration(64, 48, K), Header())
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/image', Image, RELIABLE)
        bag.add_topic('/camera_info', CameraInfo, RELIABLE)
        for number in range(48):
            header = Header(stamp=stamp_message(10**9 + number))
            bag.write('/image', bgr_to_image(np.zeros((48, 64, 3), np.uint8), header), number)
            if number == 2:
                bag.write('/camera_info', info, number)
    found = read(tmp_path / 'bag')
    assert len(found) == 48
    assert all(decoded.camera.K[0, 0] == 50.0 for _, decoded in found)


def test_images_have_the_camera_info_that_had_come_before_them(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/image', Image, RELIABLE)
        bag.add_topic('/camera_info', CameraInfo, RELIABLE)
        for number in range(20):  # the camera zooms half way, and its infos have no stamps
            focal = np.diag([50.0 if number < 10 else 80.0] * 2 + [1.0])
            info = calibration_to_message(Calibration(64, 48, focal), Header())
            at_ns = number * STEP_NS
            header = Header(stamp=stamp_message(10**9 + at_ns))
            bag.write('/camera_info', info, at_ns)
            bag.write('/image', bgr_to_image(np.zeros((48, 64, 3), np.uint8), header), at_ns + 1)
    found = [decoded.camera.K[0, 0] for _, decoded in read(tmp_path / 'bag')]
    assert found == [50.0] * 10 + [80.0] * 10


def test_what_is_missing_costs_the_frame_and_says_why(tmp_path):
    write_small_bag(tmp_path / 'bag', 2, info=False, truth=False, spoilt=(1,))
    (_, first), (_, second) = read(tmp_path / 'bag')
    assert str(first) == 'no camera info has come on /front/camera_info'
    assert 'must be 9216 bytes, got 10' in str(second)


def test_a_calibration_file_stands_for_camera_infos(tmp_path, make):
    write_small_bag(tmp_path / 'bag', 1, info=False, truth=False)
    (tmp_path / 'camera.yaml').write_text(make.calibration_yaml(fx=77.0))
    ((_, decoded),) = read(tmp_path / 'bag', calibration=tmp_path / 'camera.yaml')
    assert decoded.camera.K[0, 0] == 77.0 and decoded.truth is None


def test_ground_truth_in_another_frame_is_refused(tmp_path):
    write_small_bag(tmp_path / 'bag', 1, cameras=('/front', '/rear'))
    with TolerantBag(tmp_path / 'bag') as bag:
        cameras = find_cameras(
            bag.topics, chosen=['/front/image_rect'], truth='/rear/ground_truth'
        )
        (frame,) = BagFrames(bag, cameras, Selection())
    with pytest.raises(ValueError, match=r"in the frame 'rear_optical', expected .*'front_opt"):
        FrameDecoder('auto', None).decode(frame)


@pytest.mark.parametrize('enough', [True, False])
def test_images_of_fast_cameras_wait_as_long_as_others(tmp_path, monkeypatch, enough):
    """Labels come 0.3 s late; images wait for them unless they take too much memory."""
    images_at_once = 100 if enough else 10
    monkeypatch.setattr(bag_frames, 'MOST_WAITING_BYTES', images_at_once * 64 * 48 * 3)
    messages = []
    with BagWriter(tmp_path / 'bag') as bag:
        for camera in 'abcdef':
            for name, kind in (('image', Image), ('camera_info', CameraInfo),
                               ('ground_truth', Detection3DArray)):  # fmt: skip
                bag.add_topic(f'/{camera}/{name}', kind, RELIABLE)
            for number in range(40):
                at = BEGIN_NS + number * STEP_NS
                header = Header(stamp=stamp_message(at))
                info = calibration_to_message(Calibration(64, 48, K), header)
                messages += [
                    (at, f'/{camera}/image', bgr_to_image(picture(number), header)),
                    (at, f'/{camera}/camera_info', info),
                    (at + 3 * STEP_NS, f'/{camera}/ground_truth', objects_to_message([], header)),
                ]
        for at, topic, message in sorted(messages, key=lambda each: each[0]):
            bag.write(topic, message, at)
    with TolerantBag(tmp_path / 'bag') as bag:
        frames = list(BagFrames(bag, find_cameras(bag.topics), Selection()))
    assert len(frames) == 240
    assert all(frame.truth is not None for frame in frames) == enough
    assert any('so many came in that time' in text for text in bag.problems) != enough


def test_a_stamp_of_zero_belongs_to_nothing(tmp_path):
    """Else every image would have the labels of the one before."""
    write_small_bag(tmp_path / 'bag', 4, stamped=False)
    with TolerantBag(tmp_path / 'bag') as bag:
        frames = list(BagFrames(bag, find_cameras(bag.topics), Selection()))
    assert [frame.truth for frame in frames] == [None] * 4
    assert all(frame.info is not None for frame in frames)
    assert '0 of 4 messages have found an image' in bag.problems[0]


class TestDiscovery:
    def find(self, topics, **options):
        kinds = {
            'image': IMAGE,
            'compressed': COMPRESSED,
            'info': CAMERA_INFO,
            'boxes': DETECTIONS,
        }
        listed = {name: BagTopic(name, kinds[kind], 1, None, '') for name, kind in topics.items()}
        return find_cameras(listed, **options)

    def test_one_image_for_each_camera(self):
        cameras = self.find({
            '/a/image_raw': 'image', '/a/image_rect': 'image', '/a/camera_info': 'info',
            '/a/image_rect/compressed': 'compressed', '/debug/image': 'image',
            '/b/image_raw/compressed': 'compressed', '/b/camera_info': 'info',
            '/b/ground_truth': 'boxes',
        })  # fmt: skip
        assert [camera.image for camera in cameras] == ['/a/image_rect', '/b/image_raw/compressed']
        assert cameras[1].compressed and cameras[1].truth == '/b/ground_truth'
        assert cameras[1].namespace == '/b' and cameras[0].truth is None

    def test_a_calibration_needs_no_camera_info(self):
        (camera,) = self.find({'/image': 'image'}, has_calibration=True)
        assert (camera.image, camera.info, camera.namespace) == ('/image', None, '')

    @pytest.mark.parametrize(
        ('options', 'message'),
        [
            ({}, 'no image topic with a camera_info beside it; the topics are /x/image'),
            ({'chosen': ['/y']}, 'topic /y: expected .*no such topic; there are /x/image'),
            ({'chosen': ['/x/image']}, r'no /x/camera_info in the bag; give .* --calib'),
            ({'chosen': ['/x/image'], 'truth': '/x/image'}, 'expected vision_msgs.*it is sensor'),
        ],
    )
    def test_what_is_not_there(self, options, message):
        with pytest.raises(ValueError, match=message):
            self.find({'/x/image': 'image'}, **options)

    def test_ground_truth_can_be_left_out(self):
        topics = {'/a/image': 'image', '/b/image': 'image', '/a/ground_truth': 'boxes'}
        assert [each.truth for each in self.find(topics, has_calibration=True)] == [
            '/a/ground_truth', None,
        ]  # fmt: skip
        for camera in self.find(topics, has_calibration=True, truth=NO_TRUTH):
            assert camera.truth is None

    def test_ground_truth_belongs_to_one_camera(self):
        topics = {'/a/image': 'image', '/b/image': 'image', '/labels': 'boxes'}
        with pytest.raises(ValueError, match='is that of one camera, but there are 2'):
            self.find(topics, has_calibration=True, truth='/labels')


@pytest.mark.parametrize(
    ('shift_ns', 'late_ns', 'found'), [(0, 0, 4), (1000, 0, 0), (0, 700_000_000, 2)]
)
def test_ground_truth_that_finds_no_image_is_said(tmp_path, caplog, shift_ns, late_ns, found):
    """Stamps a little off, or messages that come later than they are waited for."""
    with BagWriter(tmp_path / 'bag') as bag:
        for name, kind in (('image', Image), ('camera_info', CameraInfo),
                           ('ground_truth', Detection3DArray)):  # fmt: skip
            bag.add_topic(f'/c/{name}', kind, RELIABLE)
        messages = []
        for number in range(4):
            at = BEGIN_NS + number * STEP_NS
            header = Header(stamp=stamp_message(at))
            labelled = Header(stamp=stamp_message(at + shift_ns))
            info = calibration_to_message(Calibration(64, 48, K), header)
            late = at + (late_ns if number else 0)
            messages += [
                (at, '/c/image', bgr_to_image(np.zeros((48, 64, 3), np.uint8), header)),
                (at, '/c/camera_info', info),
                (late, '/c/ground_truth', objects_to_message([CAR], labelled)),
            ]
        for at, topic, message in sorted(messages, key=lambda each: each[0]):
            bag.write(topic, message, at)
    with TolerantBag(tmp_path / 'bag') as bag:
        frames = list(BagFrames(bag, find_cameras(bag.topics), Selection()))
    assert sum(frame.truth is not None for frame in frames) == found
    text = f'/c/ground_truth: {found} of 4 messages have found an image of /c/image'
    # Where there is none at all, it is a problem.
    assert [problem.startswith(text) for problem in bag.problems] == [True] * (found == 0)
    assert (text in caplog.text) == (0 < found < 4)
