"""``python -m smoke_ros.ros.demo``: see the node at work, from a bag to a video."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

from smoke_ros.cli import EXIT_BAD_INPUT, EXIT_INTERRUPTED
from smoke_ros.config.demo import DemoConfig
from smoke_ros.config.options import option_info

#: Exit code where the node ended, or did not become ready.
EXIT_FAILED = 1

RANDOM_SENTENCE = (
    'The weights are random: this demo shows the node at work, and detects nothing '
    '(a trained model: --model NAME).'
)


def main(argv: Sequence[str] | None = None, node_command: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit code.

    Parameters
    ----------
    argv
        The command line's arguments.
    node_command
        Stands in for what starts the node.
    """
    arguments = vars(_parser().parse_args(argv))
    try:
        run(DemoConfig(**arguments), node_command)
    except (ValueError, OSError) as error:
        print(f'demo: {error}', file=sys.stderr)
        return EXIT_BAD_INPUT
    except RuntimeError as error:
        print(f'demo: {error}', file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print('demo: stopped', file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0


def run(config: DemoConfig, node_command: Sequence[str] | None = None) -> None:
    """Write the drive, play it, record, draw and sum up; see :func:`main`."""
    # Here rather than at the top, for --help need not wait for PyTorch.
    from smoke_ros.models import RANDOM
    from smoke_ros.ros.node_process import SMOKE_NODE, isolate

    if config.model == RANDOM:
        print(RANDOM_SENTENCE, flush=True)
    isolate()
    from smoke_ros.ros.demo.frames import prepare_drive
    from smoke_ros.ros.demo.pictures import draw_pictures
    from smoke_ros.ros.demo.session import play_into_node
    from smoke_ros.ros.demo.summary import read_answers, summarise

    out = Path(config.out)
    recording = out / 'detections'
    video, strip, figures = out / 'demo.mp4', out / 'demo.png', out / 'summary.json'
    out.mkdir(parents=True, exist_ok=True)
    drive = prepare_drive(config.kitti, config.frames, out)
    report = play_into_node(drive, recording, config, node_command or SMOKE_NODE)
    summary = summarise(recording, report, drive.camera.image, drive.description)
    is_random = summary.model == RANDOM
    draw_pictures(drive, read_answers(recording), video, strip, random=is_random)
    summary.write(figures)
    print(summary.text())
    print('bags        ' + f'{drive.bag}, {recording}')
    print('pictures    ' + f'{video}, {strip}; figures: {figures}')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='python -m smoke_ros.ros.demo', description=__doc__)
    for field in dataclasses.fields(DemoConfig):
        parser.add_argument(
            f'--{field.name}',
            type=type(field.default),
            default=field.default,
            help=f'{option_info(field).description} (default: {field.default!r})',
        )
    return parser


if __name__ == '__main__':
    sys.exit(main())
