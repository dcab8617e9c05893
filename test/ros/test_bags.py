import tracemalloc

import numpy as np
import pytest

pytest.importorskip('rclpy')

from packed_bags import open_image_bag
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rclpy.serialization import deserialize_message, serialize_message
from ruamel.yaml import YAML
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray, VisionInfo
from visualization_msgs.msg import MarkerArray

from smoke_ros.ros.bags import BagReader, BagWriter
from smoke_ros.ros.images import bgr_to_image
from smoke_ros.ros.markers import detections_to_markers
from smoke_ros.ros.message_types import describe
from smoke_ros.ros.messages import detections_to_message
from smoke_ros.ros.qos import LATCHED, RELIABLE, SENSOR_DATA
from smoke_ros.structures import Detection3D

ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'

STORAGES = ('mcap', 'sqlite3')


def make_messages():
    header = Header(frame_id='camera')
    header.stamp.sec, header.stamp.nanosec = 3, 7
    box = Detection3D((1.0, 2.0, 30.0), (4.0, 1.5, 1.6), 0.5, 'Car', 0.9, (0, 0, 0, 0))
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    return {
        '/camera/image': (bgr_to_image(pixels, header), SENSOR_DATA),
        '/camera/image/compressed': (
            CompressedImage(header=header, format='jpeg', data=[1, 2, 3]), SENSOR_DATA,
        ),
        '/camera/camera_info': (CameraInfo(header=header, width=6, d=[0.1, 0.2]), SENSOR_DATA),
        '/smoke_node/detections': (
            detections_to_message([box], header, lambda _: np.eye(6)), RELIABLE,
        ),
        '/smoke_node/markers': (detections_to_markers([box], header, 0, 1.0), RELIABLE),
        '/smoke_node/vision_info': (VisionInfo(header=header, method='SMOKE'), LATCHED),
    }  # fmt: skip


def as_received(message):
    """Return a message after serialization: colours, for one, are of single precision then."""
    return deserialize_message(serialize_message(message), type(message))


def write_bag(path, storage='mcap', count=3):
    messages = make_messages()
    with BagWriter(path, storage) as bag:
        for topic, (message, qos) in messages.items():
            bag.add_topic(topic, type(message), qos)
        for number in range(count):
            for topic, (message, _) in messages.items():
                bag.write(topic, message, 10**9 + number * 10**8)
    return messages


@pytest.mark.parametrize('storage', STORAGES)
def test_messages_come_back_as_they_went_in(tmp_path, storage):
    messages = write_bag(tmp_path / 'drive', storage)
    with BagReader(tmp_path / 'drive') as bag:
        assert set(bag.topics) == set(messages)
        assert bag.message_count == 3 * len(messages)
        assert bag.duration_s == pytest.approx(0.2)
        read = list(bag.messages())
        for message in read:
            decoded = message.decode(bag.topics[message.topic].message_class())
            assert decoded == as_received(messages[message.topic][0])
    assert [m.stamp_ns for m in read if m.topic == '/camera/image'] == [
        10**9, 11 * 10**8, 12 * 10**8,
    ]  # fmt: skip


@pytest.mark.parametrize('storage', STORAGES)
def test_one_file_of_a_bag_can_be_read_alone(tmp_path, storage):
    write_bag(tmp_path / 'drive', storage)
    (path,) = [path for path in (tmp_path / 'drive').iterdir() if path.suffix != '.yaml']
    with BagReader(path) as bag:
        assert sum(1 for _ in bag.messages(['/camera/image'])) == 3


@pytest.mark.parametrize('storage', STORAGES)
def test_a_bag_describes_itself(tmp_path, storage):
    write_bag(tmp_path / 'drive', storage)
    content = YAML(typ='safe').load((tmp_path / 'drive' / 'metadata.yaml').read_text())
    content = content['rosbag2_bagfile_information']
    assert content['version'] == 8  # of which Humble reads all that it needs
    for topic in content['topics_with_message_count']:
        # A list, as from version 9 on, is a bad conversion to Humble and Iron.
        assert isinstance(topic['topic_metadata']['offered_qos_profiles'], str)
    assert content['storage_identifier'] == storage
    topics = {
        entry['topic_metadata']['name']: entry['topic_metadata']
        for entry in content['topics_with_message_count']
    }
    detections = topics['/smoke_node/detections']
    assert detections['type'] == 'vision_msgs/msg/Detection3DArray'
    assert detections['type_description_hash'] == describe(Detection3DArray).hash
    # Up to version 8 profiles are text, with the numbers of rmw/types.h.
    for name, durability, reliability in (
        ('/smoke_node/vision_info', DurabilityPolicy.TRANSIENT_LOCAL, ReliabilityPolicy.RELIABLE),
        ('/camera/image', DurabilityPolicy.VOLATILE, ReliabilityPolicy.BEST_EFFORT),
    ):
        (offered,) = YAML(typ='safe').load(topics[name]['offered_qos_profiles'])
        assert (offered['durability'], offered['reliability']) == (durability, reliability)
    (file,) = [path for path in (tmp_path / 'drive').iterdir() if path.suffix != '.yaml']
    assert describe(MarkerArray).definition.encode() in file.read_bytes()


