"""A rendered drive as a bag."""

from __future__ import annotations

from pathlib import Path

from smoke_ros.data.drives import find_drive
from smoke_ros.ros.kitti_to_bag import Conversion, write_drive


def write_bag(
    folder: Path, bag: Path, rate_hz: float, calibration: Path | None = None
) -> dict[str, int]:
    """Write a drive's frames, CameraInfo and ground truth as a bag, with the topics of kitti2bag.

    Parameters
    ----------
    folder
        In KITTI's layout.
    bag
        The bag's folder; one that is there is replaced.
    rate_hz
        Frames a second.
    calibration
        The file of their camera, if it has distortion.

    Returns
    -------
    The number of messages by topic.
    """
    conversion = Conversion(calibration, compressed=True, overwrite=True)
    return write_drive(find_drive(folder, rate_hz=rate_hz), bag, conversion)
