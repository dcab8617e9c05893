"""``smoke-ros report DIR``: make a replay's report again, and hold it to requirements."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from smoke_ros.config.evaluation import EvaluationConfig, read_evaluation_config
from smoke_ros.config.report import ReportConfig
from smoke_ros.option_arguments import add_option_arguments, given_options
from smoke_ros.replay.measure import Measuring
from smoke_ros.replay.report_files import REPORT_HTML
from smoke_ros.replay.requirements import Requirement, Verdict, parse_requirement

DESCRIPTION = """\
Make report.html and report.json of what smoke-ros replay wrote, without running the model again:
with other thresholds, or to check it against requirements. DIR is the folder of a replay, or one
with such folders in it, whose bags are then reported together."""

EXAMPLE = """\
example:
  smoke-ros report out/drive --require 'car/3d/moderate>=10' --require 'latency_p99_ms<=100'

A requirement is METRIC OP NUMBER with OP one of >= <= > < ==. An AP such as car/3d/moderate is
AP_R40 in percent at the overlaps of KITTI's benchmark (0.7 for cars); kitti:car/3d/moderate is at
those of KITTI's first program (0.5), and car/3d/moderate/r11 at 11 recalls. An unknown METRIC
lists all there are. Exit code: 1 when one is not met, and junit.xml beside the report."""

#: Exit code where a requirement is not met.
EXIT_NOT_MET = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument('folder', type=Path, metavar='DIR', help='what smoke-ros replay wrote')
    add_report_arguments(parser)


def add_report_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of whatever ends in a report; see :func:`report_options`."""
    parser.add_argument(
        '--require', action='append', default=[], metavar='REQUIREMENT',
        help="such as 'latency_p99_ms<=100'; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        '--evaluation', type=Path, metavar='FILE',
        help='YAML file of evaluation options: classes, overlaps, score_threshold',
    )  # fmt: skip
    add_option_arguments(parser, ReportConfig)


def report_options(args: argparse.Namespace) -> tuple[list[Requirement], Measuring]:
    """Return what the arguments of :func:`add_report_arguments` say.

    Cheap enough to be called before a replay, so that a wrong name is said then, not after it.

    Raises
    ------
    ValueError
        If a requirement is not one, or an option is out of range.
    """
    evaluation = EvaluationConfig()
    if args.evaluation:
        evaluation = read_evaluation_config(args.evaluation)
    report = ReportConfig(**given_options(args, ReportConfig))
    requirements = [parse_requirement(text, evaluation) for text in args.require]
    return requirements, Measuring(report, evaluation)


def make_report(folder: Path, requirements: list[Requirement], how: Measuring) -> int:
    """Write the report of a folder, say where it is and what is not met; return the exit code."""
    # Matplotlib takes a second to import, which --help need not pay.
    from smoke_ros.replay.report import write_report

    verdicts = write_report(folder, requirements, how)
    print(folder / REPORT_HTML)
    print_verdicts(verdicts)
    return 0 if all(verdict.met for verdict in verdicts) else EXIT_NOT_MET


def print_verdicts(verdicts: list[Verdict]) -> None:
    """Say which requirements are met; those that are not go to standard error."""
    for verdict in verdicts:
        word = 'met' if verdict.met else 'NOT MET'
        print(f'{word}: {verdict.sentence}', file=sys.stdout if verdict.met else sys.stderr)


def run(args: argparse.Namespace) -> int:
    """Make the report; return the exit code."""
    return make_report(args.folder, *report_options(args))
