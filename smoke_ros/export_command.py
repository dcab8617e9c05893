"""``smoke-ros export MODEL``: a model as a file that other programs run."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from smoke_ros.checkpoint import TrainingRecord, save_checkpoint
from smoke_ros.config.model import INPUT_STEP, ModelConfig
from smoke_ros.engines.errors import EngineUnavailableError
from smoke_ros.engines.onnx_export import ExportOptions, export_onnx
from smoke_ros.files import check_target
from smoke_ros.models import LoadedModel, load_model, weights_of

DESCRIPTION = """\
Write a model as an ONNX file, with the standard's own operators only, for ONNX Runtime, TensorRT
and others. Its metadata say what goes in and how to read what comes out: classes, input size,
normalisation, references. examples/onnx_inference.py needs no more than onnxruntime and OpenCV.
Or, with --format weights, as a weights file to give away: without what training needs to go on,
and without the names of folders and frames."""

EXAMPLE = """\
example:
  smoke-ros export kitti_dla34_mmdet3d --format onnx --with-decode --out smoke.onnx
  smoke-ros export runs/mine/best.pth --half --batch dynamic
  smoke-ros export runs/mine/best.pth --format weights --half --set duplicate_overlap=0.6 \\
      --set "trained_on=8000 frames of our own drives" --out mine.pth"""

#: What drops boxes that are found twice, which no exported graph does.
DUPLICATES = ('duplicate_overlap', 'duplicate_overlaps')
#: Options of a model that may be changed without training it anew.
SETTABLE = ('trained_on', *DUPLICATES, 'score_tolerance', 'depth_error', 'top_k')
#: A bias is within these; what is more is another error.
LEAST_FACTOR, MOST_SHIFT_M = 0.5, 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument(
        'model', metavar='MODEL', help='a name from models/registry.yaml or a weights file'
    )
    parser.add_argument(
        '--format', choices=('onnx', 'weights'), default='onnx', help='default: %(default)s'
    )
    parser.add_argument(
        '--half', action='store_true',
        help='convolutions in float16; inputs, outputs and normalisation stay float32 (weights: '
        'stored in float16, computed with in float32)',
    )  # fmt: skip
    parser.add_argument(
        '--batch', type=_batch, default=1, metavar='N|dynamic',
        help='images at a time, or dynamic to leave that to each run (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--with-decode', action='store_true',
        help='boxes in metres come out, rather than heatmap and regression; the camera goes in',
    )  # fmt: skip
    for side in ('width', 'height'):
        parser.add_argument(
            f'--input-{side}', type=int, metavar='PX',
            help=f"{side} of the network's input, multiple of {INPUT_STEP} (default: the model's)",
        )  # fmt: skip
    parser.add_argument(
        '--set', action='append', default=[], metavar='NAME=VALUE',
        help=f"another value of one of the model's options {', '.join(SETTABLE)} "
        f'({" and ".join(DUPLICATES)} with --format weights only; of several values, one for each '
        'class, as 0.5,0.6)',
    )  # fmt: skip
    parser.add_argument(
        '--scale-depths', type=float, metavar='FACTOR', default=1.0,
        help='make all depths larger by this factor, against a bias that was measured, such as '
        '1.03 where objects are placed 3%% too near (default: %(default)g)',
    )  # fmt: skip
    parser.add_argument(
        '--shift-depths', type=float, metavar='M', default=0.0,
        help='and add so many metres to them, at the focal length that they were learnt at; where '
        'near objects are too far and far ones too near, a factor above 1 and a shift below '
        '0 put both right (default: %(default)g)',
    )  # fmt: skip
    parser.add_argument(
        '--out', type=Path, metavar='FILE', help='default: named after the model and its options'
    )


def run(args: argparse.Namespace) -> int:
    """Export; return the exit code."""
    names = [assignment.partition('=')[0].strip() for assignment in args.set]
    for name in DUPLICATES:
        if args.format == 'onnx' and name in names:
            raise ValueError(f'{name} goes with --format weights: no graph merges boxes')
    loaded = load_model(args.model)
    config = _changed(loaded.config, args.set)
    sides = {'input_width': args.input_width, 'input_height': args.input_height}
    asked = {name: side for name, side in sides.items() if side is not None}
    config = dataclasses.replace(config, **asked)
    if not LEAST_FACTOR <= args.scale_depths <= 1.0 / LEAST_FACTOR:
        raise ValueError(
            f'--scale-depths takes a factor from {LEAST_FACTOR} to {1.0 / LEAST_FACTOR:g}, got '
            f'{args.scale_depths}'
        )
    if not abs(args.shift_depths) <= MOST_SHIFT_M:
        raise ValueError(
            f'--shift-depths takes at most {MOST_SHIFT_M:g} m, either way, got {args.shift_depths}'
        )
    # The factor is that of both: z = mean + scale * what is regressed.
    mean, scale = (args.scale_depths * value for value in config.depth_reference)
    config = dataclasses.replace(config, depth_reference=(mean + args.shift_depths, scale))
    loaded = dataclasses.replace(loaded, config=config)
    if args.format == 'weights':
        path = _export_weights(loaded, args)
    else:
        path = _export_onnx(loaded, args)
    print(f'{path}: {path.stat().st_size / 1e6:.1f} MB, checked')
    return 0


def _export_onnx(loaded: LoadedModel, args: argparse.Namespace) -> Path:
    options = ExportOptions(args.half, args.batch, args.with_decode)
    path: Path = args.out or Path(_default_name(loaded, options))
    _check_target(path, args.model)
    try:
        export_onnx(loaded, options, path)
    except EngineUnavailableError as error:
        raise ValueError(str(error)) from error
    return path


def _export_weights(loaded: LoadedModel, args: argparse.Namespace) -> Path:
    """Write a weights file, and load it again; see the description."""
    if args.batch != 1 or args.with_decode:
        raise ValueError('--batch and --with-decode go with --format onnx: weights have no graph')
    path: Path = args.out or Path(f'{loaded.name}{"_half" if args.half else ""}.pth')
    _check_target(path, args.model)
    record = TrainingRecord(loaded.config.trained_on, version=loaded.training.version)
    dtype = torch.float16 if args.half else None
    save_checkpoint(path, loaded.network, loaded.config, record, dtype)
    load_model(path.absolute())  # which is no model's name
    return path


def _check_target(path: Path, model: str) -> None:
    """Refuse to write over the weights that are exported, and what cannot be written."""
    check_target(path)
    if path.exists() and path.resolve() == weights_of(model).resolve():
        raise ValueError(f'{path} is the model itself: give another --out')


def _changed(config: ModelConfig, overrides: Sequence[str]) -> ModelConfig:
    """Return a model's options with some of :data:`SETTABLE` changed."""
    values: dict[str, Any] = {}
    for override in overrides:
        name, separator, text = override.partition('=')
        if not separator or name not in SETTABLE:
            raise ValueError(
                f'--set takes NAME=VALUE with one of {", ".join(SETTABLE)}, got {override!r}'
            )
        kind = type(getattr(config, name))
        try:
            values[name] = _numbers(text) if kind is tuple else kind(text)
        except ValueError:
            what = 'numbers and commas' if kind is tuple else kind.__name__
            raise ValueError(f'--set {name} takes {what}, got {text!r}') from None
    inherited = {'duplicate_overlaps': config.inherited_overlaps(values)}
    return dataclasses.replace(config, **{**inherited, **values})


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(map(float, text.split(','))) if text else ()


def _default_name(loaded: LoadedModel, options: ExportOptions) -> str:
    parts = [loaded.name, f'{loaded.config.input_width}x{loaded.config.input_height}']
    parts += [f'batch_{options.batch or "dynamic"}'] if options.batch != 1 else []
    parts += ['half'] if options.half else []
    parts += ['boxes'] if options.decodes else []
    return '_'.join(parts) + '.onnx'


def _batch(text: str) -> int | None:
    if text == 'dynamic':
        return None
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'expected a number or dynamic, got {text!r}') from None
