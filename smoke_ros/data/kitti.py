"""KITTI's object files: labels, results and calibration (Geiger et al., CVPR 2012).

A label line has 15 fields, a result line a 16th, the score::

    type truncated occluded alpha x1 y1 x2 y2 height width length x y z rotation_y [score]

Its location is the centre of the *bottom* face; here it becomes the geometric centre.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smoke_ros.errors import KittiFormatError
from smoke_ros.files import read_text, write_text_atomically
from smoke_ros.geometry import NEAR_M
from smoke_ros.structures import Box3D, CameraModel, Detection3D

FIELDS = (
    'type', 'truncated', 'occluded', 'alpha', 'x1', 'y1', 'x2', 'y2',
    'height', 'width', 'length', 'x', 'y', 'z', 'rotation_y', 'score',
)  # fmt: skip

#: A heading beyond is one in degrees, radians; some tools count from 0 to 2 pi.
LARGEST_ANGLE = 2.0 * math.pi + 0.01

#: Regions that KITTI leaves unlabelled; detections there are neither right nor wrong.
DONT_CARE = 'DontCare'


@dataclass(frozen=True)
class KittiObject(Box3D):
    """One line of a label or result file.

    A DontCare region has no 3D box: its location is (-1000, -1000, -1000), its dimensions -1.
    """

    class_name: str
    #: Fraction of the object outside the image, 0 to 1; -1 where unknown.
    truncation: float
    #: 0 fully visible, 1 partly, 2 largely occluded, 3 unknown; -1 where it does not apply.
    occlusion: int
    #: As the file states it; :attr:`Box3D.alpha` derives it from the box instead.
    observation_angle: float
    bbox_xyxy_px: tuple[float, float, float, float]
    #: Only in result files.
    score: float | None = None

    @property
    def part_truncated(self) -> float:
        """Truncation from 0 to 1: 0 where unknown, and 1 for the levels up to 2 of some tools."""
        return min(max(self.truncation, 0.0), 1.0)

    @property
    def has_box(self) -> bool:
        """Whether it is labelled with a 3D box, in front of the camera."""
        return self.has_dimensions and self.location[2] >= NEAR_M

    @property
    def has_dimensions(self) -> bool:
        """Whether it is labelled with a 3D box, wherever that may be."""
        return min(self.dimensions) > 0.0

    @property
    def has_bbox(self) -> bool:
        """Whether it has a 2D box with an area."""
        x1, y1, x2, y2 = self.bbox_xyxy_px
        return x2 > x1 and y2 > y1


def dont_care(bbox_xyxy_px: tuple[float, float, float, float]) -> KittiObject:
    """Return a region of an image that counts neither for nor against."""
    nowhere, no_size, no_angle = (-1000.0,) * 3, (-1.0,) * 3, -10.0
    return KittiObject(nowhere, no_size, no_angle, DONT_CARE, -1.0, -1, no_angle, bbox_xyxy_px)


def read_lines(path: Path) -> list[str]:
    """Read a text file in KITTI's layout; what is no text is a KittiFormatError."""
    try:
        return read_text(path).splitlines()
    except ValueError as error:
        raise KittiFormatError(str(error)) from error


def read_objects(path: Path | str, *, with_score: bool = False) -> list[KittiObject]:
    """Read a label file, or with ``with_score`` a result file; an empty file has no objects.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    KittiFormatError
        Naming file, line and field of what cannot be read.
    """
    path = Path(path)
    objects = []
    for number, line in enumerate(read_lines(path), 1):
        if line.strip():
            objects.append(_parse_object(line, f'{path}:{number}', with_score))
    return objects


