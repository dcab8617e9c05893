"""The command line's options for the engine."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from smoke_ros.config.engine import EngineConfig
from smoke_ros.config.options import option_info


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare ``--engine`` and ``--precision``."""
    for field in dataclasses.fields(EngineConfig):
        info = option_info(field)
        parser.add_argument(
            f'--{field.name}', choices=info.choices, default=field.default,
            help=f'{info.description} (default: %(default)s)',
        )  # fmt: skip


def engine_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return what was given, by the names of :class:`EngineConfig`."""
    return {field.name: getattr(args, field.name) for field in dataclasses.fields(EngineConfig)}
