"""Modulated deformable convolution (DCNv2, arXiv 1811.11168) in plain PyTorch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smoke_ros.network.layers import make_norm

TAPS = 9  # of a 3x3 kernel


def deform_conv2d(
    features: Tensor, offsets: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    """Apply a 3x3 convolution whose taps are moved and weighted at every position.

    All nine taps of all positions are sampled at once, bilinearly and with zeros outside, into a
    map of three times the size; a convolution of stride 3 then applies the weight. No compiled
    extension is needed, and autograd works through it.

    Parameters
    ----------
    features
        (B, C, H, W).
    offsets
        (B, 18, H, W): (dy, dx) in pixels, tap by tap in row-major order.
    mask
        (B, 9, H, W) in [0, 1].
    weight
        (C_out, C, 3, 3).
    bias
        (C_out,) or None.

    Returns
    -------
    (B, C_out, H, W), padding 1, stride 1.
    """
    batch, _, height, width = features.shape
    grid = _sampling_grid(offsets, height, width)
    sampled = F.grid_sample(
        features, grid, mode='bilinear', padding_mode='zeros', align_corners=False
    )
    taps = mask.view(batch, 3, 3, height, width).permute(0, 3, 1, 4, 2)  # B, H, 3, W, 3
    sampled = sampled * taps.reshape(batch, 1, 3 * height, 3 * width)
    return F.conv2d(sampled, weight, bias, stride=3)


def _sampling_grid(offsets: Tensor, height: int, width: int) -> Tensor:
    """Return where to sample, (B, 3H, 3W, 2), in grid_sample's (x, y) in [-1, 1]."""
    batch = offsets.shape[0]
    tap = torch.arange(-1, 2, device=offsets.device, dtype=offsets.dtype)
    rows = torch.arange(height, device=offsets.device, dtype=offsets.dtype)
    columns = torch.arange(width, device=offsets.device, dtype=offsets.dtype)
    moves = offsets.view(batch, 3, 3, 2, height, width).permute(0, 4, 1, 5, 2, 3)  # B,H,3,W,3,2
    y = moves[..., 0] + (rows[:, None] + tap)[:, :, None, None]
    x = moves[..., 1] + (columns[:, None] + tap)
    grid = torch.stack(((2.0 * x + 1.0) / width - 1.0, (2.0 * y + 1.0) / height - 1.0), -1)
    return grid.reshape(batch, 3 * height, 3 * width, 2)


class DeformConv2d(nn.Module):
    """DCNv2 that predicts its own offsets and mask; both start at zero movement."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.offset_mask = nn.Conv2d(in_channels, 3 * TAPS, kernel_size=3, padding=1)
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        nn.init.zeros_(self.offset_mask.weight)
        assert self.offset_mask.bias is not None
        nn.init.zeros_(self.offset_mask.bias)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C_out, H, W)."""
        predicted = self.offset_mask(features)
        offsets, mask = predicted[:, : 2 * TAPS], predicted[:, 2 * TAPS :].sigmoid()
        return deform_conv2d(features, offsets, mask, self.weight, self.bias)


class DeformBlock(nn.Sequential):
    """Deformable convolution, normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, norm: str) -> None:
        super().__init__()
        self.add_module('conv', DeformConv2d(in_channels, out_channels))
        self.add_module('norm', make_norm(norm, out_channels))
        self.add_module('relu', nn.ReLU(inplace=True))
