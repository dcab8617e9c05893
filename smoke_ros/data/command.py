"""``smoke-ros dataset stats DIR``: what a labelled data set holds."""

from __future__ import annotations

import argparse
from pathlib import Path

from smoke_ros.config.data import DataConfig
from smoke_ros.config.model import ModelConfig
from smoke_ros.data.dataset import readable_frames
from smoke_ros.data.layout import KittiFolder
from smoke_ros.data.statistics import format_model_config, format_table, measure
from smoke_ros.files import write_text_atomically

DESCRIPTION = """\
Count the labelled objects of a data set in KITTI's layout, and measure what a model regresses
against: the mean size of each class, mean and spread of the depth, the focal length."""

EXAMPLE = """\
example:
  smoke-ros dataset stats ~/kitti/object --split train --class Car --class Cyclist \\
      --class Pedestrian --out model.yaml"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    actions = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    stats = actions.add_parser(
        'stats', help='count and measure the labelled objects', description=DESCRIPTION,
        epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    stats.add_argument('folder', metavar='DIR', help='folder with image_2, label_2 and calib')
    stats.add_argument(
        '--split', default='', metavar='NAME|FILE',
        help='a name in ImageSets, or a file of frame names (default: all labelled frames)',
    )  # fmt: skip
    stats.add_argument(
        '--class', dest='classes', action='append', default=[], metavar='NAME',
        help='measure this class; may be repeated, and gives the order (default: all names)',
    )  # fmt: skip
    stats.add_argument(
        '--map', dest='class_map', action='append', default=[], metavar='NAME=CLASS',
        help='count objects of this name as of that class; may be repeated',
    )  # fmt: skip
    for side in ('width', 'height'):
        stats.add_argument(
            f'--input-{side}', type=int, metavar='PX',
            default=getattr(ModelConfig(), f'input_{side}'),
            help=f"{side} of the network's input, for --out (default: %(default)s)",
        )  # fmt: skip
    stats.add_argument(
        '--out', type=Path, metavar='FILE', help='write the references as a model config (YAML)'
    )
    stats.add_argument('--strict', action='store_true', help='refuse labels that cannot be read')


def run(args: argparse.Namespace) -> int:
    """Print the table, write what was asked for; return the exit code."""
    folder = KittiFolder(args.folder)
    merged = DataConfig(class_map=tuple(args.class_map)).class_meanings()
    frames, _, _ = readable_frames(folder, folder.frames(args.split), strict=args.strict)
    statistics = measure(folder, frames, args.classes, merged)
    print(format_table(statistics), end='')
    if args.out:
        size = (args.input_width, args.input_height)
        write_text_atomically(args.out, format_model_config(statistics, size))
        print(f'wrote {args.out}')
    return 0
