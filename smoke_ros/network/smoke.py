"""The SMOKE network (arXiv 2002.10111), assembled from a trunk, a neck and heads."""

from __future__ import annotations

from torch import Tensor, nn

from smoke_ros.coder import RegressionLayout
from smoke_ros.config.model import ModelConfig
from smoke_ros.network.dla import Dla34, DlaUp
from smoke_ros.network.efficientnet_lite import EfficientNetLite0
from smoke_ros.network.fpn import FpnNeck
from smoke_ros.network.heads import SmokeHeads


class Smoke(nn.Module):
    """Images in, heatmap and regression out; the activations are applied."""

    def __init__(self, backbone: nn.Module, neck: nn.Module, heads: SmokeHeads) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.heads = heads

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map normalised images (B, 3, H, W) to (heatmap, regression) at stride 4.

        Shapes are (B, classes, H / 4, W / 4) and (B, layout.channels, H / 4, W / 4); H and W must
        be multiples of 32.
        """
        heatmap, regression = self.heads(self.neck(self.backbone(images)))
        return heatmap, regression


def build_network(config: ModelConfig) -> Smoke:
    """Build the network of a model, with fresh weights."""
    backbone, neck = _build_trunk_and_neck(config)
    layout = RegressionLayout.from_config(config)
    heads = SmokeHeads(
        config.neck_channels, len(config.classes), layout, config.norm, config.head_channels,
        config.regression_layers,
    )  # fmt: skip
    return Smoke(backbone, neck, heads)


def _build_trunk_and_neck(config: ModelConfig) -> tuple[nn.Module, nn.Module]:
    if config.architecture == 'efficientnet_lite0':
        trunk = EfficientNetLite0()
        neck = FpnNeck(trunk.out_channels, config.neck_channels, config.norm, config.neck_blocks)
        return trunk, neck
    return Dla34(config.norm), DlaUp(config.norm)
