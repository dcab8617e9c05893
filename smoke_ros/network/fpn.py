"""A feature pyramid (arXiv 1612.03144) down to one map: the light trunk's neck."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from smoke_ros.network.layers import make_norm


class FpnNeck(nn.Module):
    """Adds each coarser feature, upsampled, to its finer neighbour, and smooths the sum."""

    def __init__(self, in_channels: Sequence[int], out_channels: int, norm: str) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.laterals = nn.ModuleList(_layer(c, out_channels, 1, norm) for c in in_channels)
        self.smooths = nn.ModuleList(
            _layer(out_channels, out_channels, 3, norm) for _ in in_channels[1:]
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Map features, each half as large as the one before, to one as large as the first."""
        *finer, coarsest = (
            lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)
        )
        out: Tensor = coarsest
        for lateral, smooth in zip(reversed(finer), self.smooths, strict=True):
            out = smooth(lateral + F.interpolate(out, scale_factor=2.0, mode='nearest'))
        return out


def _layer(in_channels: int, out_channels: int, kernel: int, norm: str) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False),
        make_norm(norm, out_channels),
        nn.ReLU(inplace=True),
    )
