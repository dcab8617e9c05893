"""A feature pyramid (arXiv 1612.03144) down to one map: the light trunk's neck."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from smoke_ros.network.layers import make_norm

#: Side of the blocks' filters, and by how much they widen the features.
BLOCK_KERNEL, BLOCK_EXPANSION = 7, 2


class WideBlock(nn.Module):
    """Adds what wide filters see around each place, channel by channel, and mix.

    An object's edges are many pixels from its keypoint, and how large it is must be read off
    there. Two layers of 3x3 at stride 4 look 8 pixels far; what lies farther comes through coarser
    maps alone, less exactly. As ConvNeXt's block (arXiv 2201.03545), with norms that fold into the
    convolutions. A fresh one adds nothing.
    """

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        hidden = BLOCK_EXPANSION * channels
        self.layers = nn.Sequential(
            nn.Conv2d(
                channels, channels, BLOCK_KERNEL, padding=BLOCK_KERNEL // 2, groups=channels,
                bias=False,
            ),
            make_norm(norm, channels),
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 1, bias=False),
            make_norm(norm, channels),
        )  # fmt: skip
        nn.init.zeros_(self.layers[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to the same shape."""
        added: Tensor = self.layers(x)
        return x + added


class FpnNeck(nn.Module):
    """Adds each coarser feature, upsampled, to its finer neighbour, and smooths the sum.

    With `blocks`, so many of :class:`WideBlock` work upon each sum.
    """

    def __init__(
        self, in_channels: Sequence[int], out_channels: int, norm: str, blocks: int = 0
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.laterals = nn.ModuleList(_layer(c, out_channels, 1, norm) for c in in_channels)
        self.smooths = nn.ModuleList(
            _layer(out_channels, out_channels, 3, norm) for _ in in_channels[1:]
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(*(WideBlock(out_channels, norm) for _ in range(blocks)))
            for _ in in_channels[1:]
        )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Map features, each half as large as the one before, to one as large as the first."""
        *finer, coarsest = (
            lateral(feature) for lateral, feature in zip(self.laterals, features, strict=True)
        )
        out: Tensor = coarsest
        steps = zip(reversed(finer), self.smooths, self.blocks, strict=True)
        for lateral, smooth, blocks in steps:
            out = smooth(lateral + F.interpolate(out, scale_factor=2.0, mode='nearest'))
            out = blocks(out)
        return out


def _layer(in_channels: int, out_channels: int, kernel: int, norm: str) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=False),
        make_norm(norm, out_channels),
        nn.ReLU(inplace=True),
    )
