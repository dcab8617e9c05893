"""Kernels compiled on this machine by Numba, between PyTorch's convolutions: for CPUs."""

from __future__ import annotations

import logging
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smoke_ros import coder
from smoke_ros.config.model import ModelConfig
from smoke_ros.engines.errors import EngineUnavailableError, first_line
from smoke_ros.network.heads import activate_regression
from smoke_ros.network.smoke import Smoke

logger = logging.getLogger(__name__)

#: Sides of the smallest image that goes through a network.
SMALLEST_PX = 32


class CompiledCpuEngine:
    """Runs a copy of a network in channels-last memory, with layers of our own where it pays.

    The first one on a machine compiles for some seconds; others load what was compiled.
    """

    name = 'compiled'

    def __init__(self, network: Smoke, model: ModelConfig, precision: str = 'float32') -> None:
        if precision != 'float32':
            raise EngineUnavailableError(
                f'the compiled kernels for CPUs compute in float32, got precision {precision!r}'
            )
        start = time.perf_counter()
        try:
            from smoke_ros.engines.compile_network import compile_network
            from smoke_ros.engines.compiled_layers import hidden_at
        except EngineUnavailableError:
            raise
        except Exception as error:  # one that does not fit NumPy or LLVM raises all sorts
            raise EngineUnavailableError(
                'the kernels for CPUs are compiled by Numba, which cannot be imported: '
                f'{first_line(error)}; install it with: pip install numba'
            ) from error
        self.device = torch.device('cpu')
        self.precision = precision
        self.module = compile_network(network)
        self._hidden_at = hidden_at
        try:
            self(torch.zeros(1, 3, SMALLEST_PX, SMALLEST_PX))
        except Exception as error:
            raise EngineUnavailableError(
                f'Numba could not compile the kernels for CPUs: {first_line(error)}'
            ) from error
        logger.info('compiled kernels are ready after %.1f s', time.perf_counter() - start)

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map normalised images (B, 3, H, W) to (heatmap, regression), float32, activated."""
        with torch.inference_mode():
            heatmap, regression = self.module(_channels_last(images))
        return heatmap, regression

    def peaks(self, images: Tensor, top_k: int) -> coder.Peaks:
        """Return what :func:`coder.select_peaks` finds in the maps of normalised images.

        The regression head runs at the peaks only where nothing but the pixels around a peak
        counts. With GroupNorm, whose mean is of the map, only the end of it does.
        """
        with torch.inference_mode():
            features = self.module.neck(self.module.backbone(_channels_last(images)))
            heads = self.module.heads
            heatmap = heads.score(features)
            scores, class_ids, pixels = coder.find_peaks(heatmap, top_k)
            *hidden, last = heads.regression
            assert isinstance(last, nn.Conv2d)
            picked = self._hidden_at(hidden, features, pixels)
            raw = F.linear(picked, last.weight.flatten(1), last.bias)
            regression = activate_regression(raw.transpose(1, 2), heads.layout).transpose(1, 2)
        keypoints = coder.keypoints_of(pixels, heatmap.shape[-1])
        return coder.Peaks(scores, class_ids, keypoints, regression)


def _channels_last(images: Tensor) -> Tensor:
    return images.float().contiguous(memory_format=torch.channels_last)
