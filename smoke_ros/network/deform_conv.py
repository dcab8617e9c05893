"""Modulated deformable convolution (DCNv2, arXiv 1811.11168) in plain PyTorch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smoke_ros.network.layers import at_least_single, make_norm

TAPS = 9  # of a 3x3 kernel


def deform_conv2d(
    features: Tensor, offsets: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    """Apply a 3x3 convolution whose taps are moved and weighted at every position.

    Every tap is a weighted sum of four neighbouring pixels, each a vector of channels: that is
    what an embedding bag computes, in one fused kernel that autograd knows. The taps, side by
    side, then meet the weight in one matrix product. No compiled extension is needed. Since
    positions are not squeezed into [-1, 1] and back, it is ten times as exact as sampling with
    ``grid_sample``, about as fast, and faster for channels-last features
    (benchmarks/deform_conv.py).

    Parameters
    ----------
    features
        (B, C, H, W); channels-last memory saves a copy.
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
    (B, C_out, H, W), padding 1, stride 1, zeros outside; channels-last.
    """
    batch, channels, height, width = features.shape
    index, share = _neighbours(offsets, mask)
    pixels = features.permute(0, 2, 3, 1).reshape(-1, channels)  # B H W, C
    taps = F.embedding_bag(
        index.view(-1, 4),
        pixels,
        per_sample_weights=share.view(-1, 4).to(pixels.dtype),
        mode='sum',
    )
    taps = taps.view(batch, height, width, TAPS * channels).permute(0, 3, 1, 2)
    kernel = weight.permute(0, 2, 3, 1).reshape(weight.shape[0], -1, 1, 1)  # C_out, 9 C, 1, 1
    # A 1x1 convolution rather than a matrix product: the same sum, and oneDNN is faster at it.
    return F.conv2d(taps, kernel, bias)


def _neighbours(offsets: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the four pixels around each tap and their shares, both (B, H, W, 9, 4).

    Pixels are indices into the flattened (B, H, W); a neighbour outside the map has share 0.
    """
    batch, _, height, width = offsets.shape

    def count(first: int, end: int) -> Tensor:
        return torch.arange(first, end, device=offsets.device, dtype=offsets.dtype)

    step = count(-1, 2)
    moves = offsets.permute(0, 2, 3, 1).reshape(batch, height, width, TAPS, 2)
    low = moves.floor()
    above, left = (moves - low).unbind(-1)  # fractions of the way to the next row and column
    top = low[..., 0] + count(0, height)[:, None, None] + step.repeat_interleave(3)
    start = low[..., 1] + count(0, width)[:, None] + step.repeat(3)
    rows, row_shares = _line_pair(top, above, height)
    columns, column_shares = _line_pair(start, left, width)
    shares = row_shares[..., :, None] * column_shares[..., None, :]
    shares = shares * mask.permute(0, 2, 3, 1)[..., None, None]
    image = torch.arange(batch, device=offsets.device).view(-1, 1, 1, 1, 1, 1) * (height * width)
    index = image + rows[..., :, None] * width + columns[..., None, :]
    return index.flatten(-2), shares.flatten(-2)


def _line_pair(first: Tensor, fraction: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return the two lines (rows or columns) around a position and their shares, (..., 2)."""
    lines = torch.stack((first, first + 1), -1)
    shares = torch.stack((1 - fraction, fraction), -1)
    inside = (lines >= 0) & (lines < size)
    # A position that is not a number keeps a share that is none: the result says so. As an index
    # it would end the process instead, on a GPU with everything else on it.
    return lines.nan_to_num(0.0).clamp(0, size - 1).long(), shares * inside


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
        # bfloat16 counts pixels in steps of two beyond 256.
        predicted = at_least_single(self.offset_mask(features))
        offsets, mask = predicted[:, : 2 * TAPS], predicted[:, 2 * TAPS :].sigmoid()
        return deform_conv2d(features, offsets, mask, self.weight, self.bias)


class DeformBlock(nn.Sequential):
    """Deformable convolution, normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int, norm: str) -> None:
        super().__init__()
        self.add_module('conv', DeformConv2d(in_channels, out_channels))
        self.add_module('norm', make_norm(norm, out_channels))
        self.add_module('relu', nn.ReLU(inplace=True))
