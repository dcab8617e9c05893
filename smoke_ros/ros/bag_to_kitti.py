"""Bags in KITTI's layout, for training and evaluation on your own drives."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from smoke_ros.data.kitti import write_calibration, write_objects
from smoke_ros.data.layout import write_image
from smoke_ros.files import write_text_atomically
from smoke_ros.preprocess import InputGeometry, undistort_image, undistortion_maps
from smoke_ros.ros.bag_files import bag_name
from smoke_ros.ros.bag_frames import BagFrame, BagFrames, DecodedFrame, FrameDecoder, Selection
from smoke_ros.ros.bags import BagTopic
from smoke_ros.ros.camera_topics import CameraTopics
from smoke_ros.ros.images import BgrImage
from smoke_ros.ros.tolerant_bag import TolerantBag
from smoke_ros.structures import CameraModel

#: Cameras whose tables are kept at most.
MOST_CAMERAS = 16


@dataclass
class Written:
    """What became of the frames of bags."""

    images: int = 0
    labels: int = 0
    #: Sentences on frames that could not be used and on damage.
    problems: list[str] = field(default_factory=list)


def write_kitti(
    bags: Sequence[Path],
    out: Path,
    find: Callable[[Mapping[str, BagTopic]], Sequence[CameraTopics]],
    *,
    selection: Selection,
    rectification: str = 'auto',
    calibration: Path | None = None,
) -> Written:
    """Write image_2, calib, label_2, timestamps.txt and ImageSets of bags.

    Distorted images are undistorted: KITTI's layout has a place for a pinhole only. Names count
    the frames of all bags from 000000 on; ``timestamps.txt`` has a line with name, stamp in ns and
    topic for each. A frame without a message of ground truth gets no label file; one whose message
    has no object gets an empty one. ``ImageSets/all.txt`` lists all frames and, where there are
    several bags, a file named after each lists those of it: splits are made of whole drives.

    Parameters
    ----------
    bags
        Folders, or single files.
    out
        The folder to write.
    find
        Chooses the cameras among a bag's topics.
    selection
        Which images of each bag.
    rectification
        'auto', 'raw' or 'rectified', as the node's parameter.
    calibration
        A file that stands for every camera info.

    Raises
    ------
    FileExistsError
        If ``out`` is not empty.
    FileNotFoundError, ValueError
        If a bag is not there, cannot be read at all, or has no such camera.
    """
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f'{out} is not empty: give another folder, or empty it')
    lists = _list_names(bags)
    written, stamps, lens = Written(), list[str](), _Lens()
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(TolerantBag(path)) for path in bags]
        cameras = [find(bag.topics) for bag in opened]  # before anything is written
        for bag, its_cameras, list_name in zip(opened, cameras, lists, strict=True):
            frames = BagFrames(bag, its_cameras, selection)
            names = [camera.image for camera in its_cameras]
            total = sum(bag.topics[name].message_count for name in names) // selection.stride
            bar = tqdm(frames, desc=bag.path.name, total=total, unit='frame', disable=None)
            decoder = FrameDecoder(rectification, calibration)
            lines, problems = _write_frames(out, bar, decoder, lens, written)
            if not (lines or problems):
                problems.append(f'no image in what was asked for, of {", ".join(names)}')
            written.problems += [f'{bag.path}: {text}' for text in problems] + bag.problems
            if len(bags) > 1:
                _write_list(out, list_name, lines)
            stamps += lines
    write_text_atomically(out / 'timestamps.txt', ''.join(f'{line}\n' for line in stamps))
    _write_list(out, 'all', stamps)
    return written


def _write_frames(
    out: Path, frames: Iterable[BagFrame], decoder: FrameDecoder, lens: _Lens, written: Written
) -> tuple[list[str], list[str]]:
    """Write one bag's frames; return the lines of their stamps, and what could not be used."""
    lines, problems = [], []
    for frame in frames:
        try:
            decoded = decoder.decode(frame)
            image = lens.undistorted(decoded.image_bgr, decoded.camera)
        except ValueError as error:
            problems.append(f'{frame.topics.image} {frame.index}: {error}')
            continue
        name = f'{written.images:06d}'
        _write_frame(out, name, image, decoded)
        lines.append(_stamp_line(name, frame))
        written.images += 1
        written.labels += decoded.truth is not None
    return lines, problems


def _list_names(bags: Sequence[Path]) -> list[str]:
    """Return what the lists of the bags' frames are called."""
    names = [bag_name(path) for path in bags]
    twice = sorted({name for name in names if names.count(name) > 1 or name == 'all'})
    if len(bags) > 1 and twice:
        raise ValueError(
            f'ImageSets has a list of frames named after each bag, but {", ".join(twice)} cannot '
            'name one: rename bags so that their names differ, and none is called all'
        )
    return names


def _write_list(out: Path, name: str, stamp_lines: Sequence[str]) -> None:
    names = ''.join(f'{line.split()[0]}\n' for line in stamp_lines)
    write_text_atomically(out / 'ImageSets' / f'{name}.txt', names)


def _write_frame(out: Path, name: str, image: BgrImage, decoded: DecodedFrame) -> None:
    write_image(out / 'image_2' / f'{name}.png', image)
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
