"""Recordings as folders of images: KITTI's object frames, its raw drives, or images and no more.

::

    ROOT[/training]/image_2/000001.png      object frames, with calib and label_2 beside
    DRIVE/image_02/data/0000000001.png      a raw drive, with timestamps.txt beside data, and
                                            calib_cam_to_cam.txt in DRIVE or in the folder above
    FOLDER/anything.jpg                     plain images, in the order of their names
"""

from __future__ import annotations

import calendar
import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smoke_ros.calibration import Calibration, is_ros_calibration, read_camera_yaml
from smoke_ros.data.kitti import (
    KittiObject,
    camera_of_projection,
    read_calibration,
    read_lines,
    read_objects,
)
from smoke_ros.data.layout import IMAGE_SUFFIXES
from smoke_ros.errors import KittiFormatError
from smoke_ros.files import list_files
from smoke_ros.structures import CameraModel, FloatArray, Vector3

#: When a recording without stamps begins: not at 0, which in ROS means that there is no stamp.
FIRST_STAMP_NS = 1_000_000_000
#: Beyond, stamps in whole nanoseconds would be all the same, or too large for a bag.
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 1e-4, 1e6
RAW_CALIBRATION = 'calib_cam_to_cam.txt'


def check_rate(rate_hz: float) -> None:
    """Raise a ValueError for a rate of frames that no drive can have."""
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        raise ValueError(
            f'rate must be from {LOWEST_RATE_HZ:g} to {HIGHEST_RATE_HZ:g} Hz, got {rate_hz:g}'
        )


@dataclass(frozen=True)
class DriveImage:
    """One image of a recording and where what belongs to it lies."""

    path: Path
    stamp_ns: int
    #: None where the recording has none.
    calibration: Path | None
    #: None where this image has no label file.
    labels: Path | None


@dataclass(frozen=True)
class DriveCamera:
    """The images of one camera, in their order."""

    #: KITTI's number of the camera, 2 for the left colour one; None for a plain folder.
    number: int | None
    images: tuple[DriveImage, ...]


def find_drive(
    source: Path, *, rate_hz: float, cameras: Sequence[int] = (2,), labels: Path | None = None
) -> list[DriveCamera]:
    """Find the images of a recording.

    Parameters
    ----------
    source
        A folder of one of the three kinds.
    rate_hz
        Images a second, where there are no stamps.
    cameras
        Which cameras of a raw drive.
    labels
        A folder with a KITTI label file for each image, by the image's name; an object folder has
        its own label_2.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such folder or no image in it, or the stamps do not fit the images.
    """
    check_rate(rate_hz)
    if not source.is_dir():
        raise FileNotFoundError(f'{source}: no such folder')
    for folder in (source, source / 'training'):
        if (folder / 'image_2').is_dir():
            return [_object_camera(folder, rate_hz, labels)]
    if any(source.glob('image_0[0-3]')):
        return [_raw_camera(source, number, rate_hz, labels) for number in cameras]
    images = _images(source, _spaced(rate_hz), None, labels)
    return [DriveCamera(None, images)]


def _object_camera(folder: Path, rate_hz: float, labels: Path | None) -> DriveCamera:
    if labels is None and (folder / 'label_2').is_dir():
        labels = folder / 'label_2'
    images = _images(folder / 'image_2', _spaced(rate_hz), folder / 'calib', labels)
    return DriveCamera(2, images)


def _raw_camera(drive: Path, number: int, rate_hz: float, labels: Path | None) -> DriveCamera:
    folder = drive / f'image_{number:02d}'
    if not (folder / 'data').is_dir():
        there = ', '.join(sorted(path.name for path in drive.glob('image_0[0-3]')))
        raise FileNotFoundError(f'{folder / "data"}: no such folder; the drive has {there}')
    places = [drive / RAW_CALIBRATION, drive.parent / RAW_CALIBRATION]
    calibration = next((place for place in places if place.is_file()), None)
    stamps: Sequence[int] = _spaced(rate_hz)
    if (folder / 'timestamps.txt').is_file():
        stamps = read_timestamps(folder / 'timestamps.txt')
    return DriveCamera(number, _images(folder / 'data', stamps, calibration, labels))


def _spaced(rate_hz: float) -> range:
    """Return stamps for more images than there will ever be."""
    step = round(1e9 / rate_hz)
    return range(FIRST_STAMP_NS, FIRST_STAMP_NS + step * 10**9, step)


