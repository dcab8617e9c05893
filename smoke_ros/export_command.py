"""``smoke-ros export MODEL``: a model as a file that other programs run."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from smoke_ros.engines.errors import EngineUnavailableError
from smoke_ros.engines.onnx_export import ExportOptions, export_onnx
from smoke_ros.models import LoadedModel, load_model

DESCRIPTION = """\
Write a model as an ONNX file, with the standard's own operators only, for ONNX Runtime, TensorRT
and others. Its metadata say what goes in and how to read what comes out: classes, input size,
normalisation, references. examples/onnx_inference.py needs no more than onnxruntime and OpenCV."""

EXAMPLE = """\
example:
  smoke-ros export kitti_dla34_mmdet3d --format onnx --with-decode --out smoke.onnx
  smoke-ros export runs/mine/best.pth --half --batch dynamic"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.description = DESCRIPTION
    parser.epilog = EXAMPLE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        'model', metavar='MODEL', help='a name from models/registry.yaml or a weights file'
    )
    parser.add_argument('--format', choices=('onnx',), default='onnx', help='default: %(default)s')
    parser.add_argument(
        '--half', action='store_true',
        help='convolutions in float16; inputs, outputs and normalisation stay float32',
    )  # fmt: skip
    parser.add_argument(
        '--batch', type=_batch, default=1, metavar='N|dynamic',
        help='images at a time, or dynamic to leave that to each run (default: %(default)s)',
    )  # fmt: skip
    parser.add_argument(
        '--with-decode', action='store_true',
        help='boxes in metres come out, rather than heatmap and regression; the camera goes in',
    )  # fmt: skip
    parser.add_argument(
        '--input-size', type=_size, metavar='WxH',
        help="size of the network's input, multiples of 32 (default: the model's)",
    )  # fmt: skip
    parser.add_argument(
        '--out', type=Path, metavar='FILE', help='default: named after the model and its options'
    )


def run(args: argparse.Namespace) -> int:
    """Export; return the exit code."""
    options = ExportOptions(args.half, args.batch, args.with_decode)
    loaded = load_model(args.model)
    if args.input_size:
        width, height = args.input_size
        config = dataclasses.replace(loaded.config, input_width=width, input_height=height)
        loaded = dataclasses.replace(loaded, config=config)
    path = args.out or Path(_default_name(loaded, options))
    try:
        export_onnx(loaded, options, path)
    except EngineUnavailableError as error:
        raise ValueError(str(error)) from error
    print(f'{path}: {path.stat().st_size / 1e6:.1f} MB, checked')
    return 0


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


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition('x')
    try:
        return int(width), int(height)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'expected WIDTHxHEIGHT such as 1280x384, got {text!r}'
        ) from None
