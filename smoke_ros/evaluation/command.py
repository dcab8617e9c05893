"""``smoke-ros evaluate LABELS DETECTIONS``: score result files against label files."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from smoke_ros.config.evaluation import EvaluationConfig, read_evaluation_config
from smoke_ros.evaluation.evaluate import Evaluation, evaluate_frames
from smoke_ros.evaluation.frames import Provenance, read_frames
from smoke_ros.evaluation.report_json import as_json
from smoke_ros.evaluation.report_text import format_text
from smoke_ros.files import write_text_atomically

DESCRIPTION = """\
Score KITTI result files against KITTI label files: average precision as KITTI's own program gives
it, and errors of depth, heading and size, recall and false boxes."""

EXAMPLE = """\
example:
  smoke-ros evaluate training/label_2 results --split ImageSets/val.txt --html report.html
  smoke-ros evaluate labels results --class Truck=0.7 --class Car=0.7 --json report.json"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument('labels', type=Path, metavar='LABELS', help='folder of label files')
    parser.add_argument(
        'detections', type=Path, metavar='DETECTIONS',
        help='folder of result files of the same names; an empty file for no detections',
    )  # fmt: skip
    parser.add_argument(
        '--split', type=Path, metavar='FILE',
        help='score the frames that this file names, one on each line (default: all labelled)',
    )  # fmt: skip
    parser.add_argument('--json', type=Path, metavar='FILE', help='write all figures as JSON')
    parser.add_argument('--html', type=Path, metavar='FILE', help='write a report with plots')
    parser.add_argument(
        '--class', dest='classes', action='append', type=_class_overlap, metavar='NAME=OVERLAP',
        help='score this class, right above this intersection over union in every metric; may be '
        'repeated (default: KITTI\'s three classes with its overlaps)',
    )  # fmt: skip
    parser.add_argument(
        '--score-threshold', type=float, metavar='SCORE',
        help='detections below count for AP and calibration only '
        f'(default: {EvaluationConfig().score_threshold:g})',
    )  # fmt: skip
    parser.add_argument(
        '--config', type=Path, metavar='FILE', help='YAML file of evaluation options'
    )
    parser.add_argument(
        '--trained-on', type=Path, metavar='FILE',
        help='file of the frames that the model was trained on, to warn when one is scored '
        '(default: as the detections folder\'s smoke_ros_run.json says)',
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the report, write what was asked for; return the exit code."""
    config = _config(args)
    frames = read_frames(args.labels, args.detections, args.split, args.trained_on)
    evaluation = evaluate_frames(frames.truth, frames.detections, config)
    print(format_text(evaluation, frames.provenance), end='')
    try:
        _write_reports(args, evaluation, frames.provenance)
    except OSError as error:
        raise OSError(f'cannot write the report: {error}') from error
    return 0


def _write_reports(
    args: argparse.Namespace, evaluation: Evaluation, provenance: Provenance
) -> None:
    if args.json:
        text = json.dumps(as_json(evaluation, provenance), indent=1, allow_nan=False)
        write_text_atomically(args.json, text + '\n')
    if args.html:
        # Matplotlib takes a second to import, which only this report has to pay.
        from smoke_ros.evaluation.report_html import format_html

        write_text_atomically(args.html, format_html(evaluation, provenance))


def _config(args: argparse.Namespace) -> EvaluationConfig:
    config = read_evaluation_config(args.config) if args.config else EvaluationConfig()
    changes: dict[str, Any] = {}
    if args.classes:
        overlaps = tuple(overlap for _, overlap in args.classes)
        changes['classes'] = tuple(name for name, _ in args.classes)
        changes['overlaps'] = changes['devkit_overlaps'] = overlaps
    if args.score_threshold is not None:
        changes['score_threshold'] = args.score_threshold
    return dataclasses.replace(config, **changes)


def _class_overlap(text: str) -> tuple[str, float]:
    name, separator, overlap = text.partition('=')
    try:
        return (name, float(overlap)) if name and separator else _refuse(text)
    except ValueError:
        return _refuse(text)


def _refuse(text: str) -> tuple[str, float]:
    raise argparse.ArgumentTypeError(f'expected NAME=OVERLAP such as Car=0.7, got {text!r}')
