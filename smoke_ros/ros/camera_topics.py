"""Which cameras a bag has: their image topics, and what belongs to each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from smoke_ros.ros.bags import BagTopic

IMAGE = 'sensor_msgs/msg/Image'
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
DETECTIONS = 'vision_msgs/msg/Detection3DArray'

#: In place of a topic with ground truth: the bag's is not to be used.
NO_TRUTH = 'none'

#: Of the images of one camera, the one whose name has the first of these is taken.
_PREFERRED = ('image_rect_color', 'image_rect', 'image_color', 'image_raw', 'image')


@dataclass(frozen=True)
class CameraTopics:
    """The topics of one camera."""

    image: str
    #: Whether the images are CompressedImage.
    compressed: bool
    #: None where a calibration file stands for it.
    info: str | None
    #: Ground truth, Detection3DArray; None where there is none.
    truth: str | None

    @property
    def namespace(self) -> str:
        """The camera's name: the folder of its topics, ``/front`` of ``/front/image_raw``."""
        return _namespace(self.image, compressed=self.compressed)

    @property
    def names(self) -> set[str]:
        """All topics that there are."""
        return {name for name in (self.image, self.info, self.truth) if name is not None}


def find_cameras(
    topics: Mapping[str, BagTopic],
    *,
    chosen: Collection[str] = (),
    has_calibration: bool = False,
    truth: str | None = None,
) -> list[CameraTopics]:
    """Find the cameras of a bag, in the order of their names.

    Parameters
    ----------
    topics
        The bag's.
    chosen
        Image topics to take; where empty, one for each ``camera_info`` with images beside it, or
        every image topic where ``has_calibration``.
    has_calibration
        Whether there is a calibration file, so that no CameraInfo is needed.
    truth
        Topic of the ground truth; where None, ``ground_truth`` beside the images if there is one;
        where :data:`NO_TRUTH`, none.

    Raises
    ------
    ValueError
        If a topic is not there or of another type, or no camera is found.
    """
    images = {n: t for n, t in topics.items() if t.type_name in (IMAGE, COMPRESSED)}
    for name in chosen:
        if name not in images:
            _refuse(name, topics, f'{IMAGE} or {COMPRESSED}')
    named = None if truth == NO_TRUTH else truth
    if named is not None and (named not in topics or topics[named].type_name != DETECTIONS):
        _refuse(named, topics, DETECTIONS)
    names = list(dict.fromkeys(chosen)) or _discover(images, topics, has_calibration)
    cameras = [_camera(images[name], topics, has_calibration, truth) for name in names]
    if named is not None and len(cameras) > 1:
        raise ValueError(
            f'the ground truth on {named} is that of one camera, but there are {len(cameras)}: '
            f'choose one of {", ".join(camera.image for camera in cameras)}'
        )
    return cameras


def _discover(
    images: Mapping[str, BagTopic], topics: Mapping[str, BagTopic], has_calibration: bool
) -> list[str]:
    cameras: dict[str, list[BagTopic]] = {}
    for topic in images.values():
        folder = _namespace(topic.name, compressed=topic.type_name == COMPRESSED)
        if topic.message_count and not topic.name.endswith('/compressedDepth'):
            cameras.setdefault(folder, []).append(topic)
    if not has_calibration:
        cameras = {folder: found for folder, found in cameras.items() if _info(folder, topics)}
    if not cameras:
        listed = ', '.join(f'{t.name} ({t.type_name})' for t in topics.values()) or 'none'
        raise ValueError(
            f'no image topic with a camera_info beside it; the topics are {listed}; choose images '
            'with --topics, and give a calibration with --calib where there is no camera_info'
        )
    return [min(found, key=_preference).name for _, found in sorted(cameras.items())]


def _preference(topic: BagTopic) -> tuple[int, bool, str]:
    """Rank the images of one camera: the best comes first."""
    parts = topic.name.split('/')
    rank = next((n for n, name in enumerate(_PREFERRED) if name in parts), len(_PREFERRED))
    return rank, topic.type_name == COMPRESSED, topic.name


def _camera(
    image: BagTopic, topics: Mapping[str, BagTopic], has_calibration: bool, truth: str | None
) -> CameraTopics:
    compressed = image.type_name == COMPRESSED
    folder = _namespace(image.name, compressed=compressed)
    info = None if has_calibration else _info(folder, topics)
    if info is None and not has_calibration:
        raise ValueError(
            f'{image.name}: no {folder}/camera_info in the bag; give a calibration with --calib'
        )
    beside = f'{folder}/ground_truth'
    if truth is None and beside in topics and topics[beside].type_name == DETECTIONS:
        truth = beside
    return CameraTopics(image.name, compressed, info, None if truth == NO_TRUTH else truth)


def _info(folder: str, topics: Mapping[str, BagTopic]) -> str | None:
    name = f'{folder}/camera_info'
    found = topics.get(name)
    return name if found is not None and found.type_name == CAMERA_INFO else None


def _namespace(image: str, *, compressed: bool) -> str:
    name = image.removesuffix('/compressed') if compressed else image
    return name.rpartition('/')[0]


def _refuse(name: str, topics: Mapping[str, BagTopic], expected: str) -> None:
    wanted = expected.split(' or ')
    fitting = ', '.join(t.name for t in topics.values() if t.type_name in wanted) or 'none'
    got = f'it is {topics[name].type_name}' if name in topics else 'the bag has no such topic'
    raise ValueError(f'topic {name}: expected {expected}, {got}; there are {fitting}')
