"""Networks into ONNX files that say all that another program needs to use them."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from smoke_ros import __version__
from smoke_ros.config.model import STRIDE, ModelConfig
from smoke_ros.engines.errors import EngineUnavailableError, first_line
from smoke_ros.engines.half_precision import half_network
from smoke_ros.engines.onnx_network import BoxNetwork, MapNetwork, wrap
from smoke_ros.files import replacing
from smoke_ros.models import LoadedModel
from smoke_ros.network.smoke import Smoke

#: The oldest that PyTorch's exporter writes without conversion; GridSample came with 16.
OPSET = 18
#: What it takes; none of it is imported before it is needed.
PACKAGES = ('onnx', 'onnxscript')
#: Names in the metadata that a reader may count on; raised where one changes its meaning.
METADATA_VERSION = 1
LARGEST_BATCH = 1024


@dataclass(frozen=True)
class ExportOptions:
    """What the file is to hold.

    Attributes
    ----------
    half
        Whether the convolutions are in float16.
    batch
        Images at a time; None leaves it to the run.
    decodes
        Whether the outputs are boxes in metres rather than maps.
    """

    half: bool = False
    batch: int | None = 1
    decodes: bool = False

    def __post_init__(self) -> None:
        if self.batch is not None and not 1 <= self.batch <= LARGEST_BATCH:
            raise ValueError(f'batch must be 1 to {LARGEST_BATCH} or dynamic, got {self.batch}')


def export_onnx(loaded: LoadedModel, options: ExportOptions, path: Path) -> None:
    """Write a model as an ONNX file, checked, whole or not at all.

    Raises
    ------
    EngineUnavailableError
        If a package that it takes is not installed, or PyTorch cannot export with those that are.
    """
    require_packages()
    import onnx

    steps = tqdm(total=4, desc='exporting', unit='step', disable=None, leave=False)
    with steps, _quiet_exporter():
        try:
            program = _capture(loaded.network, loaded.config, options)
            steps.update()
            translated = torch.onnx.export(
                program, (), dynamo=True, optimize=True, opset_version=OPSET, verbose=False,
                input_names=_wrapper(options).inputs, output_names=_wrapper(options).outputs,
            )  # fmt: skip
        except (RuntimeError, ImportError) as error:  # PyTorch's own errors are some
            raise EngineUnavailableError(
                f'the network could not be exported: {first_line(error)}; '
                'requirements/constraints.txt has versions that go together'
            ) from error
        assert translated is not None
        steps.update()
        proto = translated.model_proto
        onnx.helper.set_model_props(proto, metadata(loaded, options))
        onnx.checker.check_model(proto, full_check=True)
        steps.update()
        with replacing(path) as temporary:
            onnx.save(proto, str(temporary))
        steps.update()


def metadata(loaded: LoadedModel, options: ExportOptions) -> dict[str, str]:
    """Return what the file says of itself; values other than names are JSON."""
    import onnx

    model = loaded.config
    values = {
        'metadata_version': METADATA_VERSION,
        'classes': model.classes,
        'input_width': model.input_width,
        'input_height': model.input_height,
        'stride': STRIDE,
        'channel_order': model.channel_order,
        'mean': model.mean,
        'std': model.std,
        'top_k': model.top_k,
        'dimension_reference_lhw_m': model.dimension_reference,
        'depth_reference_m': model.depth_reference,
        'reference_focal_px': model.reference_focal_px,
        'focal_tolerance': model.focal_tolerance,
        'uses_projection_offset': model.uses_projection_offset,
        'orientation': model.orientation,
        'keypoint': model.keypoint,
        'depth_spread': model.depth_spread,
        'score_tolerance_m': model.score_tolerance,
        'depth_error': model.depth_error,
        'duplicate_overlap': model.duplicate_overlap,
        'duplicate_overlaps': model.duplicate_overlaps,
        'half': options.half,
        'decoded': options.decodes,
    }
    return {
        'model': loaded.name,
        'weights_sha256': loaded.sha256,
        'trained_on': model.trained_on,
        'versions': f'smoke_ros {__version__}, torch {torch.__version__}, onnx {onnx.__version__}',
        **{name: json.dumps(value) for name, value in values.items()},
    }


def require_packages() -> None:
    """Raise EngineUnavailableError where the exporter lacks a package."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineUnavailableError(
            f'ONNX files take {" and ".join(missing)}: pip install -r requirements/export.txt'
        )


def _wrapper(options: ExportOptions) -> type[MapNetwork] | type[BoxNetwork]:
    return BoxNetwork if options.decodes else MapNetwork


def _capture(
    network: Smoke, model: ModelConfig, options: ExportOptions
) -> torch.export.ExportedProgram:
    if next(network.parameters()).device.type != 'cpu':
        network = copy.deepcopy(network).cpu()
    module = wrap(
        half_network(network, 'float16') if options.half else network,
        model,
        decodes=options.decodes,
    )
    # A batch of one would be taken for a constant.
    inputs = example_inputs(model, options.batch or 2, decodes=options.decodes)
    shapes = None
    if options.batch is None:
        batch = torch.export.Dim('batch', min=1, max=LARGEST_BATCH)
        shapes = tuple({0: batch} for _ in inputs)
    with torch.no_grad():
        return torch.export.export(module, inputs, dynamic_shapes=shapes)


def example_inputs(model: ModelConfig, batch: int, *, decodes: bool) -> tuple[Tensor, ...]:
    """Return inputs of the right shapes: black images, and a camera for each."""
    images = torch.zeros(batch, 3, model.input_height, model.input_width)
    if not decodes:
        return (images,)
    focal = model.reference_focal_px
    centre = model.input_width / 2, model.input_height / 2
    K = torch.tensor([[focal, 0.0, centre[0]], [0.0, focal, centre[1]], [0.0, 0.0, 1.0]])
    affine = torch.diag(torch.tensor([float(STRIDE), float(STRIDE), 1.0]))
    return (
        images,
        K.repeat(batch, 1, 1),
        affine.repeat(batch, 1, 1),
        torch.zeros(batch, 3),
        torch.ones(batch),
    )


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep back what PyTorch's exporter says of packages that are none of ours."""
    exporter = logging.getLogger('torch.onnx')
    before = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        exporter.setLevel(before)
