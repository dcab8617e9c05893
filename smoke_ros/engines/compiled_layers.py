"""Layers of the networks, for inference on a CPU: channels-last, normalised in place.

They compute what the layers do that they are made from, to the rounding of single precision.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from smoke_ros.engines.kernels import deform, group_norm
from smoke_ros.network.deform_conv import TAPS, DeformConv2d

#: Pixels whose sampled taps meet the weight at once: so few that they are still in the cache.
PIXELS_AT_ONCE = 1024


class CompiledDeformConv(nn.Module):
    """A deformable convolution that samples its taps block by block."""

    def __init__(self, layer: DeformConv2d) -> None:
        super().__init__()
        self.offset_mask = layer.offset_mask
        weight = layer.weight.detach().permute(2, 3, 1, 0)  # taps and channels are summed over
        self.weight = nn.Parameter(weight.reshape(-1, layer.weight.shape[0]).contiguous(), False)
        self.bias = layer.bias

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C_out, H, W)."""
        features = as_pixels(features)
        predicted = as_pixels(self.offset_mask(features))
        batch, channels, height, width = features.shape
        pixels = batch * height * width
        taps = features.new_empty(min(PIXELS_AT_ONCE, pixels), TAPS * channels)
        out = features.new_empty(batch, height, width, self.weight.shape[1])
        rows = out.view(pixels, -1)
        threads = torch.get_num_threads()
        for first in range(0, pixels, PIXELS_AT_ONCE):
            count = min(PIXELS_AT_ONCE, pixels - first)
            deform.sample(
                threads, features=features, predicted=predicted, taps=taps, first=first,
                count=count, batch=batch, height=height, width=width, channels=channels,
            )  # fmt: skip
            torch.addmm(self.bias, taps[:count], self.weight, out=rows[first : first + count])
        return out.permute(0, 3, 1, 2)


class NormedConv(nn.Module):
    """A convolution, GroupNorm, and what may follow: a residual's addition and limits."""

    def __init__(self, conv: nn.Module, norm: nn.GroupNorm, low: float, high: float) -> None:
        super().__init__()
        self.conv = conv
        self.norm = norm
        self.low, self.high = low, high

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """Map (B, C, H, W) to (B, C_out, H', W'), as which the residual is shaped."""
        out = as_pixels(self.conv(x))
        factors = norm_factors(out, self.norm)
        batch, channels, height, width = out.shape
        other = out if residual is None else as_pixels(residual)
        group_norm.normalise(
            torch.get_num_threads(), x=out, factors=factors, residual=other,
            has_residual=residual is not None, low=self.low, high=self.high, batch=batch,
            pixels=height * width, channels=channels,
        )  # fmt: skip
        return out

    def at(self, x: Tensor, pixels: Tensor) -> Tensor:
        """Return (B, k, C_out): what forward has at pixels (B, k), counted row by row."""
        out = as_pixels(self.conv(x))
        mean, scale, shift = norm_factors(out, self.norm)[:, None].unbind(2)
        # All pixels count in the mean and the variance, but only these are normalised.
        picked = (
            out.permute(0, 2, 3, 1)
            .flatten(1, 2)
            .gather(1, pixels[..., None].expand(-1, -1, out.shape[1]))
        )
        return ((picked - mean) * scale + shift).clamp_(self.low, self.high)


class FoldedConv(nn.Module):
    """A convolution with BatchNorm folded into it, and what may follow, as a NormedConv has."""

    def __init__(self, conv: nn.Module, low: float, high: float) -> None:
        super().__init__()
        self.conv = conv
        self.low, self.high = low, high

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """Map (B, C, H, W) to (B, C_out, H', W'), as which the residual is shaped."""
        out: Tensor = self.conv(x)
        if residual is not None:
            out += residual
        return out if self.low == -math.inf else out.clamp_(self.low, self.high)

    def at(self, x: Tensor, pixels: Tensor) -> Tensor:
        """Return (B, k, C_out): what forward has at pixels (B, k) if its convolution is 3x3."""
        assert isinstance(self.conv, nn.Conv2d) and self.conv.bias is not None
        weight, bias = self.conv.weight, self.conv.bias
        matrix = weight.permute(2, 3, 1, 0).reshape(-1, weight.shape[0])
        return (patches_at(x, pixels).flatten(2) @ matrix + bias).clamp_(self.low, self.high)


def patches_at(x: Tensor, pixels: Tensor) -> Tensor:
    """Return (B, k, 3, 3, C): the surroundings of pixels (B, k) in x (B, C, H, W)."""
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    step = torch.arange(3)
    rows = (pixels // x.shape[3])[..., None, None] + step[:, None]
    columns = (pixels % x.shape[3])[..., None, None] + step
    return padded[torch.arange(len(x))[:, None, None, None], rows, columns]


def fold_norm(conv: nn.Conv2d | DeformConv2d, norm: nn.BatchNorm2d) -> None:
    """Give a convolution the weight and bias that BatchNorm after it comes to."""
    assert norm.running_mean is not None and norm.running_var is not None
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight,
        norm.bias,
    )  # fmt: skip


def norm_factors(x: Tensor, norm: nn.GroupNorm) -> Tensor:
    """Return (B, 3, C): mean, scale and shift with which GroupNorm normalises each image."""
    batch, channels, height, width = x.shape
    threads = torch.get_num_threads()
    shape = {'batch': batch, 'pixels': height * width, 'channels': channels}
    sums = torch.zeros(threads, batch, 2, channels, dtype=torch.float64)
    factors = torch.empty(batch, 3, channels)
    group_norm.statistics(threads, x=x, sums=sums, threads=threads, **shape)
    group_norm.find_factors(
        threads, x=x, sums=sums, weight=norm.weight, bias=norm.bias, factors=factors,
        threads=threads, groups=norm.num_groups, epsilon=norm.eps, **shape,
    )  # fmt: skip
    return factors


def as_pixels(x: Tensor) -> Tensor:
    """Return x as single precision with the channels of a pixel side by side in memory."""
    return x.float().contiguous(memory_format=torch.channels_last)
