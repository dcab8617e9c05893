"""Layers of the networks, for inference on a CPU: channels-last, normalised in place.

They compute what the layers do that they are made from, to the rounding of single precision.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from smoke_ros.engines.kernels import deform, group_norm, winograd
from smoke_ros.engines.kernels.vectors import LANES
from smoke_ros.network.deform_conv import TAPS, DeformConv2d

#: Pixels whose sampled taps meet the weight at once: so few that they are still in the cache.
PIXELS_AT_ONCE = 1024

#: Winograd's tiles, of 2x2 pixels, that are in the cache at once.
TILES_AT_ONCE = 256

#: With fewer channels, in or out, the transforms cost what they save.
LEAST_WINOGRAD_CHANNELS = 64


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


class WinogradConv(nn.Module):
    """A plain 3x3 convolution with fewer multiplications, block by block."""

    def __init__(self, layer: nn.Conv2d) -> None:
        super().__init__()
        weight = layer.weight.detach().double()
        # The kernel's transform, from both sides; its inverse values are exact in double.
        g = weight.new_tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
        tiles = torch.einsum('ai,bj,ocij->abco', g, g, weight).flatten(0, 1)
        bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias
        self.weight = nn.Parameter(tiles.float().contiguous(), requires_grad=False)  # 16, C, C_out
        self.bias = nn.Parameter(bias.detach(), requires_grad=False)
        self.zeros = nn.Parameter(torch.zeros(layer.in_channels), requires_grad=False)

    @staticmethod
    def suits(layer: nn.Conv2d) -> bool:
        """Whether a layer is of this kind, and large enough for it to pay."""
        channels = (layer.in_channels, layer.out_channels)
        return (
            (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
            == ((3, 3), (1, 1), (1, 1), (1, 1))
            and (layer.groups, layer.padding_mode) == (1, 'zeros')
            and min(channels) >= LEAST_WINOGRAD_CHANNELS
            and all(count % LANES == 0 for count in channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C_out, H, W)."""
        x = as_pixels(x)
        batch, channels, height, width = x.shape
        _, _, out_channels = self.weight.shape
        tiles = batch * ((height + 1) // 2) * ((width + 1) // 2)
        most = min(TILES_AT_ONCE, tiles)
        before = x.new_empty(winograd.POINTS * most * channels)
        after = x.new_empty(winograd.POINTS * most * out_channels)
        out = x.new_empty(batch, height, width, out_channels)
        threads = torch.get_num_threads()
        for first in range(0, tiles, most):
            count = min(most, tiles - first)
            part = {'first': first, 'count': count, 'height': height, 'width': width}
            source = before[: winograd.POINTS * count * channels]
            target = after[: winograd.POINTS * count * out_channels]
            winograd.to_tiles(
                threads, x=x, tiles=source, spare=self.zeros, channels=channels, **part
            )
            torch.bmm(
                source.view(winograd.POINTS, count, channels), self.weight,
                out=target.view(winograd.POINTS, count, out_channels),
            )  # fmt: skip
            winograd.from_tiles(
                threads, x=out, tiles=target, spare=self.bias, channels=out_channels, **part
            )
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

    def __init__(self, conv: nn.Module, source: nn.Module, low: float, high: float) -> None:
        super().__init__()
        self.conv = conv
        self.source = source  # as conv, but not compiled
        self.low, self.high = low, high

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """Map (B, C, H, W) to (B, C_out, H', W'), as which the residual is shaped."""
        out: Tensor = self.conv(x)
        if residual is not None:
            out += residual
        return out if self.low == -math.inf else out.clamp_(self.low, self.high)

    def at(self, x: Tensor, pixels: Tensor) -> Tensor:
        """Return (B, k, C_out): what forward has at pixels (B, k) if its convolution is 3x3."""
        assert isinstance(self.source, nn.Conv2d) and self.source.bias is not None
        weight, bias = self.source.weight, self.source.bias
        matrix = weight.permute(2, 3, 1, 0).reshape(-1, weight.shape[0])
        return (patches_at(x, pixels).flatten(2) @ matrix + bias).clamp_(self.low, self.high)


def hidden_at(layers: list[nn.Module], features: Tensor, pixels: Tensor) -> Tensor:
    """Return (B, k, C): what hidden layers, a 3x3 and others 1x1, have at pixels (B, k)."""
    first, *others = layers
    if isinstance(first, FoldedConv):
        picked = first.at(features, pixels).mT[..., None]
        for layer in others:
            picked = layer(picked)
        return picked[..., 0].mT
    *before, last = layers
    for layer in before:
        features = layer(features)
    at_pixels: Tensor = last.at(features, pixels)  # type: ignore[operator]
    return at_pixels


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
