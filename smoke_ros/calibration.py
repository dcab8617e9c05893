"""From a calibration as it is published or stored to the camera of one image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from smoke_ros.data.kitti import read_calibration
from smoke_ros.files import read_text
from smoke_ros.structures import DISTORTION_COEFFICIENTS, FISHEYE, CameraModel, FloatArray


@dataclass(frozen=True, eq=False)
class Calibration:
    """A calibration with the fields and meaning of sensor_msgs/CameraInfo.

    All of it is for the sensor's full resolution: :func:`camera_from_calibration` applies the
    region of interest and the binning.
    """

    width: int
    height: int
    K: npt.NDArray[np.float64]
    D: tuple[float, ...] = ()
    distortion_model: str = ''
    #: (3, 3) rotation from the camera's frame to the rectified one; None where it has none.
    R: npt.NDArray[np.float64] | None = None
    #: (3, 4) projection of the rectified image; None where it has none.
    P: npt.NDArray[np.float64] | None = None
    #: x offset, y offset, width, height in full-resolution pixels; width 0 is the whole image.
    roi: tuple[int, int, int, int] = (0, 0, 0, 0)
    #: Full-resolution pixels that make one pixel of the image, by axis; 0 is 1.
    binning: tuple[int, int] = (1, 1)


def camera_from_calibration(
    calibration: Calibration, *, rectified: bool, image_size: tuple[int, int] | None = None
) -> CameraModel:
    """Return the camera of an image, after region of interest, binning and scaling.

    A raw image is described by K and the distortion D, a rectified one by the left 3x3 of P and no
    distortion. P's fourth column, the baseline of a stereo pair, is not used: boxes are in the
    frame of the image's own header. Neither is R for a raw image: its boxes stay in the camera's
    own, unrotated frame.

    Parameters
    ----------
    calibration
        What was published or stored.
    rectified
        Whether the image is rectified.
    image_size
        The image's width and height in pixels, where they may differ from the calibration's.

    Raises
    ------
    ValueError
        If the calibration is empty, not finite, without a size, or for an image of another aspect
        ratio.
    """
    K = _intrinsics(calibration, rectified)
    if not np.isfinite(K).all():
        raise ValueError(f'K must be finite, got {K.tolist()}')
    x, y, width, height = calibration.roi
    if width <= 0 or height <= 0:
        x, y, width, height = 0, 0, calibration.width, calibration.height
    bin_x, bin_y = (max(1, int(step)) for step in calibration.binning)
    if K[0, 0] > 0.0 and (width < bin_x or height < bin_y):
        raise ValueError(
            f'the calibration must say the size of the image that it is for, got {width}x{height} '
            f'pixels, binned by {bin_x} and {bin_y}: publish width and height with it'
        )
    # As image_geometry: the offset first, then the binning, on whole pixel coordinates.
    binned_from_full = np.array(
        [[1 / bin_x, 0, -x / bin_x], [0, 1 / bin_y, -y / bin_y], [0, 0, 1]]
    )
    camera = CameraModel(
        binned_from_full @ K,
        width // bin_x,
        height // bin_y,
        '' if rectified else calibration.distortion_model,
        () if rectified else calibration.D,
    )
    return camera if image_size is None else camera.scaled_to(*image_size)


def _intrinsics(calibration: Calibration, rectified: bool) -> FloatArray:
    if not rectified:
        return np.asarray(calibration.K, np.float64)
    P = calibration.P
    if P is not None and np.shape(P) != (3, 4):
        raise ValueError(f'P must be (3, 4), got {np.shape(P)}')
    if P is not None and P[0][0] != 0.0:
        return np.asarray(P, np.float64)[:, :3]
    if any(calibration.D) or calibration.distortion_model == FISHEYE:
        raise ValueError(
            'the image is rectified but the calibration has no projection matrix (P[0] = 0): '
            'publish P, or use the raw image'
        )
    # Without distortion, raw and rectified are the same and drivers often leave P empty.
    return np.asarray(calibration.K, np.float64)


class _Loader(yaml.SafeLoader):
    """Reads the matrices of OpenCV's files as the mappings that they are."""


_Loader.add_constructor(
    'tag:yaml.org,2002:opencv-matrix',
    lambda loader, node: loader.construct_mapping(node, deep=True),  # type: ignore[arg-type]
)