def test_quality_of_service_comes_back(tmp_path):
    write_bag(tmp_path / 'drive')
    with BagReader(tmp_path / 'drive') as bag:
        latched = bag.topics['/smoke_node/vision_info'].qos
        image = bag.topics['/camera/image'].qos
    assert latched.durability == DurabilityPolicy.TRANSIENT_LOCAL and latched.depth == 1
    assert image.reliability == ReliabilityPolicy.BEST_EFFORT and image.depth == 5


@pytest.mark.parametrize(
    ('storage', 'compression'),
    [('mcap', 'zstd'), ('mcap', 'lz4'), ('sqlite3', 'messages'), ('mcap', 'file')],
)
def test_compressed_bags_are_read(tmp_path, storage, compression):
    image = make_messages()['/camera/image'][0]
    with open_image_bag(tmp_path / 'drive', storage, compression) as add:
        add(5, image)
    with BagReader(tmp_path / 'drive') as bag:
        (message,) = bag.messages()
    assert message.decode(Image) == image


def test_a_topic_without_quality_of_service_is_played_reliably(tmp_path):
    with open_image_bag(tmp_path / 'drive', compression='zstd') as add:
        add(5, make_messages()['/camera/image'][0])
    with BagReader(tmp_path / 'drive') as bag:
        assert bag.topics['/image'].qos.reliability == ReliabilityPolicy.RELIABLE


def test_an_empty_bag(tmp_path):
    with BagWriter(tmp_path / 'drive') as bag:
        bag.add_topic('/image', Image, RELIABLE)
    with BagReader(tmp_path / 'drive') as bag:
        assert bag.message_count == 0 and bag.duration_s == 0.0
        assert list(bag.messages()) == []
        assert list(bag.messages([])) == []


class TestWriting:
    @pytest.mark.parametrize('storage', STORAGES)
    def test_an_interrupted_bag_leaves_nothing(self, tmp_path, storage):
        with pytest.raises(KeyboardInterrupt), BagWriter(tmp_path / 'drive', storage) as bag:
            bag.add_topic('/image', Image, RELIABLE)
            bag.write('/image', Image(), 1)
            raise KeyboardInterrupt
        assert list(tmp_path.iterdir()) == []

    def test_a_bag_is_replaced_only_where_that_is_wanted(self, tmp_path):
        write_bag(tmp_path / 'drive')
        with pytest.raises(FileExistsError, match='drive exists already'):
            BagWriter(tmp_path / 'drive')
        with pytest.raises(RuntimeError), BagWriter(tmp_path / 'drive', overwrite=True):
            raise RuntimeError
        with BagReader(tmp_path / 'drive') as bag:
            assert bag.message_count == 18
        with BagWriter(tmp_path / 'drive', overwrite=True):
            pass
        with BagReader(tmp_path / 'drive') as bag:
            assert bag.message_count == 0
        assert [path.name for path in tmp_path.iterdir()] == ['drive']

    def test_a_folder_that_is_no_bag_is_never_replaced(self, tmp_path):
        (tmp_path / 'thesis').mkdir()
        with pytest.raises(FileExistsError, match='thesis exists already and is not a bag'):
            BagWriter(tmp_path / 'thesis', overwrite=True)

    def test_wrong_arguments_are_named(self, tmp_path):
        with pytest.raises(ValueError, match="one of mcap, sqlite3, got 'zip'"):
            BagWriter(tmp_path / 'drive', 'zip')
        with BagWriter(tmp_path / 'drive') as bag:
            bag.add_topic('/image', Image, RELIABLE)
            with pytest.raises(TypeError, match='/image must be sensor_msgs/msg/Image'):
                bag.write('/image', CameraInfo(), 1)
            with pytest.raises(ValueError, match=r"/other was not added; there are \['/image'\]"):
                bag.write('/other', Image(), 1)


