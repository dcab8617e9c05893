"""SMOKE's two heads: the keypoint heatmap and the regression of everything else."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smoke_ros.coder import RegressionLayout
from smoke_ros.network.layers import at_least_single, make_norm

HIDDEN_CHANNELS = 256
#: sigmoid(-2.19) = 0.1: what the focal loss wants of a fresh heatmap (arXiv 1708.02002, 3.3).
HEATMAP_BIAS = -2.19
#: log(0.1): a fresh network's depths are taken to be off by a tenth.
SPREAD_BIAS = -2.3
#: Keeps the focal loss's logarithms finite.
HEATMAP_MARGIN = 1e-4


class SmokeHeads(nn.Module):
    """Heatmap and regression from the neck's features, activations applied."""

    def __init__(
        self, in_channels: int, num_classes: int, layout: RegressionLayout, norm: str = 'gn',
        hidden_channels: int = HIDDEN_CHANNELS, regression_layers: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.layout = layout
        self.heatmap = _branch(in_channels, hidden_channels, num_classes, norm)
        self.regression = _branch(
            in_channels, hidden_channels, layout.channels, norm, regression_layers
        )
        nn.init.constant_(self.heatmap[-1].bias, HEATMAP_BIAS)  # type: ignore[arg-type]
        nn.init.zeros_(self.regression[-1].bias)  # type: ignore[arg-type]
        if layout.depth_spread is not None:
            nn.init.constant_(self.regression[-1].bias[layout.depth_spread], SPREAD_BIAS)  # type: ignore[index]

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, C, H, W) to heatmap (B, classes, H, W) and regression (B, channels, H, W).

        The heatmap is clamped to [1e-4, 1 - 1e-4]; the dimension channels are sigmoid - 0.5, the
        orientation channels are L2-normalised, the others are as they come. Both are in single
        precision at least.
        """
        regression = at_least_single(self.regression(features))
        return self.score(features), activate_regression(regression, self.layout)

    def score(self, features: Tensor) -> Tensor:
        """Return the heatmap alone; see :meth:`forward`."""
        # In bfloat16 1 - 1e-4 is 1, whose loss is infinite.
        heatmap = at_least_single(self.heatmap(features)).sigmoid()
        return heatmap.clamp(HEATMAP_MARGIN, 1.0 - HEATMAP_MARGIN)


def activate_regression(raw: Tensor, layout: RegressionLayout) -> Tensor:
    """Apply the activations to raw regression channels (B, channels, ...)."""
    dimensions = raw[:, layout.dimensions].sigmoid() - 0.5
    orientation = F.normalize(raw[:, layout.orientation], dim=1)
    before = raw[:, : layout.dimensions.start]
    after = raw[:, layout.orientation.stop :]
    return torch.cat((before, dimensions, orientation, after), dim=1)


def _branch(
    in_channels: int, hidden: int, out_channels: int, norm: str, layers: int = 1
) -> nn.Sequential:
    branch = nn.Sequential()
    for i in range(layers):
        kernel = 1 if i else 3
        channels = hidden if i else in_channels
        branch.append(nn.Conv2d(channels, hidden, kernel, padding=kernel // 2))
        branch.append(make_norm(norm, hidden))
        branch.append(nn.ReLU(inplace=True))
    return branch.append(nn.Conv2d(hidden, out_channels, kernel_size=1))
