"""The drive that the demo plays: the bundled one, or one of KITTI's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from smoke_ros.data.drives import RAW_CALIBRATION, DriveCamera, find_drive
from smoke_ros.files import write_text_atomically
from smoke_ros.resources import resource
from smoke_ros.ros.bags import BagReader, BagWriter
from smoke_ros.ros.camera_topics import CameraTopics, find_cameras
from smoke_ros.ros.kitti_to_bag import Conversion, write_drive

#: A bag with ground truth, rendered by ``smoke-ros synth --drive`` (docs/synth.md).
BUNDLED_DRIVE = 'models/demo_drive'

#: Of KITTI's raw drives.
RATE_HZ = 10.0

#: Rectified left colour cameras (P_rect_02) of recording days, for drives that come without their
#: calib_cam_to_cam.txt.
KNOWN_DAYS = {
    '2011_09_26': '7.215377e+02 0 6.095593e+02 4.485728e+01 0 7.215377e+02 1.728540e+02 '
    '2.163791e-01 0 0 1 2.745884e-03',
}


@dataclass(frozen=True)
class Drive:
    """A drive as a bag."""

    #: In words.
    description: str
    bag: Path
    camera: CameraTopics


def prepare_drive(kitti: str, frames: int, work: Path) -> Drive:
    """Write the bag that is played: the bundled rendered drive, or one of KITTI's.

    Parameters
    ----------
    kitti
        Folder of a KITTI raw drive, or one above it; '' for the rendered drive.
    frames
        How many are written at most; 0 for all.
    work
        Folder that is written to: the bag, replacing an older one, is ``drive`` in it.

    Raises
    ------
    FileNotFoundError
        If a folder is named that has no drive in it, or a drive without a calibration.
    """
    bag = work / 'drive'
    if not kitti:
        _copy_bag(resource(BUNDLED_DRIVE), bag, frames)
        return Drive('the rendered drive that comes with smoke_ros', bag, _only_camera(bag))
    drive = find_kitti_drive(Path(kitti))
    if drive is None:
        raise FileNotFoundError(f'{kitti}: no KITTI raw drive (a folder with image_02/data) in it')
    calibration = _missing_calibration(drive, work)
    (camera,) = find_drive(drive, rate_hz=RATE_HZ)
    images = camera.images[:frames] if frames else camera.images
    conversion = Conversion(calibration, compressed=True, overwrite=True)
    write_drive([DriveCamera(camera.number, images)], bag, conversion)
    return Drive(f'KITTI raw drive {drive.name}', bag, _only_camera(bag))


def find_kitti_drive(folder: Path) -> Path | None:
    """Return the first raw drive in a folder, up to three levels down, or the folder itself."""
    for depth in range(4):
        found = sorted(folder.glob('*/' * depth + 'image_02/data'))
        if found:
            return found[0].parents[1]
    return None


def _copy_bag(source: Path, path: Path, frames: int) -> None:
    """Copy a bag of one camera, or what belongs to its first ``frames`` frames."""
    with BagReader(source) as reader, BagWriter(path, overwrite=True) as writer:
        (camera,) = find_cameras(reader.topics)
        for topic in reader.topics.values():
            writer.add_topic(topic.name, topic.message_class(), topic.qos)
        seen, last_ns = 0, 0
        for message in reader.messages():
            if frames and seen == frames and message.stamp_ns > last_ns:
                break
            if message.topic == camera.image:
                seen, last_ns = seen + 1, message.stamp_ns
            writer.write(message.topic, message.data, message.stamp_ns)


def _only_camera(bag: Path) -> CameraTopics:
    with BagReader(bag) as reader:
        (topics,) = find_cameras(reader.topics)
    return topics


def _missing_calibration(drive: Path, work: Path) -> Path | None:
    """Write the calibration of a drive that has none of its own; None where it has."""
    if any((place / RAW_CALIBRATION).is_file() for place in (drive, drive.parent)):
        return None
    day = next((day for day in KNOWN_DAYS if day in str(drive.resolve())), None)
    if day is None:
        raise FileNotFoundError(
            f'{drive}: no {RAW_CALIBRATION} in it or above it; it comes with the drive, as '
            'KITTI\'s "calibration"'
        )
    path = work / RAW_CALIBRATION
    write_text_atomically(path, f'P_rect_02: {KNOWN_DAYS[day]}\n')
    return path
