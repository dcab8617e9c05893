"""Which engine runs a network: the one asked for, or what can run in its place."""

from __future__ import annotations

import importlib
import logging
from dataclasses import dataclass

import torch

from smoke_ros.config.engine import EngineConfig
from smoke_ros.config.model import ModelConfig
from smoke_ros.engines.compiled_gpu import CompiledGpuEngine
from smoke_ros.engines.cuda_graph import CudaGraphEngine
from smoke_ros.engines.eager import EagerEngine
from smoke_ros.engines.engine import Engine
from smoke_ros.engines.errors import EngineUnavailableError
from smoke_ros.engines.onnx_runtime import OnnxEngine
from smoke_ros.engines.tensorrt_engine import TensorRtEngine
from smoke_ros.network.smoke import Smoke

logger = logging.getLogger(__name__)

#: What 'auto' takes, by type of device; plain PyTorch runs where it cannot.
FASTEST = {'cpu': 'compiled', 'cuda': 'cuda_graph'}


@dataclass(frozen=True)
class EngineChoice:
    """The engine that runs, and why it is not the one that was asked for."""

    engine: Engine
    #: One sentence; '' where what was asked for runs.
    fallback: str = ''

    @property
    def summary(self) -> str:
        """What runs, and in place of what."""
        text = f'{self.engine.name}, {self.engine.precision}'
        return f'{text}; {self.fallback}' if self.fallback else text


def choose_engine(
    network: Smoke, model: ModelConfig, device: torch.device, config: EngineConfig
) -> EngineChoice:
    """Make the engine that was asked for or, where it cannot run, what 'auto' would take.

    One line in the log says what was asked for, what runs and why.
    """
    fastest = FASTEST[device.type]
    wanted = fastest if config.engine == 'auto' else config.engine
    reasons = []
    for name in dict.fromkeys((wanted, fastest, 'eager')):
        precision = resolve_precision(config.precision, name, device)
        try:
            engine = _make(name, network, model, device, precision)
        except EngineUnavailableError as error:
            reasons.append(f'{name} cannot run: {error}')
            continue
        choice = EngineChoice(engine, '; '.join(reasons))
        # 'auto' promises nothing that it does not keep; whoever named an engine is to know.
        level = logging.WARNING if reasons and config.engine != 'auto' else logging.INFO
        logger.log(level, 'engine %s on %s: runs %s', config.engine, device, choice.summary)
        return choice
    raise AssertionError('plain PyTorch runs everywhere')


def resolve_precision(asked: str, engine: str, device: torch.device) -> str:
    """Return the precision that 'auto' stands for; others stay what they are."""
    if asked != 'auto':
        return asked
    return 'float16' if device.type == 'cuda' and engine != 'eager' else 'float32'


def _make(
    name: str, network: Smoke, model: ModelConfig, device: torch.device, precision: str
) -> Engine:
    if name == 'eager':
        return EagerEngine(network, device, precision)
    if not isinstance(network, Smoke):
        raise EngineUnavailableError(f'it does not know networks of {type(network).__name__}')
    if name == 'compiled' and device.type == 'cpu':
        return _compiled_cpu(network, model, precision)
    if name == 'onnx':
        return OnnxEngine(network, model, device, precision)
    if name == 'tensorrt':
        return TensorRtEngine(network, model, device, precision)
    if device.type != 'cuda':
        raise EngineUnavailableError(f'it takes an NVIDIA GPU, not a {device.type}')
    if name == 'compiled':
        return CompiledGpuEngine(network, model, device, precision)
    return CudaGraphEngine(network, model, device, precision)


def _compiled_cpu(network: Smoke, model: ModelConfig, precision: str) -> Engine:
    try:
        module = importlib.import_module('smoke_ros.engines.compiled_cpu')
    except ImportError as error:
        raise EngineUnavailableError(f'{error}') from error
    engine: Engine = module.CompiledCpuEngine(network, model, precision)
    return engine
