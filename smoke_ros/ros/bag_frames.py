"""The frames of a bag: each image with its camera and its ground truth, in the bag's order."""

from __future__ import annotations

import math
import struct
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection3DArray

from smoke_ros.data.drives import read_drive_calibration
from smoke_ros.data.kitti import KittiObject
from smoke_ros.ros.bags import BagMessage
from smoke_ros.ros.camera_info import CameraSource, is_rectified
from smoke_ros.ros.camera_topics import CameraTopics
from smoke_ros.ros.compressed import message_to_bgr
from smoke_ros.ros.ground_truth import message_to_objects
from smoke_ros.ros.images import BgrImage
from smoke_ros.ros.tolerant_bag import TolerantBag
from smoke_ros.structures import CameraModel, Vector3

#: How long, in the bag's time, an image waits for what bears its stamp.
WAIT_NS = 500_000_000
#: How many bytes of images wait at most, whatever the bag's rate and the number of its cameras.
MOST_WAITING_BYTES = 1 << 29
#: Messages that are kept for images which are still to come, and how many at most where they came
#: so lately that their images may be behind one which waits the longest.
MOST_KEPT, MOST_KEPT_LATELY = 64, 4096
LATELY_NS = 2 * WAIT_NS


@dataclass(frozen=True)
class Selection:
    """Which images of a bag.

    Attributes
    ----------
    start_s, duration_s
        In seconds from the beginning of the bag, by the time of recording.
    stride
        Every which image of a topic, from the first within the duration.
    """

    start_s: float = 0.0
    duration_s: float = math.inf
    stride: int = 1

    def __post_init__(self) -> None:
        if not 0.0 <= self.start_s < math.inf:
            raise ValueError(f'start must be at least 0 s and finite, got {self.start_s:g}')
        if not self.duration_s > 0.0:
            raise ValueError(f'duration must be above 0 s, got {self.duration_s:g}')
        if self.stride < 1:
            raise ValueError(f'stride must be at least 1, got {self.stride}')


@dataclass(frozen=True)
class BagFrame:
    """An image of a bag with what belongs to it, not decoded yet."""

    topics: CameraTopics
    #: Among the images of its topic, in the whole bag.
    index: int
    stamp_ns: int
    received_ns: int
    frame_id: str
    image: BagMessage
    info: BagMessage | None
    truth: BagMessage | None


@dataclass(frozen=True)
class DecodedFrame:
    """An image, its camera and its ground truth (None where it has no label)."""

    header: Header
    image_bgr: BgrImage
    camera: CameraModel
    truth: list[KittiObject] | None
    #: From the origin that a KITTI calibration file's labels have to that of the camera.
    label_offset: Vector3


class BagFrames:
    """Pairs the messages of a bag's cameras.

    A camera info belongs to an image with its stamp; without one, the latest before it counts.
    Ground truth belongs to the image with its stamp. A stamp of zero is none and belongs to
    nothing: drivers that set no stamp leave zero in every message.

    Parameters
    ----------
    bag
        An open bag.
    cameras
        Of the bag.
    selection
        Which images.
    """

    def __init__(
        self, bag: TolerantBag, cameras: Sequence[CameraTopics], selection: Selection
    ) -> None:
        self._bag, self._selection = bag, selection
        self._cameras = {camera.image: camera for camera in cameras}
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._by_stamp: dict[str, dict[int, BagMessage]] = {
            name: {} for camera in cameras for name in (camera.info, camera.truth) if name
        }
        self._latest: dict[str, BagMessage] = {}
        #: Messages of each topic that came, and of ground truth those that found their image.
        self._came, self._used = Counter[str](), Counter[str]()

    def __iter__(self) -> Iterator[BagFrame]:
        first_ns = self._bag.first_ns + round(self._selection.start_s * 1e9)
        end_ns = math.inf
        if math.isfinite(self._selection.duration_s):
            end_ns = first_ns + round(self._selection.duration_s * 1e9)
        names = {name for camera in self._cameras.values() for name in camera.names}
        counts = dict.fromkeys(self._cameras, 0)
        within = dict.fromkeys(self._cameras, 0)
        for message in self._bag.messages(names):
            if message.stamp_ns >= end_ns + WAIT_NS:
                break
            if message.topic not in self._cameras:
                self._keep(message)
            else:
                index, counts[message.topic] = counts[message.topic], counts[message.topic] + 1
                if first_ns <= message.stamp_ns < end_ns:
                    if within[message.topic] % self._selection.stride == 0:
                        info = self._cameras[message.topic].info
                        before = None if info is None else self._latest.get(info)
                        self._waiting.append(_Waiting(message, index, before))
                        self._waiting_bytes += len(message.data)
                    within[message.topic] += 1
            yield from self._ready(message.stamp_ns)
        yield from self._ready(None)
        if self._selection == Selection():
            self._check_truths(counts)

    def _note_hurry(self) -> None:
        self._bag.note(
            f'images did not wait {1e-9 * WAIT_NS:g} s for the camera infos and labels with their '
            f'stamps: so many came in that time that they take more than '
            f'{MOST_WAITING_BYTES >> 20} MiB; replay fewer cameras at a time'
        )

    def _check_truths(self, images: Mapping[str, int]) -> None:
        """Say where ground truth has not found the images it is of."""
        for camera in self._cameras.values():
            if camera.truth is None:
                continue
            came, used = self._came[camera.truth], self._used[camera.truth]
            if used == came:
                continue
            text = (
                f'{camera.truth}: {used} of {came} messages have found an '
                f'image of {camera.image}: the stamps must be the same, to the nanosecond, and '
                f'not zero, and a message may come {1e-9 * WAIT_NS:g} s after its image'
            )
            if not used:
                self._bag.note(text)
            elif used < images[camera.image]:
                self._bag.warn(text)

    def _keep(self, message: BagMessage) -> None:
        kept = self._by_stamp[message.topic]
        self._came[message.topic] += 1
        stamp_ns, _ = _header_of(message)
        if stamp_ns:
            kept[stamp_ns] = message
        self._latest[message.topic] = message
        while len(kept) > MOST_KEPT:
            oldest = next(iter(kept))
            is_recent = abs(message.stamp_ns - kept[oldest].stamp_ns) <= LATELY_NS
            if is_recent and len(kept) <= MOST_KEPT_LATELY:
                break
            del kept[oldest]

    def _ready(self, now_ns: int | None) -> Iterator[BagFrame]:
        """Hand out waiting images from the front that are complete, or have waited too long."""
        while self._waiting:
            head = self._waiting[0]
            camera = self._cameras[head.message.topic]
            stamp_ns, frame_id = _header_of(head.message)
            wanted = [name for name in (camera.info, camera.truth) if name is not None]
            complete = all(stamp_ns in self._by_stamp[name] for name in wanted)
            late = now_ns is None or now_ns - head.message.stamp_ns > WAIT_NS
            if not (complete or late):
                if self._waiting_bytes <= MOST_WAITING_BYTES:
                    return
                self._note_hurry()
            self._waiting.popleft()
            self._waiting_bytes -= len(head.message.data)
            info = truth = None
            if camera.info is not None:
                info = self._by_stamp[camera.info].get(stamp_ns)
                info = info or head.info_before or self._latest.get(camera.info)
            if camera.truth is not None:
                truth = self._by_stamp[camera.truth].get(stamp_ns)
                self._used[camera.truth] += truth is not None
            yield BagFrame(
                camera, head.index, stamp_ns, head.message.stamp_ns, frame_id, head.message,
                info, truth,
            )  # fmt: skip


