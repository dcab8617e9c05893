"""ONNX Runtime: the network as an exported file, on a CPU or an NVIDIA GPU."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from smoke_ros import __version__
from smoke_ros.checkpoint import TrainingRecord
from smoke_ros.config.model import STRIDE, ModelConfig
from smoke_ros.engines.engine import WholeMaps
from smoke_ros.engines.engine_cache import engine_file, kept_at, weights_digest
from smoke_ros.engines.errors import EngineUnavailableError
from smoke_ros.engines.onnx_export import (
    METADATA_VERSION,
    OPSET,
    PACKAGES,
    ExportOptions,
    export_onnx,
    require_packages,
)
from smoke_ros.models import LoadedModel
from smoke_ros.network.smoke import Smoke

logger = logging.getLogger(__name__)

PRECISIONS = ('float32', 'float16')
PROVIDERS = {'cpu': 'CPUExecutionProvider', 'cuda': 'CUDAExecutionProvider'}


class OnnxEngine(WholeMaps):
    """Runs a network's ONNX file, which is exported once into the cache folder.

    It has as many threads as PyTorch has (the node's ``torch_threads``), and they sleep between
    images rather than spin.

    Raises
    ------
    EngineUnavailableError
        If a package is missing, or ONNX Runtime does not know the device.
    """

    name = 'onnx'

    def __init__(
        self, network: Smoke, model: ModelConfig, device: torch.device, precision: str = 'float32'
    ) -> None:
        runtime = _import_runtime(device)
        path = cached_onnx_file(network, model, precision)
        self.device = device
        self.precision = precision
        self._session = _start_session(runtime, path, device)
        self._model = model

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`smoke_ros.engines.engine.Engine`."""
        if self.device.type == 'cpu':
            arrays = self._session.run(None, {'images': images.float().contiguous().numpy()})
            heatmap, regression = (torch.from_numpy(array) for array in arrays)
            return heatmap, regression
        return self._run_on_gpu(images.to(self.device).float().contiguous())

    def _run_on_gpu(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Run on memory that PyTorch holds, with no copy to the host and back."""
        batch, _, height, width = images.shape
        binding = self._session.io_binding()
        outputs = []
        self._bind(binding.bind_input, 'images', images)
        for node in self._session.get_outputs():
            shape = (batch, node.shape[1], height // STRIDE, width // STRIDE)
            outputs.append(torch.empty(shape, device=self.device))
            self._bind(binding.bind_output, node.name, outputs[-1])
        torch.cuda.synchronize(self.device)  # its stream is not PyTorch's
        self._session.run_with_iobinding(binding)
        heatmap, regression = outputs
        return heatmap, regression

    def _bind(self, bind: Any, name: str, tensor: Tensor) -> None:
        bind(
            name, 'cuda', self.device.index or 0, np.float32, tuple(tensor.shape),
            tensor.data_ptr(),
        )  # fmt: skip


def cached_onnx_file(network: Smoke, model: ModelConfig, precision: str) -> Path:
    """Return the ONNX file of a network, exported now where the cache has none.

    Raises
    ------
    EngineUnavailableError
        If the precision has no ONNX file, or a package for the export is missing.
    """
    if precision not in PRECISIONS:
        raise EngineUnavailableError(
            f'ONNX files are in {" or ".join(PRECISIONS)}, got precision {precision}'
        )
    # torch first: what it exports depends on it.
    versions = {name: importlib.metadata.version(name) for name in ('torch', *_installed())}
    facts = {
        'weights': weights_digest(network),
        'model': dataclasses.asdict(model),
        'precision': precision,
        'versions': {**versions, 'smoke_ros': __version__},
        'format': (OPSET, METADATA_VERSION),
    }
    path = engine_file('network.onnx', facts)
    if not path.exists():
        require_packages()
        logger.info('exporting the network to %s, once; this takes up to a minute', path)
        loaded = LoadedModel('network', network, model, TrainingRecord(), str(facts['weights']))
        with kept_at(path):
            export_onnx(loaded, ExportOptions(half=precision == 'float16', batch=None), path)
    return path


def _installed() -> list[str]:
    """Return the exporter's packages; a missing one is only a matter where it has to export."""
    found = []
    for name in PACKAGES:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.append(name)
    return found


def _import_runtime(device: torch.device) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise EngineUnavailableError(
            f'ONNX Runtime cannot be imported ({error}): pip install -r requirements/export.txt'
        ) from error
    provider = PROVIDERS[device.type]
    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise EngineUnavailableError(
            f'ONNX Runtime {onnxruntime.__version__} has no {provider}, only '
            f'{", ".join(available)}: pip install onnxruntime-gpu'
        )
    return onnxruntime


def _start_session(runtime: Any, path: Path, device: torch.device) -> Any:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    provider: Any = PROVIDERS[device.type]
    if device.type == 'cuda':
        provider = (provider, {'device_id': device.index or 0})
    try:
        session = runtime.InferenceSession(str(path), options, providers=[provider])
    except Exception as error:
        raise EngineUnavailableError(
            f'ONNX Runtime refuses {path}: {error}; once removed, it is made anew'
        ) from error
    if PROVIDERS[device.type] not in session.get_providers():
        # It falls back to the CPU by itself where a CUDA library is missing.
        raise EngineUnavailableError(
            f'ONNX Runtime could not start its {PROVIDERS[device.type]}: see its own message above'
        )
    return session
