"""A rendered drive as a bag."""

from __future__ import annotations

from pathlib import Path

from smoke_ros.data.drives import find_drive
from smoke_ros.files import write_text_atomically
from smoke_ros.ros.kitti_to_bag import Conversion, write_drive
from smoke_ros.structures import CameraModel

#: The calibration of a camera with distortion, which KITTI's files cannot hold.
CALIBRATION = 'camera.yaml'


def write_bag(
    folder: Path, bag: Path, rate_hz: float, camera: CameraModel | None = None
) -> dict[str, int]:
    """Write a drive's frames, CameraInfo and ground truth as a bag, with the topics of kitti2bag.

    Parameters
    ----------
    folder
        In KITTI's layout. With a distorted camera its calibration is written there, too.
    bag
        The bag's folder; one that is there is replaced.
    rate_hz
        Frames a second.
    camera
        The camera of the pictures, if it has distortion.

    Returns
    -------
    The number of messages by topic.
    """
    calibration = None
    if camera is not None and camera.has_distortion:
        calibration = folder / CALIBRATION
        write_text_atomically(calibration, camera_yaml(camera))
    conversion = Conversion(calibration, compressed=True, overwrite=True)
    return write_drive(find_drive(folder, rate_hz=rate_hz), bag, conversion)


def camera_yaml(camera: CameraModel) -> str:
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
