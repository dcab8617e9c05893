"""Bags of a dozen images for tests that damage them: written, joined, spoilt and read."""

import shutil

import numpy as np
from packed_bags import open_image_bag
from rclpy.serialization import serialize_message
from ruamel.yaml import YAML
from sensor_msgs.msg import Image

from smoke_ros.ros.tolerant_bag import TolerantBag

COUNT = 12
STORAGES = ('mcap', 'sqlite3')
MAGIC = {'zstd': b'\x28\xb5\x2f\xfd', 'lz4': b'\x04\x22\x4d\x18'}


def write(path, storage='mcap', compression='', width=1000, first=0, first_ns=1000, stamps=None):
    """Write images of about 300 kB that tell their number in the first byte."""
    random = np.random.default_rng(0)
    with open_image_bag(path, storage, compression) as add:
        for number in range(COUNT):
            image = Image(height=300, width=width, step=width, encoding='mono8')
            image.data = bytes([first + number]) + random.bytes(300 * width - 1)
            stamp_ns = stamps[number] if stamps else first_ns + number
            image.header.stamp.nanosec = stamp_ns
            add(stamp_ns, image)
    return next(file for file in path.iterdir() if file.suffix != '.yaml')


def join(folder, files):
    """Make one bag of the files of several."""
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
    yaml = YAML(typ='safe')
    content = yaml.load((files[0].parent / 'metadata.yaml').read_text())
    information = content['rosbag2_bagfile_information']
    information['relative_file_paths'] = [file.name for file in files]
    information['message_count'] = len(files) * COUNT
    information['topics_with_message_count'][0]['message_count'] = len(files) * COUNT
    with (folder / 'metadata.yaml').open('w') as out:
        yaml.dump(content, out)
    return folder


def spoil_chunk(file, share, compression='zstd'):
    """Spoil the first chunk behind a share of the file."""
    data = bytearray(file.read_bytes())
    # What a chunk begins with, or a message in it: its kind, and its length of 22 + 300 kB.
    length = len(serialize_message(Image(data=bytes(300_000), encoding='mono8'))) + 22
    beginning = MAGIC.get(compression, b'\x05' + length.to_bytes(8, 'little'))
    at = data.index(beginning, int(len(data) * share))
    data[at : at + 9] = b'\xff' * 9
    file.write_bytes(data)


def read(path):
    """Return the numbers of the images that can be read, and the problems."""
    with TolerantBag(path) as bag:
        messages = list(bag.messages(['/image']))
        numbers = [message.decode(Image).data[0] for message in messages]
        assert [message.stamp_ns for message in messages] == [1000 + n for n in numbers]
        return numbers, bag.problems


def read_numbers(path):
    """Return the same, whatever the times."""
    with TolerantBag(path) as bag:
        numbers = [message.decode(Image).data[0] for message in bag.messages(['/image'])]
        return numbers, bag.problems
