"""Bags of images for tests, compressed in every way that rosbag2 knows."""

import contextlib

import lz4.frame
from rclpy.serialization import serialize_message
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from sensor_msgs.msg import Image

from smoke_ros.ros.message_types import describe


@contextlib.contextmanager
def open_image_bag(path, storage='mcap', compression=''):
    """Begin a bag with one topic of images and give what adds a message at a time in ns.

    `compression` is that of the chunks of an MCAP file ('zstd' or 'lz4'), of each of the
    'messages', of the whole 'file', or '' for none.
    """
    plugin = StoragePlugin.MCAP if storage == 'mcap' else StoragePlugin.SQLITE3
    writer = Writer(path, version=9, storage_plugin=plugin)
    modes = {'messages': CompressionMode.MESSAGE, 'file': CompressionMode.FILE}
    if compression:
        writer.set_compression(
            modes.get(compression, CompressionMode.STORAGE), CompressionFormat.ZSTD
        )
    description = describe(Image)
    with writer:
        if compression == 'lz4':  # rosbags knows only zstd by itself
            writer.storage.compression, writer.storage.compressor = 'lz4', lz4.frame.compress
        topic = writer.add_connection(
            '/image', description.name, msgdef=description.definition, rihs01=description.hash
        )
        yield lambda time_ns, image: writer.write(topic, time_ns, serialize_message(image))
