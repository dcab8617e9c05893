"""NVIDIA's TensorRT, built on this machine from the same ONNX file and kept in the cache."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smoke_ros.config.model import STRIDE, ModelConfig
from smoke_ros.engines.engine import WholeMaps
from smoke_ros.engines.engine_cache import engine_file, kept_at
from smoke_ros.engines.errors import EngineUnavailableError
from smoke_ros.engines.onnx_runtime import cached_onnx_file
from smoke_ros.files import replacing
from smoke_ros.network.smoke import Smoke

logger = logging.getLogger(__name__)

#: The plan is tuned for one image and takes up to this many.
LARGEST_BATCH = 8
#: Strongly typed networks, whose precision is the file's, came with this version.
OLDEST_VERSION = 10


class TensorRtEngine(WholeMaps):
    """Runs a plan that TensorRT has built for this GPU, this version of it and these weights.

    Raises
    ------
    EngineUnavailableError
        If TensorRT or a GPU is not here, or it cannot build the network.
    """

    name = 'tensorrt'

    def __init__(
        self, network: Smoke, model: ModelConfig, device: torch.device, precision: str
    ) -> None:
        trt = import_tensorrt(device)
        self.device = device
        self.precision = precision
        with _current(device):
            plan = self._plan_file(trt, network, model, precision)
            # Kept, as what is made of it needs it.
            self._runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
            self._engine = self._runtime.deserialize_cuda_engine(plan.read_bytes())
            if self._engine is None:
                raise EngineUnavailableError(
                    f'TensorRT could not load {plan}; once removed, it is made anew'
                )
            self._context = self._engine.create_execution_context()

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`smoke_ros.engines.engine.Engine`."""
        if len(images) > LARGEST_BATCH:
            parts = [self(part) for part in images.split(LARGEST_BATCH)]
            heatmaps, regressions = zip(*parts, strict=True)
            return torch.cat(heatmaps), torch.cat(regressions)
        images = images.to(self.device).float().contiguous()
        batch, _, height, width = images.shape
        self._context.set_input_shape('images', tuple(images.shape))
        self._context.set_tensor_address('images', images.data_ptr())
        maps = []
        for name in ('heatmap', 'regression'):
            channels = self._engine.get_tensor_shape(name)[1]
            shape = (batch, channels, height // STRIDE, width // STRIDE)
            maps.append(torch.empty(shape, device=self.device))
            self._context.set_tensor_address(name, maps[-1].data_ptr())
        with _current(self.device):
            stream = torch.cuda.current_stream(self.device)
            if not self._context.execute_async_v3(stream.cuda_stream):
                raise RuntimeError('TensorRT could not run the network; its own message is above')
        heatmap, regression = maps
        return heatmap, regression

    def _plan_file(self, trt: Any, network: Smoke, model: ModelConfig, precision: str) -> Path:
        source = cached_onnx_file(network, model, precision)
        path = plan_file(source, trt.__version__, self.device)
        if not path.exists():
            logger.info('building %s with TensorRT, once; this takes some minutes', path)
            with kept_at(path), replacing(path) as temporary:
                plan = _build(trt, source, model)
                temporary.write_bytes(plan)
        return path


def _current(device: torch.device) -> contextlib.AbstractContextManager[None]:
    """Make a device the current one, which TensorRT takes; one without a number is it already."""
    return contextlib.nullcontext() if device.index is None else torch.cuda.device(device)


def import_tensorrt(device: torch.device) -> Any:
    """Return TensorRT's module.

    Raises
    ------
    EngineUnavailableError
        If it cannot be used; says why.
    """
    if device.type != 'cuda':
        raise EngineUnavailableError(f'TensorRT runs on NVIDIA GPUs, not on a {device.type}')
    try:
        import tensorrt
    except ImportError as error:
        raise EngineUnavailableError(
            f'TensorRT cannot be imported ({error}): pip install tensorrt'
        ) from error
    if int(tensorrt.__version__.split('.')[0]) < OLDEST_VERSION:
        raise EngineUnavailableError(
            f'TensorRT must be {OLDEST_VERSION} or newer, got {tensorrt.__version__}'
        )
    return tensorrt


def plan_file(source: Path, version: str, device: torch.device) -> Path:
    """Return where the plan of an ONNX file lies: it is for one version and one kind of GPU."""
    facts = {
        'onnx': source.name,
        'tensorrt': version,
        'gpu': torch.cuda.get_device_name(device),
        'capability': torch.cuda.get_device_capability(device),
        'largest_batch': LARGEST_BATCH,
    }
    return engine_file('tensorrt.plan', facts)


def _build(trt: Any, source: Path, model: ModelConfig) -> bytes:
    log = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(log)
    flag = 1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    definition = builder.create_network(flag)
    parser = trt.OnnxParser(definition, log)
    if not parser.parse_from_file(str(source)):
        reasons = '; '.join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise EngineUnavailableError(f'TensorRT {trt.__version__} cannot read {source}: {reasons}')
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)
    profile = builder.create_optimization_profile()
    size = (3, model.input_height, model.input_width)
    profile.set_shape('images', (1, *size), (1, *size), (LARGEST_BATCH, *size))
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(definition, config)
    if plan is None:
        raise EngineUnavailableError(f'TensorRT {trt.__version__} could not build {source}')
    return bytes(plan)
