"""``smoke-ros``: the command line around the library."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from smoke_ros import __version__
from smoke_ros.huge_pages import use_huge_pages

#: Exit code of a command that was given something it cannot use.
EXIT_BAD_INPUT = 2
#: Exit codes, by convention 128 + the signal's number: after Ctrl-C, and where whoever read the
#: output has closed it.
EXIT_INTERRUPTED, EXIT_CLOSED_PIPE = 130, 141


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Its module has ``add_arguments(parser)``, ``run(args) -> exit code``, and for ``--help`` a
    ``DESCRIPTION`` and an ``EXAMPLE``.
    """

    module: str
    summary: str


COMMANDS = {
    'detect': Command('smoke_ros.detect_command', 'find objects in images'),
    'evaluate': Command('smoke_ros.evaluation.command', 'score detections against labels'),
    'train': Command('smoke_ros.training.command', 'train a model'),
    'models': Command('smoke_ros.models_command', 'list the models that have a name'),
    'export': Command('smoke_ros.export_command', 'write a model as a file for other programs'),
    'replay': Command('smoke_ros.ros.replay.command', 'replay bags and report on them'),
    'kitti2bag': Command('smoke_ros.ros.kitti2bag_command', 'turn KITTI or images into a bag'),
    'bag2kitti': Command('smoke_ros.ros.bag2kitti_command', "turn a bag into KITTI's layout"),
    'report': Command('smoke_ros.replay.report_command', 'make the report of a replay again'),
    'compare': Command('smoke_ros.replay.compare_command', 'hold two reports side by side'),
    'synth': Command('smoke_ros.synth.command', 'render labelled pictures of streets'),
    'dataset': Command('smoke_ros.data.command', 'look into a data set'),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit code: 2 for what it cannot use, said in one line."""
    handler = logging.StreamHandler()
    handler.addFilter(_is_ours_or_warns)
    logging.basicConfig(
        format='%(levelname)s: %(message)s', level=logging.INFO, handlers=[handler]
    )
    use_huge_pages()
    arguments = list(sys.argv[1:] if argv is None else argv)
    chosen = arguments[0] if arguments else ''
    try:
        args = _make_parser(chosen).parse_args(arguments)  # imports for seconds
        code: int = args.run(args)
        sys.stdout.flush()  # not when Python ends, where nobody could tell why it fails
        return code
    except BrokenPipeError:
        # As with `smoke-ros models | head`: enough was read, and nothing is wrong. What is left
        # to be written has to go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CLOSED_PIPE
    except (ValueError, TypeError, OSError) as error:
        if logging.getLogger().isEnabledFor(logging.DEBUG):
            raise
        print(f'smoke-ros {chosen}: {error}', file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _is_ours_or_warns(record: logging.LogRecord) -> bool:
    """Return whether a log entry is printed: of libraries, such as ONNX's, only warnings are."""
    return record.levelno >= logging.WARNING or record.name.startswith('smoke_ros')


def _make_parser(chosen: str) -> argparse.ArgumentParser:
    """Make the parser; only the chosen command's module, with all it needs, is imported."""
    parser = argparse.ArgumentParser(
        prog='smoke-ros',
        description='Monocular 3D object detection with SMOKE.',
        epilog='smoke-ros COMMAND --help tells more, with an example.',
    )
    parser.add_argument('--version', action='version', version=f'smoke_ros {__version__}')
    subparsers = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)
    for name, command in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=command.summary)
        if name == chosen:
            module = importlib.import_module(command.module)
            subparser.description, subparser.epilog = module.DESCRIPTION, module.EXAMPLE
            subparser.formatter_class = argparse.RawDescriptionHelpFormatter
            module.add_arguments(subparser)
            subparser.set_defaults(run=module.run)
    return parser


if __name__ == '__main__':
    sys.exit(main())
