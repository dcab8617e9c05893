"""Layers that several parts of the network share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Every normalisation that networks here have.
Norm = nn.GroupNorm | nn.BatchNorm2d


class ExactGroupNorm(nn.GroupNorm):
    """GroupNorm that is as exact for channels-last tensors as for others.

    PyTorch's CPU kernel for channels-last memory sums squares before it subtracts the mean; on a
    large map that costs three digits (3e-4 where the other kernel's error is 4e-7), and the
    network amplifies it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, C, H, W)."""
        return super().forward(x.contiguous())


def at_least_single(x: Tensor) -> Tensor:
    """Leave half precision behind; single and double stay what they are."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def make_norm(kind: str, channels: int) -> nn.Module:
    """Make a normalisation layer: 'gn' (as SMOKE) or 'bn' (the paper's ablation).

    GroupNorm has 32 groups, or 16 where the channels are not a multiple of 32.
    """
    if kind == 'gn':
        return ExactGroupNorm(32 if channels % 32 == 0 else 16, channels)
    if kind == 'bn':
        return nn.BatchNorm2d(channels)
    raise ValueError(f"norm must be 'gn' or 'bn', got {kind!r}")


def bilinear_kernel(size: int) -> torch.Tensor:
    """Return the (size, size) weights with which a transposed convolution interpolates."""
    factor = (size + 1) // 2
    centre = (2 * factor - 1 - factor % 2) / (2.0 * factor)
    ramp = 1.0 - (torch.arange(size, dtype=torch.float32) / factor - centre).abs()
    return ramp[:, None] * ramp[None, :]
