"""``smoke-ros train CONFIG``: train a model as a YAML file says."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from pathlib import Path

from smoke_ros.training.learner import NonFiniteLossError
from smoke_ros.training.loop import Outcome, train
from smoke_ros.training.memory import keep_freed_memory
from smoke_ros.training.processes import join_processes
from smoke_ros.training.run_config import Sections, read_sections
from smoke_ros.training.state import BEST, FINAL

DESCRIPTION = """\
Train a model on labelled frames in KITTI's layout. Checkpoints, curves and the whole configuration
go into a folder of the run; Ctrl-C or SIGTERM saves a checkpoint and ends it."""

EXAMPLE = """\
examples:
  smoke-ros train config/train/smoke_dla34_kitti.yaml --data ~/kitti --out runs/kitti
  smoke-ros train config/train/smoke_dla34_kitti.yaml --data ~/kitti --out runs/kitti --resume
  smoke-ros train my.yaml --init kitti_dla34_mmdet3d --set training.batch_size=8
  torchrun --nproc-per-node 4 -m smoke_ros.cli train my.yaml

docs/training.md tells more: your own data, several GPUs and machines, fine-tuning, curves."""

#: Exit code of a run whose loss became NaN.
EXIT_NOT_FINITE = 1
#: Added to a signal's number for the exit code of a run that it ended, by convention.
EXIT_SIGNAL = 128


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument('config', type=Path, metavar='CONFIG', help='YAML file of the run')
    parser.add_argument(
        '--data', metavar='DIR', help="the data set's folder, in place of data.root"
    )
    parser.add_argument(
        '--set', dest='overrides', nargs='+', action='extend', default=[],
        metavar='SECTION.OPTION=VALUE',
        help="in place of the file's, for example training.batch_size=8 model.norm=bn",
    )  # fmt: skip
    parser.add_argument(
        '--out', type=Path, metavar='DIR',
        help='folder of the run (default: runs/ and the name of CONFIG)',
    )  # fmt: skip
    parser.add_argument(
        '--resume', action='store_true',
        help='go on from the last checkpoint in the folder, bit for bit',
    )  # fmt: skip
    parser.add_argument(
        '--device', default='auto', help="'auto', 'cpu', 'cuda' or 'cuda:N' (default: auto)"
    )
    parser.add_argument(
        '--init', metavar='WEIGHTS',
        help='start from a model of the registry, imagenet_dla34 or imagenet_efficientnet_lite0 '
        '(the trunk only) or a weights file, in place of training.init',
    )  # fmt: skip
    parser.add_argument(
        '--reset-heads', action='store_true',
        help='start layers of the heads afresh that do not fit these weights',
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Train; return the exit code."""
    sections = _with_arguments(read_sections(args.config, args.overrides), args)
    out = args.out or Path('runs') / args.config.stem
    keep_freed_memory()
    with join_processes(args.device) as processes:
        if not processes.is_first:
            logging.getLogger().setLevel(logging.WARNING)
        try:
            outcome = train(sections, str(args.config), out, processes, resume=args.resume)
        except NonFiniteLossError as error:
            print(f'smoke-ros train: {error}', file=sys.stderr)
            return EXIT_NOT_FINITE
        if processes.is_first:
            print(_summary(outcome, args, out))
    return EXIT_SIGNAL + outcome.signal if outcome.signal else 0


def _with_arguments(sections: Sections, args: argparse.Namespace) -> Sections:
    """Put what arguments of their own say into the sections."""
    if args.data is not None:
        sections.setdefault('data', {})['root'] = args.data
    if args.init is not None:
        sections.setdefault('training', {})['init'] = args.init
    if args.reset_heads:
        sections.setdefault('training', {})['reset_heads'] = True
    return sections


def _summary(outcome: Outcome, args: argparse.Namespace, out: Path) -> str:
    if outcome.signal:
        return (
            f'ended by {outcome.signal.name} after step {outcome.iteration}; go on with: '
            f'smoke-ros train {shlex.join(_same_run(args, out))} --resume'
        )
    best = f', the best on validation {out / BEST}' if (out / BEST).exists() else ''
    return f'{outcome.iteration} steps done; the model is {out / FINAL}{best}'


def _same_run(args: argparse.Namespace, out: Path) -> list[str]:
    """Return arguments with which a run is configured as it was; its weights are in ``out``."""
    words = [str(args.config), '--out', str(out)]
    if args.data is not None:
        words += ['--data', args.data]
    if args.overrides:
        words += ['--set', *args.overrides]
    return words + (['--device', args.device] if args.device != 'auto' else [])
