"""EfficientNet-Lite0 as a trunk (arXiv 1905.11946; Lite: ReLU6, no squeeze-and-excitation).

Blocks are numbered as in the release, so that its ImageNet weights load by name. Strided layers
pad alike on all sides, where the release pads for TensorFlow's 'SAME': the same network on a map
moved by up to half a stride, whose features lie on the pixels that the heatmap has them on.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class Stage(NamedTuple):
    """A row of the paper's table 1: blocks of which only the first changes size and channels."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    blocks: int


STEM_CHANNELS = 32
STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
#: The stages, from 0, whose results are the features: the last ones of strides 4, 8, 16 and 32.
FEATURE_STAGES = (1, 2, 4, 6)
#: As the release, for whose statistics it matters.
BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM = 1e-3, 0.01


class MBConv(nn.Module):
    """Expands the channels, filters each of them, and projects them back to few."""

    def __init__(
        self, in_channels: int, out_channels: int, expansion: int, kernel: int, stride: int
    ) -> None:
        super().__init__()
        hidden = expansion * in_channels
        self.expand = nn.Identity() if expansion == 1 else _conv_layer(in_channels, hidden, 1)
        self.depthwise = _conv_layer(hidden, hidden, kernel, stride, groups=hidden)
        self.project = _conv_layer(hidden, out_channels, 1, activates=False)
        self.is_residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C_out, H / stride, W / stride)."""
        out: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + out if self.is_residual else out


class EfficientNetLite0(nn.Module):
    """The trunk: an image in, features of strides 4, 8, 16 and 32 out.

    It has BatchNorm always: its widths do not divide into groups.
    """

    out_channels = tuple(STAGES[i].channels for i in FEATURE_STAGES)

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv_layer(3, STEM_CHANNELS, 3, stride=2)
        self.blocks = nn.ModuleList()
        in_channels = STEM_CHANNELS
        for stage in STAGES:
            for i in range(stage.blocks):
                stride = stage.stride if i == 0 else 1
                self.blocks.append(
                    MBConv(in_channels, stage.channels, stage.expansion, stage.kernel, stride)
                )
                in_channels = stage.channels

    def stages(self) -> list[list[nn.Module]]:
        """Return the layers in the order in which an image goes through them, stem first."""
        stages: list[list[nn.Module]] = [[self.stem]]
        first = 0
        for stage in STAGES:
            stages.append(list(self.blocks[first : first + stage.blocks]))
            first += stage.blocks
        return stages

    def forward(self, images: Tensor) -> list[Tensor]:
        """Map (B, 3, H, W) to (B, 24, H / 4, W / 4), (B, 40, H / 8, W / 8), ..., 4 features."""
        x: Tensor = self.stem(images)
        features = []
        for i, stage in enumerate(self.stages()[1:]):
            for block in stage:
                x = block(x)
            if i in FEATURE_STAGES:
                features.append(x)
        return features


def _conv_layer(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, *, groups: int = 1,
    activates: bool = True,
) -> nn.Sequential:  # fmt: skip
    conv = nn.Conv2d(
        in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
    )
    norm = nn.BatchNorm2d(out_channels, BATCH_NORM_EPSILON, BATCH_NORM_MOMENTUM)
    return nn.Sequential(conv, norm, *([nn.ReLU6(inplace=True)] if activates else []))
