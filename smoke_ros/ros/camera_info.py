"""Camera calibrations from messages and from the URLs that ROS drivers take."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from smoke_ros.calibration import Calibration, camera_from_calibration, read_camera_yaml
from smoke_ros.structures import CameraModel

#: In a topic's name: image_rect and /rectified/image, but neither unrectified nor direct.
RECTIFIED_NAME = re.compile(r'(?<![A-Za-z])rect')


def calibration_from_message(message: CameraInfo) -> Calibration:
    """Return the content of a CameraInfo."""
    roi = message.roi
    return Calibration(
        width=message.width,
        height=message.height,
        K=np.reshape(message.k, (3, 3)),
        D=tuple(message.d),
        distortion_model=message.distortion_model,
        R=np.reshape(message.r, (3, 3)),
        P=np.reshape(message.p, (3, 4)),
        roi=(roi.x_offset, roi.y_offset, roi.width, roi.height),
        binning=(message.binning_x, message.binning_y),
    )


def calibration_to_message(calibration: Calibration, header: Header) -> CameraInfo:
    """Invert :func:`calibration_from_message`; without R and P, R is no rotation and P is K."""
    K = np.asarray(calibration.K, np.float64)
    R = np.eye(3) if calibration.R is None else calibration.R
    P = np.column_stack((K, np.zeros(3))) if calibration.P is None else calibration.P
    message = CameraInfo(header=header, width=calibration.width, height=calibration.height)
    message.distortion_model = calibration.distortion_model or 'plumb_bob'
    message.d = list(calibration.D) or [0.0] * 5
    message.k, message.r, message.p = (np.ravel(matrix).tolist() for matrix in (K, R, P))
    x, y, width, height = calibration.roi
    roi = message.roi
    roi.x_offset, roi.y_offset, roi.width, roi.height = x, y, width, height
    message.binning_x, message.binning_y = calibration.binning
    return message


def calibration_from_url(url: str) -> Calibration:
    """Read the calibration that a URL names.

    Parameters
    ----------
    url
        ``file:///path``, ``package://package/path`` or a plain path.

    Raises
    ------
    FileNotFoundError
        If there is no such package or file.
    ValueError
        If the URL is of another kind, or the file is not a calibration.
    """
    scheme, separator, rest = url.partition('://')
    if not separator:
        return read_camera_yaml(Path(url).expanduser())
    if scheme == 'file':
        return read_camera_yaml(Path(rest))
    if scheme == 'package':
        package, _, relative = rest.partition('/')
        try:
            return read_camera_yaml(Path(get_package_share_directory(package)) / relative)
        except PackageNotFoundError as error:
            raise FileNotFoundError(f'{url}: there is no package {package!r}') from error
    raise ValueError(f'camera_info_url must be a path, file:// or package://, got {url!r}')


class CameraSource:
    """Makes the camera of an image, and remembers it for as long as the calibration stays.

    Parameters
    ----------
    rectified
        Whether the images are rectified.
    fixed
        A calibration that stands for every message.
    """

    def __init__(self, *, rectified: bool, fixed: Calibration | None = None) -> None:
        self._rectified = rectified
        self._fixed = fixed
        self._key: tuple[object, ...] | None = None
        self._camera: CameraModel | None = None

    def camera(self, message: CameraInfo | None, image_size: tuple[int, int]) -> CameraModel:
        """Return the camera of an image of ``image_size`` (width, height).

        ``message`` is needed where no calibration is fixed.

        Raises
        ------
        ValueError
            If the camera is not calibrated, or its calibration does not fit the image.
        """
        key = (image_size, None if message is None else _fingerprint(message))
        if self._camera is None or key != self._key:
            calibration = self._fixed or calibration_from_message(message)
            self._camera = camera_from_calibration(
                calibration, rectified=self._rectified, image_size=image_size
            )
            self._key = key
        return self._camera


def _fingerprint(message: CameraInfo) -> tuple[object, ...]:
    """Return all that the camera depends on; two cameras' differ."""
    roi = message.roi
    matrices = (message.k, message.d, message.r, message.p)
    return (
        *(np.asarray(matrix).tobytes() for matrix in matrices),
        message.distortion_model, message.width, message.height,
        message.binning_x, message.binning_y,
        roi.x_offset, roi.y_offset, roi.width, roi.height,
    )  # fmt: skip


def is_rectified(setting: str, image_topic: str) -> bool:
    """Return whether images are rectified: as set, or by the name of their topic."""
    is_named_so = RECTIFIED_NAME.search(image_topic) is not None
    return setting == 'rectified' or (setting == 'auto' and is_named_so)
