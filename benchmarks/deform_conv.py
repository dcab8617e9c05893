"""Deformable sampling: the embedding bag of the network against grid_sample.

Run it as ``python -m benchmarks.deform_conv``. Errors are against the same convolution in float64,
tap by tap; times are of the forward pass on this machine, to be compared within a row only.
"""

from __future__ import annotations

import sys

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.timing import measure
from smoke_ros.network.deform_conv import deform_conv2d

#: Channels in, channels out, height, width of the sixteen deformable convolutions of DLA-34.
SHAPES = ((512, 256, 12, 40), (256, 128, 24, 80), (128, 128, 48, 160), (64, 64, 96, 320))
REPEATS = 7


def by_grid_sample(
    features: Tensor, offsets: Tensor, mask: Tensor, weight: Tensor, bias: Tensor
) -> Tensor:
    """Sample all taps into a map of three times the size, then convolve with stride 3."""
    batch, _, height, width = features.shape
    moves = offsets.view(batch, 3, 3, 2, height, width).permute(0, 4, 1, 5, 2, 3)
    tap = torch.arange(-1, 2, dtype=offsets.dtype)
    rows, columns = (torch.arange(size, dtype=offsets.dtype) for size in (height, width))
    y = moves[..., 0] + (rows[:, None] + tap)[:, :, None, None]
    x = moves[..., 1] + (columns[:, None] + tap)
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), -1)
    grid = grid.reshape(batch, 3 * height, 3 * width, 2)
    sampled = F.grid_sample(features, grid, align_corners=False)
    taps = mask.view(batch, 3, 3, height, width).permute(0, 3, 1, 4, 2)
    sampled = sampled * taps.reshape(batch, 1, 3 * height, 3 * width)
    return F.conv2d(sampled, weight, bias, stride=3)


def main() -> int:
    """Print one row for each shape."""
    torch.manual_seed(0)
    print('| channels, map | plain 3x3 ms | grid_sample ms | embedding bag ms | errors |')
    print('| --- | ---: | ---: | ---: | --- |')
    for channels, out_channels, height, width in SHAPES:
        arguments = (
            torch.randn(1, channels, height, width), torch.randn(1, 18, height, width),
            torch.rand(1, 9, height, width), torch.randn(out_channels, channels, 3, 3),
            torch.randn(out_channels),
        )  # fmt: skip
        exact = deform_conv2d(*(argument.double() for argument in arguments))
        with torch.inference_mode():
            plain = measure('', lambda a=arguments: F.conv2d(a[0], a[3], a[4], padding=1), REPEATS)
            times, errors = [], []
            for function in (by_grid_sample, deform_conv2d):
                times.append(measure('', lambda f=function, a=arguments: f(*a), REPEATS).median_ms)
                errors.append((function(*arguments) - exact).abs().max().item())
        print(
            f'| {channels} to {out_channels}, {height}x{width} | {plain.median_ms:.1f} '
            f'| {times[0]:.1f} | {times[1]:.1f} | {errors[0]:.1e}, {errors[1]:.1e} |'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
