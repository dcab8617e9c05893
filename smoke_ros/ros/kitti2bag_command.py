"""``smoke-ros kitti2bag SRC OUT``: KITTI's frames and drives, or a folder of images, as a bag."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from smoke_ros.data.drives import find_drive

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Write a bag of KITTI object frames (image_2, calib, label_2), of a KITTI raw drive (image_02 with
timestamps.txt, calib_cam_to_cam.txt) or of a plain folder of images, with CameraInfo and, where
there are labels, a ground_truth topic. Boxes are in the frame of the camera itself, not in that
of KITTI's camera 0, which is 6 cm beside it."""

EXAMPLE = """\
example:
  smoke-ros kitti2bag KITTI/2011_09_26/2011_09_26_drive_0001_sync drive --camera 2 --camera 3
  smoke-ros kitti2bag KITTI/object/training frames --rate 2
  smoke-ros kitti2bag pictures drive --calib camera.yaml --rate 30 --compressed"""

#: KITTI's own rate.
RATE_HZ = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument('source', type=Path, metavar='SRC', help='the folder to convert')
    parser.add_argument('out', type=Path, metavar='OUT', help='the folder of the bag')
    parser.add_argument(
        '--calib', type=Path, metavar='FILE',
        help='a ROS calibration (.yaml) or a KITTI one (.txt) in place of that of the source',
    )  # fmt: skip
    parser.add_argument(
        '--rectified', action='store_true',
        help='the images are rectified: names their topic image_rect, so that of a ROS '
        "calibration P applies; KITTI's are anyway",
    )  # fmt: skip
    parser.add_argument(
        '--rate', type=float, default=RATE_HZ, metavar='HZ',
        help='images a second, where there is no timestamps.txt (default: %(default)g)',
    )  # fmt: skip
    parser.add_argument(
        '--camera', type=int, action='append', choices=range(4), metavar='N',
        help='camera of a raw drive, 0 to 3; may be given again (default: 2)',
    )  # fmt: skip
    parser.add_argument(
        '--labels', type=Path, metavar='DIR',
        help='KITTI labels NAME.txt for images NAME.png (default: label_2 of object frames)',
    )  # fmt: skip
    parser.add_argument(
        '--compressed', action='store_true',
        help='store the image files as they are, as CompressedImage',
    )  # fmt: skip
    parser.add_argument(
        '--storage', choices=('mcap', 'sqlite3'), default='mcap',
        help='what the bag is stored as (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument('--overwrite', action='store_true', help='replace a bag that is there')


def run(args: argparse.Namespace) -> int:
    """Convert; return the exit code."""
    # Here rather than above: --help also answers where there is no ROS.
    from smoke_ros.ros.kitti_to_bag import Conversion, write_drive

    for given in (args.labels, args.calib):
        if given is not None and not given.exists():
            raise FileNotFoundError(f'{given}: no such file or folder')
    cameras = find_drive(
        args.source, rate_hz=args.rate, cameras=args.camera or (2,), labels=args.labels
    )
    conversion = Conversion(
        args.calib, args.rectified, args.compressed, args.storage, args.overwrite
    )
    counts = write_drive(cameras, args.out, conversion)
    for topic, count in counts.items():
        print(f'{topic}  {count} messages')
    if not any(topic.endswith('/ground_truth') for topic in counts):
        logger.info('no labels were found: the bag has no ground truth')
    return 0
