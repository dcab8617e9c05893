"""Arguments that the commands on bags share."""

from __future__ import annotations

import argparse
import math
from pathlib import Path


def add_bag_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which of a bag's images are meant, and whose camera took them."""
    parser.add_argument(
        '--topics', nargs='+', default=[], metavar='TOPIC',
        help='image topics (default: one for each camera_info with images beside it)',
    )  # fmt: skip
    parser.add_argument(
        '--truth-topic', metavar='TOPIC',
        help='Detection3DArray with the ground truth, matched by stamp (default: ground_truth '
        'beside the images, if there is one); none for no ground truth',
    )  # fmt: skip
    parser.add_argument(
        '--calib', type=Path, metavar='FILE',
        help="a ROS calibration (.yaml) in place of the bag's CameraInfo, or a KITTI one (.txt)",
    )  # fmt: skip
    parser.add_argument(
        '--rectification', choices=('auto', 'raw', 'rectified'), default='auto',
        help='whether images are rectified (P applies) or raw (K and D apply); auto goes by '
        "a word in the topic's name that begins with 'rect' (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        '--start', type=float, default=0.0, metavar='S',
        help='seconds of the bag to leave out at its beginning',
    )  # fmt: skip
    parser.add_argument(
        '--duration', type=float, default=math.inf, metavar='S', help='seconds of the bag to take'
    )
    parser.add_argument(
        '--stride', type=int, default=1, metavar='N', help='take every Nth image of each topic'
    )
