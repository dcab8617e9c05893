"""KITTI's frames and drives, and folders of images, as bags."""

from __future__ import annotations

import array
import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from tqdm import tqdm
from vision_msgs.msg import Detection3DArray
from visualization_msgs.msg import MarkerArray

from smoke_ros.calibration import Calibration, is_ros_calibration
from smoke_ros.config.node import NodeConfig
from smoke_ros.data.drives import DriveCamera, DriveImage, read_drive_calibration, read_labels
from smoke_ros.data.layout import read_image
from smoke_ros.ros.bags import BagWriter
from smoke_ros.ros.camera_info import calibration_to_message
from smoke_ros.ros.ground_truth import objects_to_message
from smoke_ros.ros.images import BgrImage, bgr_to_image
from smoke_ros.ros.markers import objects_to_markers
from smoke_ros.ros.qos import RELIABLE, SENSOR_DATA
from smoke_ros.ros.stamps import stamp_message
from smoke_ros.structures import Vector3

#: Beginnings of the names of topics and frames.
PREFIX = 'camera'

#: How a PNG file begins, and the byte that holds its bits a channel (its specification, 11.2.1).
_PNG_BEGINNING, _PNG_DEPTH_AT = b'\x89PNG', 24


@dataclass(frozen=True)
class Conversion:
    """How a recording becomes a bag.

    Attributes
    ----------
    calibration
        Stands for the recording's own.
    rectified
        Whether the images of a ROS calibration are rectified; KITTI's always are.
    compressed
        Store the files as they are, as CompressedImage, rather than as pixels.
    storage
        'mcap' or 'sqlite3'.
    overwrite
        Replace a bag that is there.
    """

    calibration: Path | None = None
    rectified: bool = False
    compressed: bool = False
    storage: str = 'mcap'
    overwrite: bool = False


def write_drive(cameras: list[DriveCamera], path: Path, conversion: Conversion) -> dict[str, int]:
    """Write a recording as a bag; return the number of messages by topic.

    Of each camera there are an image topic (``/camera_2/image_rect``), ``camera_info`` and, where
    there are labels, ``ground_truth`` and ``ground_truth_markers``. Boxes and P are in the frame
    of the camera itself.

    Raises
    ------
    FileExistsError
        If there is something at ``path`` already.
    FileNotFoundError, ValueError
        If an image has no calibration, or a file is not what it should be.
    """
    streams = [_CameraTopics(camera, conversion) for camera in cameras]
    counts: dict[str, int] = {}
    total = sum(len(camera.images) for camera in cameras)
    with BagWriter(path, conversion.storage, overwrite=conversion.overwrite) as bag:
        for stream in streams:
            stream.announce(bag)
        in_order = heapq.merge(
            *(zip(stream.images, itertools.repeat(stream), strict=False) for stream in streams),
            key=lambda pair: pair[0].stamp_ns,
        )
        for image, stream in tqdm(in_order, total=total, unit='image', disable=None):
            for topic, message in stream.messages(image):
                bag.write(topic, message, image.stamp_ns)
                counts[topic] = counts.get(topic, 0) + 1
    return counts


class _CameraTopics:
    """One camera's topics, and the messages of its images."""

    def __init__(self, camera: DriveCamera, conversion: Conversion) -> None:
        self.images = camera.images
        self._number, self._conversion = camera.number, conversion
        self._known: dict[tuple[Path, tuple[int, int]], tuple[Calibration, Vector3]] = {}
        first = self._calibration_path(camera.images[0])
        is_ros = is_ros_calibration(first)
        base = PREFIX if camera.number is None else f'{PREFIX}_{camera.number}'
        kind = 'image_rect' if conversion.rectified or not is_ros else 'image_raw'
        self._frame_id = f'{base}_optical'
        self._image_topic = f'/{base}/{kind}' + ('/compressed' if conversion.compressed else '')
        self._info_topic, self._truth_topic = f'/{base}/camera_info', f'/{base}/ground_truth'

    def announce(self, bag: BagWriter) -> None:
        """Add the topics to a bag."""
        image_class = CompressedImage if self._conversion.compressed else Image
        bag.add_topic(self._image_topic, image_class, SENSOR_DATA)
        bag.add_topic(self._info_topic, CameraInfo, SENSOR_DATA)
        if any(image.labels for image in self.images):
            bag.add_topic(self._truth_topic, Detection3DArray, RELIABLE)
            bag.add_topic(f'{self._truth_topic}_markers', MarkerArray, RELIABLE)

    def messages(self, image: DriveImage) -> Iterator[tuple[str, object]]:
        """Yield the messages of an image, each with its topic."""
        header = Header(frame_id=self._frame_id, stamp=stamp_message(image.stamp_ns))
        pixels = read_image(image.path)
        size = (pixels.shape[1], pixels.shape[0])
        calibration, offset = self._calibration(self._calibration_path(image), size)
        yield self._info_topic, calibration_to_message(calibration, header)
        if self._conversion.compressed:
            yield self._image_topic, _compressed(image.path, pixels, header)
        else:
            yield self._image_topic, bgr_to_image(pixels, header)
        if image.labels is not None:
            objects = read_labels(image.labels, offset)
            yield self._truth_topic, objects_to_message(objects, header)
            markers = objects_to_markers(objects, header, NodeConfig().marker_lifetime)
            yield f'{self._truth_topic}_markers', markers

    def _calibration_path(self, image: DriveImage) -> Path:
        path = self._conversion.calibration or image.calibration
        if path is None:
            raise FileNotFoundError(
                f'{image.path}: no calibration with it; give one by --calib (a ROS .yaml or a '
                'KITTI .txt)'
            )
        return path

    def _calibration(self, path: Path, size: tuple[int, int]) -> tuple[Calibration, Vector3]:
        key = (path, size)
        if key not in self._known:
            # Object frames have a file each: the last is enough, a drive has one for all.
            self._known = {key: read_drive_calibration(path, self._number, size)}
        return self._known[key]


def _compressed(path: Path, pixels: BgrImage, header: Header) -> CompressedImage:
    """Make a message of a JPEG or PNG file, byte for byte where it has 8 bits a channel."""
    data = path.read_bytes()
    kind = 'png' if data.startswith(_PNG_BEGINNING) else 'jpeg'
    if kind == 'png' and data[_PNG_DEPTH_AT] != 8:
        data = cv2.imencode('.png', pixels)[1].tobytes()  # the format below holds 8 bits
    message = CompressedImage(header=header, format=f'bgr8; {kind} compressed bgr8')
    message.data = array.array('B', data)
    return message
