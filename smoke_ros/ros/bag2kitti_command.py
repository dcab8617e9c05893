"""``smoke-ros bag2kitti BAG... OUT``: bags in KITTI's layout, for training on your own drives."""

from __future__ import annotations

import argparse
import logging
from functools import partial
from pathlib import Path

from smoke_ros.data.drives import check_calibration
from smoke_ros.ros.bag_arguments import add_bag_arguments

logger = logging.getLogger(__name__)

DESCRIPTION = """\
Write the images of bags in KITTI's layout (image_2, calib, and label_2 where a bag has ground
truth), as smoke-ros train and evaluate read it. Distorted images are undistorted. Several cameras
become one set of frames; timestamps.txt says which frame is which image. Of several bags,
ImageSets has a list of frames for each, to be put together into splits by drive."""

EXAMPLE = """\
example:
  smoke-ros bag2kitti drive my_drives --stride 5
  smoke-ros bag2kitti monday tuesday friday my_drives --stride 5
  smoke-ros bag2kitti drive front --topics /front/image_raw --truth-topic /labels"""

#: Exit code where some of the bag could not be used.
EXIT_SOME_FAILED = 1
#: Problems of single frames that are printed.
MOST_PRINTED = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        'bags', type=Path, nargs='+', metavar='BAG', help='a bag, or one of its files'
    )
    parser.add_argument('out', type=Path, metavar='OUT', help='the folder to write')
    add_bag_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Convert; return the exit code."""
    from smoke_ros.ros.bag_frames import Selection
    from smoke_ros.ros.bag_to_kitti import write_kitti
    from smoke_ros.ros.camera_topics import find_cameras

    if args.calib is not None:
        check_calibration(args.calib)
    find = partial(
        find_cameras, chosen=args.topics, has_calibration=args.calib is not None,
        truth=args.truth_topic,
    )  # fmt: skip
    written = write_kitti(
        args.bags, args.out, find, selection=Selection(args.start, args.duration, args.stride),
        rectification=args.rectification, calibration=args.calib,
    )  # fmt: skip
    for problem in written.problems[:MOST_PRINTED]:
        logger.error('%s', problem)
    if len(written.problems) > MOST_PRINTED:
        logger.error('and %d more', len(written.problems) - MOST_PRINTED)
    print(f'{args.out}: {written.images} images, {written.labels} of them with labels')
    return EXIT_SOME_FAILED if written.problems else 0
