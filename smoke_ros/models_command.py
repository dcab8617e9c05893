"""``smoke-ros models``: which models there are, what they are and whether they are here."""

from __future__ import annotations

import argparse

from smoke_ros.models import MANUAL, RANDOM, ModelEntry, fetch, read_registry, weights_path
from smoke_ros.resources import resource

DESCRIPTION = """\
List the models that have a name: what each was trained on, its classes, its licence, and whether
its weights are on this machine. --fetch downloads them now, for a vehicle that has no network
when the node starts."""

EXAMPLE = """\
example:
  smoke-ros models
  smoke-ros models kitti_dla34_mmdet3d --fetch"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument('names', metavar='NAME', nargs='*', help='only these (default: all)')
    parser.add_argument(
        '--fetch', action='store_true', help='download the weights of these that are not here'
    )


def run(args: argparse.Namespace) -> int:
    """List, and fetch what was asked for; return the exit code."""
    entries = read_registry(resource('models/registry.yaml'))
    if unknown := [name for name in args.names if name not in entries]:
        raise ValueError(
            f'no model {", ".join(unknown)}: models/registry.yaml has {", ".join(entries)}'
        )
    if args.fetch and not args.names:
        raise ValueError('--fetch takes the names of the models to fetch')
    chosen = [entries[name] for name in dict.fromkeys(args.names or entries)]
    if args.fetch:
        for entry in chosen:
            fetch(entry)
    print('\n\n'.join(describe(entry) for entry in chosen))
    return 0


def describe(entry: ModelEntry) -> str:
    """Return what the registry says of a model, and where its weights are, in some lines."""
    width, height = entry.input_size
    rows = {
        'trained on': entry.split,
        'classes': ', '.join(entry.classes),
        'input': f'{width}x{height}, focal length {entry.training_focal_px:.1f} px in training',
        'checkpoint': entry.family,
        'licence': entry.licence,
        'weights': _where(entry),
    }
    return '\n'.join([entry.name, *(f'  {name:<10}  {text}' for name, text in rows.items())])


def _where(entry: ModelEntry) -> str:
    if entry.source == RANDOM:
        return 'made when loaded'
    path = weights_path(entry)
    if path.is_file():
        return f'{path}, {path.stat().st_size / 1e6:.1f} MB'
    if entry.source == MANUAL:
        return f'not here: {entry.instructions} Put the file at {path}'
    if entry.is_download:
        return f'not here: downloaded when first used, or with --fetch, to {path}'
    return f'{path} is missing'