def _parse_object(line: str, where: str, with_score: bool) -> KittiObject:
    words = line.split()
    expected = len(FIELDS) if with_score else len(FIELDS) - 1
    # Label files made by other tools may carry a score; it is read but not needed.
    if len(words) < expected or len(words) > len(FIELDS):
        missing = f': {FIELDS[len(words)]} is missing' if len(words) < expected else ''
        raise KittiFormatError(f'{where}: expected {expected} fields, got {len(words)}{missing}')
    values = {}
    for name, word in zip(FIELDS[1:], words[1:], strict=False):
        try:
            values[name] = float(word)
        except ValueError:
            values[name] = math.nan
        if not math.isfinite(values[name]):
            raise KittiFormatError(f'{where}: field {name} must be a number, got {word!r}')
    if not values['occluded'].is_integer():
        raise KittiFormatError(f'{where}: field occluded must be whole, got {words[2]!r}')
    if values['length'] > 0.0 and abs(values['rotation_y']) > LARGEST_ANGLE:
        raise KittiFormatError(
            f'{where}: field rotation_y must be in radians, from -pi to pi, got '
            f'{words[FIELDS.index("rotation_y")]!r}'
        )
    name = words[0]
    lifted = 0.0 if name == DONT_CARE else values['height'] / 2
    return KittiObject(
        location=(values['x'], values['y'] - lifted, values['z']),
        dimensions=(values['length'], values['height'], values['width']),
        rotation_y=values['rotation_y'],
        class_name=name,
        truncation=values['truncated'],
        occlusion=int(values['occluded']),
        observation_angle=values['alpha'],
        bbox_xyxy_px=(values['x1'], values['y1'], values['x2'], values['y2']),
        score=values.get('score'),
    )


def detection_to_object(detection: Detection3D) -> KittiObject:
    """Return a detection as a line of a result file: truncation and occlusion are unknown."""
    return KittiObject(
        location=detection.location,
        dimensions=detection.dimensions,
        rotation_y=detection.rotation_y,
        class_name=detection.class_name,
        truncation=-1.0,
        occlusion=-1,
        observation_angle=detection.alpha,
        bbox_xyxy_px=detection.bbox_xyxy_px,
        score=detection.score,
    )


def write_objects(path: Path | str, objects: Iterable[KittiObject]) -> None:
    """Write a label file, or a result file where the objects have scores, atomically."""
    lines = [_format_object(item) + '\n' for item in objects]
    write_text_atomically(Path(path), ''.join(lines))


def _format_object(item: KittiObject) -> str:
    length, height, width = item.dimensions
    x, y, z = item.location
    lifted = 0.0 if item.class_name == DONT_CARE else height / 2
    numbers = (
        item.observation_angle, *item.bbox_xyxy_px, height, width, length, x, y + lifted, z,
        item.rotation_y,
    )  # fmt: skip
    # KITTI's own files have two digits; four keep a written box within a tenth of a millimetre.
    # Words are what spaces part.
    name = '_'.join(item.class_name.split())
    words = [name, f'{item.truncation:.2f}', str(item.occlusion)]
    words += [f'{value:.4f}' for value in numbers]
    if item.score is not None:
        words.append(f'{item.score:.6f}')
    return ' '.join(words)


def read_calibration(path: Path | str, width: int, height: int, camera: int = 2) -> CameraModel:
    """Read a camera's projection matrix from an object calibration file.

    Parameters
    ----------
    path
        A file with lines such as ``P2: `` and twelve numbers.
    width, height
        Size of the images in pixels, which the file does not hold.
    camera
        Which camera; 2 is the left colour camera.

    Raises
    ------
    KittiFormatError
        If the matrix is missing or malformed, or no camera's.
    """
    path = Path(path)
    key = f'P{camera}:'
    for number, line in enumerate(read_lines(path), 1):
        if not line.startswith(key):
            continue
        words = line[len(key) :].split()
        try:
            P = np.array([float(word) for word in words])
        except ValueError as error:
            raise KittiFormatError(f'{path}:{number}: {key[:-1]} must be numbers') from error
        if P.size != 12:
            raise KittiFormatError(
                f'{path}:{number}: {key[:-1]} must have 12 numbers, got {P.size}'
            )
        return camera_of_projection(path, P.reshape(3, 4), width, height)
    raise KittiFormatError(f'{path}: expected a line {key}, found none')


def camera_of_projection(path: Path, P: np.ndarray, width: int, height: int) -> CameraModel:
    """Return the camera of a file's (3, 4) matrix; one of no camera is a KittiFormatError."""
    try:
        return CameraModel.from_projection(P, width, height)
    except ValueError as error:
        raise KittiFormatError(f'{path}: {error}') from error


def write_calibration(path: Path | str, camera: CameraModel) -> None:
    """Write an object calibration file atomically; all four of KITTI's cameras are this one.

    Distortion has no place in it.
    """
    P = np.column_stack((camera.K, camera.projection_offset))
    row = ' '.join(f'{value:.12e}' for value in P.ravel())
    # Readers of KITTI's files look for all four cameras.
    write_text_atomically(Path(path), ''.join(f'P{number}: {row}\n' for number in range(4)))