def format_camera_yaml(camera: CameraModel) -> str:
    """Return a camera as ROS's camera_calibration stores it."""
    (fx, _, cx), (_, fy, cy), _ = camera.K.tolist()
    matrices = (
        ('camera_matrix', 3, camera.K.ravel().tolist()),
        ('rectification_matrix', 3, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]),
        ('projection_matrix', 4, [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]),
    )
    lines = [
        f'image_width: {camera.width}', f'image_height: {camera.height}',
        'camera_name: synth', f'distortion_model: {camera.distortion_model}',
        f'distortion_coefficients: {{rows: 1, cols: {len(camera.D)}, data: {list(camera.D)}}}',
    ]  # fmt: skip
    lines += [f'{name}: {{rows: 3, cols: {n}, data: {data}}}' for name, n, data in matrices]
    return '\n'.join(lines) + '\n'


def read_camera_yaml(path: Path | str) -> Calibration:
    """Read a calibration in the format of ROS's camera_calibration and camera_info_manager.

    The file of OpenCV's calibration program, whose format ROS's comes from, is read too.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        Naming the entry that is missing or malformed.
    """
    path = Path(path)
    try:
        # OpenCV's first line says 1.0, with a colon that no YAML has.
        text = read_text(path).removeprefix('%YAML:1.0')
        content = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(f'{path}: not a YAML file: {error}') from error
    if not isinstance(content, dict):
        raise ValueError(f'{path}: expected a camera calibration, got {type(content).__name__}')
    width, height = (_size(content, name, path) for name in ('image_width', 'image_height'))
    K = _matrix(content, 'camera_matrix', (3, 3), path)
    D = tuple(_matrix(content, 'distortion_coefficients', None, path).ravel().tolist())
    return Calibration(
        width=width,
        height=height,
        K=K,
        D=D,
        distortion_model=str(content.get('distortion_model', _model_of(content, D))),
        R=_optional_matrix(content, 'rectification_matrix', (3, 3), path),
        P=_optional_matrix(content, 'projection_matrix', (3, 4), path),
    )


def is_ros_calibration(path: Path) -> bool:
    """Return whether a file is a ROS calibration by its name; others are KITTI's."""
    return path.suffix.lower() in ('.yaml', '.yml')


def read_camera(
    path: Path | str, image_size: tuple[int, int], *, rectified: bool = False
) -> CameraModel:
    """Read a camera from a ROS calibration (.yaml, .yml) or a KITTI calibration (.txt).

    Parameters
    ----------
    path
        The file.
    image_size
        Width and height in pixels of the image that the camera is for.
    rectified
        Whether the image is rectified; KITTI's always are.
    """
    path = Path(path)
    if is_ros_calibration(path):
        calibration = read_camera_yaml(path)
        try:
            return camera_from_calibration(calibration, rectified=rectified, image_size=image_size)
        except ValueError as error:
            raise ValueError(f'{path}: {error}') from error
    if path.suffix.lower() == '.xml':
        raise ValueError(f"{path}: expected YAML: OpenCV's XML is not read, write a .yaml file")
    return read_calibration(path, *image_size)


def _model_of(content: dict[str, Any], D: tuple[float, ...]) -> str:
    """Return the distortion model of a file that does not name it, such as OpenCV's."""
    if content.get('fisheye_model'):
        return FISHEYE
    is_rational = len(D) in DISTORTION_COEFFICIENTS['rational_polynomial']
    return 'rational_polynomial' if is_rational else 'plumb_bob'


def _entry(content: dict[str, Any], name: str, path: Path) -> Any:
    if name not in content:
        raise ValueError(f'{path}: no entry {name}; expected a ROS camera calibration')
    return content[name]


def _size(content: dict[str, Any], name: str, path: Path) -> int:
    value = _entry(content, name, path)
    try:
        return int(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f'{path}: {name} must be a number of pixels, got {value!r}') from error


def _matrix(
    content: dict[str, Any], name: str, shape: tuple[int, int] | None, path: Path
) -> npt.NDArray[np.float64]:
    entry = _entry(content, name, path)
    if not isinstance(entry, dict) or 'data' not in entry:
        raise ValueError(f'{path}: {name} must have an entry data with its numbers, got {entry!r}')
    data = entry['data']
    try:
        values = np.array(data, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise ValueError(f'{path}: {name} must be numbers, got {data!r}') from error
    if shape is not None and values.size != shape[0] * shape[1]:
        raise ValueError(f'{path}: {name} must have {shape[0] * shape[1]} numbers, got {data!r}')
    return values.reshape(shape) if shape is not None else values


def _optional_matrix(
    content: dict[str, Any], name: str, shape: tuple[int, int], path: Path
) -> npt.NDArray[np.float64] | None:
    return _matrix(content, name, shape, path) if name in content else None