class TestDamage:
    def test_no_bag(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r'no bag at .*absent'):
            BagReader(tmp_path / 'absent')
        with pytest.raises(FileNotFoundError, match=r'has no metadata\.yaml'):
            BagReader(tmp_path)

    @pytest.mark.parametrize(
        'text', ['', '- 1', '{', 'rosbag2_bagfile_information: {version: 99}']
    )
    def test_metadata_that_makes_no_sense(self, tmp_path, text):
        (tmp_path / 'metadata.yaml').write_text(text)
        with pytest.raises(ValueError, match=f'cannot read the bag {tmp_path}'):
            BagReader(tmp_path).__enter__()

    @pytest.mark.parametrize('storage', STORAGES)
    def test_a_file_that_was_cut_off(self, tmp_path, storage):
        write_bag(tmp_path / 'drive', storage, count=50)
        (file,) = [path for path in (tmp_path / 'drive').iterdir() if path.suffix != '.yaml']
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        with (
            pytest.raises(ValueError, match='drive'),
            BagReader(tmp_path / 'drive') as bag,
        ):
            list(bag.messages())

    def test_damage_inside_says_how_much_was_read(self, tmp_path):
        # Four messages, each in a chunk of its own; the third one's zstd frame is spoilt.
        image = Image(height=1000, width=1200, step=1200, encoding='mono8')
        image.data = np.random.default_rng(0).bytes(1_200_000)
        path = tmp_path / 'drive'
        with open_image_bag(path, compression='zstd') as add:
            for number in range(4):
                add(number, image)
        file = path / 'drive.mcap'
        frames = file.read_bytes().split(ZSTD_MAGIC)
        file.write_bytes(ZSTD_MAGIC.join(frames[:3]) + bytes(4) + ZSTD_MAGIC.join(frames[3:]))
        read = []
        with (
            BagReader(path) as bag,
            pytest.raises(ValueError, match='drive is damaged after 2 of 4 messages'),
        ):
            read.extend(bag.messages())
        assert len(read) == 2

    def test_missing_messages_are_noticed(self, tmp_path):
        write_bag(tmp_path / 'drive')
        metadata = tmp_path / 'drive' / 'metadata.yaml'
        metadata.write_text(metadata.read_text().replace('message_count: 3', 'message_count: 5'))
        with (
            BagReader(tmp_path / 'drive') as bag,
            pytest.raises(ValueError, match='damaged after 3 of 5 messages: the rest is missing'),
        ):
            list(bag.messages(['/camera/image']))

    def test_a_message_that_is_none(self, tmp_path):
        with BagWriter(tmp_path / 'drive') as bag:
            bag.add_topic('/image', Image, RELIABLE)
            bag.write('/image', b'\x00\x01\x00\x00abc', 7)
        with BagReader(tmp_path / 'drive') as bag:
            (message,) = bag.messages()
        with pytest.raises(ValueError, match='/image at 7 ns, 7 bytes, is not a sensor'):
            message.decode(Image)

    def test_a_type_that_is_another_here(self, tmp_path):
        write_bag(tmp_path / 'drive')
        metadata = tmp_path / 'drive' / 'metadata.yaml'
        text = metadata.read_text().replace(describe(Image).hash, 'RIHS01_' + 64 * '0')
        metadata.write_text(text)
        with BagReader(tmp_path / 'drive') as bag:
            # The hash is that of the wire; a bag's own topics of other types stay usable.
            with pytest.raises(ValueError, match='/camera/image: sensor_msgs/msg/Image was recor'):
                bag.topics['/camera/image'].message_class()
            assert bag.topics['/camera/camera_info'].message_class() is CameraInfo

    def test_a_topic_that_is_not_there(self, tmp_path):
        write_bag(tmp_path / 'drive')
        with (
            BagReader(tmp_path / 'drive') as bag,
            pytest.raises(ValueError, match='has no topic /typo; there are /camera/image, '),
        ):
            list(bag.messages(['/typo']))


@pytest.mark.parametrize('storage', STORAGES)
def test_memory_does_not_grow_with_the_bag(tmp_path, storage):
    image = Image(height=100, width=1000, step=1000, encoding='mono8', data=bytes(100_000))
    data = serialize_message(image)

    def peak(count):
        tracemalloc.start()
        with BagWriter(tmp_path / f'{count}', storage) as bag:
            bag.add_topic('/image', Image, RELIABLE)
            for number in range(count):
                bag.write('/image', data, number)
        with BagReader(tmp_path / f'{count}') as bag:
            assert sum(1 for _ in bag.messages()) == count
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(5)  # what is loaded once
    small, large = peak(40), peak(400)
    assert large < small + 2_000_000  # the bags differ by 36 MB


def test_a_folder_around_bags_names_them(tmp_path):
    for name in ('a', 'b'):
        with BagWriter(tmp_path / 'drives' / name):
            pass
    with pytest.raises(FileNotFoundError, match=r'is no bag, but has some: .*/a, .*/b$'):
        BagReader(tmp_path / 'drives')