def _images(
    folder: Path, stamps: Sequence[int], calibration: Path | None, labels: Path | None
) -> tuple[DriveImage, ...]:
    """List the images of a folder; ``calibration`` is a file for all, or a folder of files."""
    paths = list_files(folder, IMAGE_SUFFIXES)
    if not paths:
        raise FileNotFoundError(f'{folder}: no image ({", ".join(IMAGE_SUFFIXES)}) in it')
    indices = list(range(len(paths)))
    if not isinstance(stamps, range) and len(stamps) != len(paths):
        # Drives lack single images; their names count the stamps.
        indices = [int(path.stem) if path.stem.isdigit() else len(stamps) for path in paths]
        if max(indices) >= len(stamps):
            raise ValueError(
                f'{folder}: {len(paths)} images, but {len(stamps)} stamps in timestamps.txt'
            )
    found = []
    for index, path in zip(indices, paths, strict=True):
        own = calibration / f'{path.stem}.txt' if calibration and calibration.is_dir() else None
        label = labels / f'{path.stem}.txt' if labels else None
        found.append(
            DriveImage(
                path,
                stamps[index],
                own or (calibration if calibration and calibration.is_file() else None),
                label if label and label.is_file() else None,
            )
        )
    return tuple(found)


def read_timestamps(path: Path) -> list[int]:
    """Read a raw drive's stamps, lines such as ``2011-09-26 13:02:25.964389445``, as ns of UTC.

    Raises
    ------
    KittiFormatError
        Naming the line that is not a time.
    """
    stamps = []
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        whole, _, fraction = line.strip().partition('.')
        try:
            seconds = calendar.timegm(time.strptime(whole, '%Y-%m-%d %H:%M:%S'))
            stamps.append(seconds * 10**9 + int(fraction.ljust(9, '0')[:9]))
        except ValueError as error:
            raise KittiFormatError(
                f'{path}:{number}: expected a time as 2011-09-26 13:02:25.964389445, got {line!r}'
            ) from error
    return stamps


def read_drive_calibration(
    path: Path, camera: int | None, image_size: tuple[int, int]
) -> tuple[Calibration, Vector3]:
    """Read the calibration of a recording's image, and where KITTI's boxes lie in its frame.

    Parameters
    ----------
    path
        A ROS calibration (.yaml), or one of KITTI's, of object frames or of a raw drive.
    camera
        KITTI's number of the camera; None for 2.
    image_size
        The image's width and height, which KITTI's files do not have.

    Returns
    -------
    The calibration, and what is to be added to a labelled location: KITTI's labels are in the
    frame of its camera 0, a message's boxes in that of the camera itself.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it is no calibration.
    """
    if is_ros_calibration(path):
        return read_camera_yaml(path), (0.0, 0.0, 0.0)
    number = 2 if camera is None else camera
    lines = read_lines(path)
    if any('P_rect_' in line for line in lines):
        model = _raw_calibration(path, lines, number, image_size)
    else:
        model = read_calibration(path, *image_size, camera=number)
    P = np.column_stack((model.K, np.zeros(3)))
    calibration = Calibration(*image_size, model.K, (0.0,) * 5, 'plumb_bob', np.eye(3), P)
    x, y, z = _origin_offset(model)
    return calibration, (x, y, z)


def check_calibration(path: Path) -> None:
    """Refuse a file that is no calibration, as :func:`read_drive_calibration` does.

    Before anything is done with it: otherwise every single frame would fail for it.
    """
    if not path.is_file():
        raise FileNotFoundError(f'{path}: no such calibration file')
    # KITTI's do not tell the size of their images, and are the same for any.
    read_drive_calibration(path, None, (1, 1))


def _origin_offset(model: CameraModel) -> FloatArray:
    return np.asarray(np.linalg.solve(model.K, model.projection_offset), np.float64)


def _raw_calibration(
    path: Path, lines: Sequence[str], camera: int, image_size: tuple[int, int]
) -> CameraModel:
    key = f'P_rect_{camera:02d}:'
    line = next((line for line in lines if line.startswith(key)), None)
    if line is None:
        raise KittiFormatError(f'{path}: expected a line {key}, found none')
    try:
        P = np.array([float(word) for word in line[len(key) :].split()]).reshape(3, 4)
    except ValueError as error:
        raise KittiFormatError(f'{path}: {key[:-1]} must be 12 numbers, got {line!r}') from error
    return camera_of_projection(path, P, *image_size)


def read_labels(path: Path, offset: Vector3) -> list[KittiObject]:
    """Read labels in the frame of the camera itself; see :func:`read_drive_calibration`."""
    return [shifted(item, offset) for item in read_objects(path)]


def shifted(item: KittiObject, offset: Vector3) -> KittiObject:
    """Move an object; a region without a 3D box has no place to be moved from."""
    if item.dimensions[0] <= 0.0:
        return item
    x, y, z = (a + b for a, b in zip(item.location, offset, strict=True))
    return dataclasses.replace(item, location=(x, y, z))
