"""Arguments of the command line that are options of a configuration."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from smoke_ros.config.detector import DetectorConfig
from smoke_ros.config.options import option_info


def add_option_arguments(parser: argparse.ArgumentParser, config: type[Any]) -> None:
    """Declare an argument for every option of a configuration's dataclass."""
    for field in dataclasses.fields(config):
        info = option_info(field)
        kind = type(field.default)
        parser.add_argument(
            f'--{field.name.replace("_", "-")}', type=kind, choices=info.choices or None,
            metavar=None if info.choices else _metavar(info.unit, kind),
            help=f'{info.description} (default: {field.default})',
        )  # fmt: skip


def given_options(args: argparse.Namespace, config: type[Any]) -> dict[str, Any]:
    """Return what was given of :func:`add_option_arguments`, by the names of the options."""
    given = {field.name: getattr(args, field.name) for field in dataclasses.fields(config)}
    return {name: value for name, value in given.items() if value is not None}


def add_threshold_arguments(parser: argparse.ArgumentParser, elsewhere: str = '') -> None:
    """Declare the score thresholds; ``elsewhere`` says what else may have another default."""
    parser.add_argument(
        '--score-threshold', type=float, metavar='T',
        help='drop detections below this score '
        f'(default: {DetectorConfig().score_threshold:g}{elsewhere})',
    )  # fmt: skip
    parser.add_argument(
        '--class-threshold', dest='class_thresholds', action='append', metavar='CLASS=T',
        help='another threshold for this class; may be repeated',
    )  # fmt: skip


def given_thresholds(args: argparse.Namespace) -> dict[str, Any]:
    """Return what was given of :func:`add_threshold_arguments`, by the names of the options."""
    given = {'score_threshold': args.score_threshold, 'class_thresholds': args.class_thresholds}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in given.items()
        if value is not None
    }


def _metavar(unit: str, kind: type) -> str:
    return unit.upper() or ('N' if kind is int else 'X')
