"""PyTorch's own compiler (Triton kernels) for networks on a GPU."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
import logging
from collections.abc import Callable

import torch
from torch import Tensor, nn

from smoke_ros.config.model import ModelConfig
from smoke_ros.engines.engine import WholeMaps
from smoke_ros.engines.errors import EngineUnavailableError, first_line
from smoke_ros.engines.half_precision import half_network
from smoke_ros.network.smoke import Smoke

logger = logging.getLogger(__name__)

Network = Callable[[Tensor], tuple[Tensor, Tensor]]


class CompiledGpuEngine(WholeMaps):
    """Runs a network that torch.compile has fused, in channels-last memory.

    The first of its kind on a machine compiles for a minute or two; PyTorch keeps the kernels in
    a cache of its own.
    """

    name = 'compiled'

    def __init__(
        self, network: Smoke, model: ModelConfig, device: torch.device, precision: str
    ) -> None:
        self.device = device
        self.precision = precision
        self._network = fuse(gpu_network(network, device, precision))
        try:
            self(torch.zeros(1, 3, model.input_height, model.input_width))
        except RuntimeError as error:  # the compiler's own errors are some
            raise EngineUnavailableError(f'torch.compile failed: {first_line(error)}') from error

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`smoke_ros.engines.engine.Engine`."""
        images = images.to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), exact_convolutions():
            return self._network(images)


def gpu_network(network: Smoke, device: torch.device, precision: str) -> nn.Module:
    """Return a copy of a network as GPUs like it: channels-last, in the precision asked for."""
    module: nn.Module = (
        copy.deepcopy(network) if precision == 'float32' else half_network(network, precision)
    )
    return (
        module.eval().requires_grad_(False).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    )


def fuse(module: nn.Module) -> Network:
    """Return what torch.compile makes of a module; it compiles when it is first called.

    Raises
    ------
    EngineUnavailableError
        If Triton, which writes the kernels, is not installed.
    """
    if importlib.util.find_spec('triton') is None:
        raise EngineUnavailableError('torch.compile takes Triton, which is not installed')
    compiled: Network = torch.compile(module, dynamic=False)
    return compiled


def exact_convolutions() -> contextlib.AbstractContextManager[object]:
    """Keep cuDNN from rounding single precision to TF32's 10 bits of mantissa."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False)
