"""Bags in KITTI's layout, for training and evaluation on your own drives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from smoke_ros.data.kitti import write_calibration, write_objects
from smoke_ros.files import replacing, write_text_atomically
from smoke_ros.preprocess import InputGeometry, undistort_image, undistortion_maps
from smoke_ros.ros.bag_frames import BagFrame, BagFrames, DecodedFrame, FrameDecoder, Selection
from smoke_ros.ros.camera_topics import CameraTopics
from smoke_ros.ros.images import BgrImage
from smoke_ros.ros.tolerant_bag import TolerantBag
from smoke_ros.structures import CameraModel

#: Cameras whose tables are kept at most.
MOST_CAMERAS = 16


@dataclass
class Written:
    """What became of a bag's frames."""

    images: int = 0
    labels: int = 0
    #: Sentences on frames that could not be used and on damage.
    problems: list[str] = field(default_factory=list)


def write_kitti(
    bag: TolerantBag,
    cameras: Sequence[CameraTopics],
    out: Path,
    *,
    selection: Selection,
    rectification: str = 'auto',
    calibration: Path | None = None,
) -> Written:
    """Write image_2, calib, label_2, timestamps.txt and ImageSets/all.txt.

    Distorted images are undistorted: KITTI's layout has a place for a pinhole only. Names count
    the frames from 000000 on; ``timestamps.txt`` has a line with name, stamp in ns and topic for
    each. A frame without a message of ground truth gets no label file; one whose message has no
    object gets an empty one.

    Raises
    ------
    FileExistsError
        If ``out`` is not empty.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f'{out} is not empty: give another folder, or empty it')
    decoder, lens = FrameDecoder(rectification, calibration), _Lens()
    written, stamps = Written(), []
    total = sum(bag.topics[camera.image].message_count for camera in cameras) // selection.stride
    frames = BagFrames(bag, cameras, selection)
    for frame in tqdm(frames, total=total, unit='frame', disable=None):
        try:
            decoded = decoder.decode(frame)
            image = lens.undistorted(decoded.image_bgr, decoded.camera)
        except ValueError as error:
            written.problems.append(f'{frame.topics.image} {frame.index}: {error}')
            continue
        name = f'{written.images:06d}'
        _write_frame(out, name, image, decoded)
        stamps.append(_stamp_line(name, frame))
        written.images += 1
        written.labels += decoded.truth is not None
    names = (line.split()[0] for line in stamps)
    write_text_atomically(out / 'timestamps.txt', ''.join(f'{line}\n' for line in stamps))
    write_text_atomically(out / 'ImageSets' / 'all.txt', ''.join(f'{name}\n' for name in names))
    if not written.images and not written.problems:
        topics = ', '.join(camera.image for camera in cameras)
        written.problems.append(f'{bag.path}: no image in what was asked for, of {topics}')
    written.problems += bag.problems
    return written


def _write_frame(out: Path, name: str, image: BgrImage, decoded: DecodedFrame) -> None:
    with replacing(out / 'image_2' / f'{name}.png') as temporary:
        if not cv2.imwrite(str(temporary), image):
            raise OSError(f'{out / "image_2" / name}.png: OpenCV could not write it')
    camera = decoded.camera
    pinhole = CameraModel.from_intrinsics(camera.K, camera.width, camera.height)
    write_calibration(out / 'calib' / f'{name}.txt', pinhole)
    if decoded.truth is not None:
        write_objects(out / 'label_2' / f'{name}.txt', decoded.truth)


def _stamp_line(name: str, frame: BagFrame) -> str:
    return f'{name} {frame.stamp_ns} {frame.topics.image}'


class _Lens:
    """Undoes distortion; each camera's tables are made once.

    Those of a camera that zooms are not kept for every focal length.
    """

    def __init__(self) -> None:
        self._maps: dict[object, tuple[np.ndarray, np.ndarray]] = {}

    def undistorted(self, image: BgrImage, camera: CameraModel) -> BgrImage:
        """Return the image as the camera's pinhole would see it."""
        if not camera.has_distortion:
            return image
        if camera.key not in self._maps:
            if len(self._maps) >= MOST_CAMERAS:
                self._maps.pop(next(iter(self._maps)))
            size = (camera.width, camera.height)
            geometry = InputGeometry.centred(size, size)
            self._maps[camera.key] = undistortion_maps(camera, geometry)
        return undistort_image(image, self._maps[camera.key])
