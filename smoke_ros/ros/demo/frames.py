"""The drive that the demo plays: KITTI's where there is one, else one that is rendered."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from smoke_ros.data.drives import DriveCamera, find_drive
from smoke_ros.files import write_text_atomically
from smoke_ros.ros.bags import BagReader
from smoke_ros.ros.camera_topics import CameraTopics, find_cameras
from smoke_ros.ros.demo.rendering import RATE_HZ, render_drive
from smoke_ros.ros.kitti_to_bag import Conversion, write_drive

#: Where a drive is looked for if none is named: beside the checkout.
DEFAULT_KITTI = Path(__file__).resolve().parents[4] / 'shared' / 'kitti'

#: Rectified left colour cameras (P_rect_02) of recording days, for drives that come without their
#: calib_cam_to_cam.txt.
KNOWN_DAYS = {
    '2011_09_26': '7.215377e+02 0 6.095593e+02 4.485728e+01 0 7.215377e+02 1.728540e+02 '
    '2.163791e-01 0 0 1 2.745884e-03',
}


@dataclass(frozen=True)
class Source:
    """A drive in KITTI's layout."""

    #: In words.
    description: str
    folder: Path
    #: In place of the drive's own calibration, where it lacks one.
    calibration: Path | None = None


def choose_source(kitti: str, frames: int, work: Path) -> Source:
    """Find KITTI's drive, or render one.

    Parameters
    ----------
    kitti
        A folder to search; '' for the default one, which may be missing.
    frames
        How many are rendered at most; 0 for a whole drive.
    work
        Folder that may be written to.

    Raises
    ------
    FileNotFoundError
        If a folder is named that has no drive in it, or a drive without a calibration.
    """
    drive = find_kitti_drive(Path(kitti) if kitti else DEFAULT_KITTI)
    if drive is not None:
        return Source(f'KITTI raw drive {drive.name}', drive, _missing_calibration(drive, work))
    if kitti:
        raise FileNotFoundError(f'{kitti}: no KITTI raw drive (a folder with image_02/data) in it')
    return Source('rendered drive', render_drive(work / 'rendered', frames))


def find_kitti_drive(folder: Path) -> Path | None:
    """Return the first raw drive in a folder, up to three levels down, or the folder itself."""
    for depth in range(4):
        found = sorted(folder.glob('*/' * depth + 'image_02/data'))
        if found:
            return found[0].parents[1]
    return None


def write_bag(source: Source, frames: int, path: Path) -> CameraTopics:
    """Write a drive's left colour camera as a bag, replacing an older one; return its topics."""
    (camera,) = find_drive(source.folder, rate_hz=RATE_HZ)
    images = camera.images[:frames] if frames else camera.images
    conversion = Conversion(calibration=source.calibration, overwrite=True)
    write_drive([DriveCamera(camera.number, images)], path, conversion)
    with BagReader(path) as bag:
        (topics,) = find_cameras(bag.topics)
    return topics


def _missing_calibration(drive: Path, work: Path) -> Path | None:
    """Write the calibration of a drive that has none of its own; None where it has."""
    if any((place / 'calib_cam_to_cam.txt').is_file() for place in (drive, drive.parent)):
        return None
    day = next((day for day in KNOWN_DAYS if day in str(drive.resolve())), None)
    if day is None:
        raise FileNotFoundError(
            f'{drive}: no calib_cam_to_cam.txt in it or above it; it comes with the drive, as '
            'KITTI\'s "calibration"'
        )
    path = work / 'calib_cam_to_cam.txt'
    write_text_atomically(path, f'P_rect_02: {KNOWN_DAYS[day]}\n')
    return path