@dataclass(frozen=True)
class _Waiting:
    message: BagMessage
    index: int
    #: The last camera info that had come when the image came.
    info_before: BagMessage | None


class FrameDecoder:
    """Decodes the frames of one bag.

    Parameters
    ----------
    rectification
        'auto', 'raw' or 'rectified', as the node's parameter.
    calibration
        A file, of ROS or of KITTI, that stands for every camera info.
    """

    def __init__(self, rectification: str, calibration: Path | None) -> None:
        self._rectification, self._calibration = rectification, calibration
        self._sources: dict[str, CameraSource] = {}
        self._offset: Vector3 = (0.0, 0.0, 0.0)

    def decode(self, frame: BagFrame) -> DecodedFrame:
        """Decode an image and what belongs to it.

        Raises
        ------
        ValueError
            If one of the messages cannot be used.
        """
        message: Any = frame.image.decode(CompressedImage if frame.topics.compressed else Image)
        image_bgr = message_to_bgr(message)
        height, width = image_bgr.shape[:2]
        camera = self._camera(frame, (width, height))
        truth = _truth(frame, camera)
        return DecodedFrame(message.header, image_bgr, camera, truth, self._offset)

    def _camera(self, frame: BagFrame, size: tuple[int, int]) -> CameraModel:
        topic = frame.topics.image
        if topic not in self._sources:
            fixed = None
            if self._calibration is not None:
                fixed, self._offset = read_drive_calibration(self._calibration, None, size)
            rectified = is_rectified(self._rectification, topic)
            self._sources[topic] = CameraSource(rectified=rectified, fixed=fixed)
        if self._calibration is not None:
            return self._sources[topic].camera(None, size)
        if frame.info is None:
            raise ValueError(f'no camera info has come on {frame.topics.info}')
        return self._sources[topic].camera(frame.info.decode(CameraInfo), size)


def _truth(frame: BagFrame, camera: CameraModel) -> list[KittiObject] | None:
    if frame.truth is None:
        return None
    message = frame.truth.decode(Detection3DArray)
    if message.header.frame_id not in ('', frame.frame_id):
        raise ValueError(
            f'the ground truth on {frame.truth.topic} is in the frame '
            f'{message.header.frame_id!r}, expected that of the image, {frame.frame_id!r}'
        )
    return message_to_objects(message, camera)


def _header_of(message: BagMessage) -> tuple[int, str]:
    """Return stamp (ns) and frame_id of a message, which begins with a header.

    They are read from the bytes: to make a message of an image takes a thousand times as long.
    Where there are too few, decoding the message will say so; until then, it has the time of its
    recording.
    """
    order = '<' if message.data[1:2] == b'\x01' else '>'
    try:
        seconds, nanoseconds, length = struct.unpack_from(f'{order}iII', message.data, 4)
    except struct.error:
        return message.stamp_ns, ''
    text = message.data[16 : 16 + max(0, length - 1)]
    return seconds * 1_000_000_000 + nanoseconds, text.decode('utf-8', 'replace')
