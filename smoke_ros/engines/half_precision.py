"""A network whose convolutions run in half precision, and nothing that half would spoil."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from smoke_ros.network.layers import Norm
from smoke_ros.network.smoke import Smoke

HALF_TYPES = {'float16': torch.float16, 'bfloat16': torch.bfloat16}


class SingleNorm(nn.Module):
    """A normalisation in single precision: its sums of squares overflow float16."""

    def __init__(self, norm: nn.Module, result: torch.dtype) -> None:
        super().__init__()
        self.norm = norm
        self.result = result

    def forward(self, features: Tensor) -> Tensor:
        """Normalise (B, C, H, W), and return it as ``result``."""
        normalised: Tensor = self.norm(features.float())
        return normalised.to(self.result)


class HalfSmoke(nn.Module):
    """Takes single precision and gives it; in between is half."""

    def __init__(self, network: Smoke, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = network
        self.dtype = dtype

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map normalised images (B, 3, H, W) to (heatmap, regression), both float32."""
        heatmap, regression = self.network(images.to(self.dtype))
        return heatmap, regression


def half_network(network: Smoke, precision: str) -> nn.Module:
    """Return a copy of a network in 'float16' or 'bfloat16'.

    Normalisation stays in single precision, and so does each head from its last one on: a
    depth offset has a step of 1/1024 in float16, which is 1.6 cm, and of 1/128 in bfloat16, which
    is 13 cm. Positions of deformable taps leave half precision by themselves.
    """
    dtype = HALF_TYPES[precision]
    copied = copy.deepcopy(network).eval().requires_grad_(False)
    ends = {branch[-1] for branch in (copied.heads.heatmap, copied.heads.regression)}
    for module in copied.modules():
        # Never there and back: a BatchNorm's variance may be beyond float16, and is infinite then.
        if not isinstance(module, Norm) and module not in ends:
            for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                if tensor.is_floating_point():
                    tensor.data = tensor.data.to(dtype)
    for module in list(copied.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, Norm):
                setattr(module, name, SingleNorm(child, dtype))
    for branch in (copied.heads.heatmap, copied.heads.regression):
        *_, last_norm = (layer for layer in branch if isinstance(layer, SingleNorm))
        last_norm.result = torch.float32
    return HalfSmoke(copied, dtype)
