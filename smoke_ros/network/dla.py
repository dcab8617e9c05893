"""DLA-34 (deep layer aggregation, arXiv 1707.06484): the trunk and the deformable neck.

Module names follow the trunk's original release, so that its ImageNet weights load by name.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from smoke_ros.network.deform_conv import DeformBlock
from smoke_ros.network.layers import bilinear_kernel, make_norm

#: Channels of the six levels; level i has stride 2**i.
CHANNELS = (16, 32, 64, 128, 256, 512)
#: The first level whose features the neck uses: stride 4.
FIRST_LEVEL = 2


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a residual connection."""

    def __init__(self, in_channels: int, out_channels: int, norm: str, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.norm1 = make_norm(norm, out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = make_norm(norm, out_channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """Map (B, C, H, W) to (B, C_out, H / stride, W / stride)."""
        out = self.relu(self.norm1(self.conv1(x)))
        return self.relu(self.norm2(self.conv2(out)) + (x if residual is None else residual))


class Root(nn.Module):
    """Aggregates the outputs of a tree's children with a 1x1 convolution."""

    def __init__(self, in_channels: int, out_channels: int, norm: str) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.norm = make_norm(norm, out_channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, *children: Tensor) -> Tensor:
        """Concatenate the children's channels and mix them."""
        return self.relu(self.norm(self.conv(torch.cat(children, 1))))


class Tree(nn.Module):
    """Two blocks (depth 1) or two trees, joined by a root at the innermost level."""

    def __init__(
        self, depth: int, in_channels: int, out_channels: int, norm: str, *,
        stride: int = 1, joins_input: bool = False, root_channels: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        root_channels = root_channels or 2 * out_channels
        if joins_input:
            root_channels += in_channels
        self.joins_input = joins_input
        self.downsample = nn.MaxPool2d(stride, stride) if stride > 1 else nn.Identity()
        # A tree of trees never uses its own projection, but the published checkpoints have it.
        self.project: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.project = nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, bias=False), make_norm(norm, out_channels)
            )
        self.tree1: nn.Module
        self.tree2: nn.Module
        self.root: Root | None = None
        if depth == 1:
            self.tree1 = BasicBlock(in_channels, out_channels, norm, stride)
            self.tree2 = BasicBlock(out_channels, out_channels, norm)
            self.root = Root(root_channels, out_channels, norm)
        else:
            self.tree1 = Tree(depth - 1, in_channels, out_channels, norm, stride=stride)
            self.tree2 = Tree(
                depth - 1, out_channels, out_channels, norm,
                root_channels=root_channels + out_channels,
            )  # fmt: skip

    def forward(self, x: Tensor, children: Sequence[Tensor] = ()) -> Tensor:
        """Map (B, C, H, W) to (B, C_out, H / stride, W / stride)."""
        bottom = self.downsample(x)
        children = (*children, bottom) if self.joins_input else tuple(children)
        if self.root is None:
            first = self.tree1(x)
            return self.tree2(first, (*children, first))
        first = self.tree1(x, self.project(bottom))
        return self.root(self.tree2(first), first, *children)


class Dla34(nn.Module):
    """The trunk: an image in, features of strides 4, 8, 16 and 32 out."""

    out_channels = CHANNELS[FIRST_LEVEL:]

    def __init__(self, norm: str = 'gn') -> None:
        super().__init__()
        c = CHANNELS
        self.base_layer = _conv_layer(3, c[0], norm, kernel=7)
        self.level0 = _conv_layer(c[0], c[0], norm)
        self.level1 = _conv_layer(c[0], c[1], norm, stride=2)
        self.level2 = Tree(1, c[1], c[2], norm, stride=2)
        self.level3 = Tree(2, c[2], c[3], norm, stride=2, joins_input=True)
        self.level4 = Tree(2, c[3], c[4], norm, stride=2, joins_input=True)
        self.level5 = Tree(1, c[4], c[5], norm, stride=2, joins_input=True)

    def stages(self) -> list[list[nn.Module]]:
        """Return the layers in the order in which an image goes through them."""
        stages = (
            self.base_layer, self.level0, self.level1, self.level2, self.level3, self.level4,
            self.level5,
        )  # fmt: skip
        return [[stage] for stage in stages]

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map (B, 3, H, W) to features (B, 64 * 2**i, H / 4 / 2**i, W / 4 / 2**i), i = 0..3."""
        x = self.level1(self.level0(self.base_layer(images)))
        features = []
        for level in (self.level2, self.level3, self.level4, self.level5):
            x = level(x)
            features.append(x)
        return features


class IterativeUp(nn.Module):
    """Iterative deep aggregation: brings features to the first one's resolution, one by one.

    Each coarser feature is projected, upsampled, added to its finer neighbour and refined.
    """

    def __init__(
        self, in_channels: Sequence[int], out_channels: int, factors: Sequence[int], norm: str
    ) -> None:
        super().__init__()
        for i, (channels, factor) in enumerate(zip(in_channels[1:], factors, strict=True), 1):
            self.add_module(f'proj_{i}', DeformBlock(channels, out_channels, norm))
            self.add_module(f'up_{i}', _upsampling(out_channels, factor))
            self.add_module(f'node_{i}', DeformBlock(out_channels, out_channels, norm))

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the features with all but the first replaced by their aggregation."""
        out = [features[0]]
        for i, feature in enumerate(features[1:], 1):
            project, up, node = (self.get_submodule(f'{n}_{i}') for n in ('proj', 'up', 'node'))
            out.append(node(up(project(feature)) + out[-1]))
        return out


class DlaUp(nn.Module):
    """The neck: aggregates the trunk's features to one map of stride 4 and 64 channels."""

    out_channels = CHANNELS[FIRST_LEVEL]

    def __init__(self, norm: str = 'gn') -> None:
        super().__init__()
        c64, c128, c256, c512 = CHANNELS[FIRST_LEVEL:]
        self.ida_0 = IterativeUp((c256, c512), c256, (2,), norm)
        self.ida_1 = IterativeUp((c128, c256, c256), c128, (2, 2), norm)
        self.ida_2 = IterativeUp((c64, c128, c128, c128), c64, (2, 2, 2), norm)
        self.ida_up = IterativeUp((c64, c128, c256), c64, (2, 4), norm)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Map the trunk's four features to (B, 64, H / 4, W / 4)."""
        stride4, stride8, *coarse = features
        coarse = self.ida_0(coarse)
        middle = self.ida_1([stride8, *coarse])
        fine = self.ida_2([stride4, *middle])
        return self.ida_up([fine[-1], middle[-1], coarse[-1]])[-1]


def _conv_layer(
    in_channels: int, out_channels: int, norm: str, kernel: int = 3, stride: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False),
        make_norm(norm, out_channels),
        nn.ReLU(inplace=True),
    )


def _upsampling(channels: int, factor: int) -> nn.ConvTranspose2d:
    """Return a depthwise transposed convolution that starts as bilinear interpolation."""
    layer = nn.ConvTranspose2d(
        channels, channels, kernel_size=2 * factor, stride=factor, padding=factor // 2,
        groups=channels, bias=False,
    )  # fmt: skip
    with torch.no_grad():
        layer.weight.copy_(bilinear_kernel(2 * factor).expand_as(layer.weight))
    return layer
