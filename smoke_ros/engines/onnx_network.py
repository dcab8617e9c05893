"""The network as an ONNX file can say it, with the standard's own operators only."""

from __future__ import annotations

import copy

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smoke_ros import coder
from smoke_ros.config.model import ModelConfig
from smoke_ros.geometry import rotation_y_from_alpha
from smoke_ros.network.deform_conv import TAPS, DeformConv2d
from smoke_ros.network.layers import at_least_single
from smoke_ros.network.smoke import Smoke


class GridSampleDeformConv(nn.Module):
    """A deformable convolution by ONNX's GridSample, which has no embedding bags.

    All taps are sampled into a map of three times the size, which a convolution with stride 3
    reads. Positions pass through [-1, 1], which costs about 1e-5 px.
    """

    def __init__(self, layer: DeformConv2d) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias
        self.offset_mask = layer.offset_mask

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C_out, H, W)."""
        height, width = features.shape[2:]
        predicted = at_least_single(self.offset_mask(features))
        # Every tap (3, 3) of every pixel (H, W), interleaved: (B, 3 H, 3 W).
        rows = self._interleave(predicted[:, 0 : 2 * TAPS : 2])
        columns = self._interleave(predicted[:, 1 : 2 * TAPS : 2])
        mask = self._interleave(predicted[:, 2 * TAPS :].sigmoid())
        y = rows + _tap_positions(height)[:, None]
        x = columns + _tap_positions(width)
        scaled = (2 * x + 1) / width - 1, (2 * y + 1) / height - 1
        grid = torch.stack(scaled, -1)
        sampled = F.grid_sample(at_least_single(features), grid, align_corners=False)
        taps = (sampled * mask[:, None]).to(features.dtype)
        return F.conv2d(taps, self.weight, self.bias, stride=3)

    @staticmethod
    def _interleave(by_tap: Tensor) -> Tensor:
        # (B, 9, H, W) to (B, 3 H, 3 W): what pixel_shuffle does with the taps as sub-pixels.
        return F.pixel_shuffle(by_tap, 3)[:, 0]


def _tap_positions(size: int) -> Tensor:
    """Return where the taps at rest lie along one axis: -1, 0, 1, 0, 1, 2, 1, 2, 3, ..."""
    taps = np.arange(size)[:, None] + np.arange(-1, 2)
    return torch.from_numpy(taps.reshape(-1).astype(np.float32))


def exportable(network: nn.Module) -> nn.Module:
    """Return a copy of a network whose deformable convolutions are :class:`GridSampleDeformConv`.

    The weights are shared.
    """
    memo = {id(p): p for p in (*network.parameters(), *network.buffers())}
    copied = copy.deepcopy(network, memo)
    for module in list(copied.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, DeformConv2d):
                setattr(module, name, GridSampleDeformConv(child))
    return copied.eval()


class MapNetwork(nn.Module):
    """Normalised images to heatmap and regression."""

    inputs = ('images',)
    outputs = ('heatmap', 'regression')

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 3, H, W) to (B, classes, H / 4, W / 4) and (B, channels, H / 4, W / 4)."""
        heatmap, regression = self.network(images)
        return heatmap, regression


class BoxNetwork(nn.Module):
    """Normalised images and their cameras to boxes in metres, the most certain first."""

    sizes: Tensor
    inputs = ('images', 'K', 'image_from_feature', 'projection_offset', 'depth_scale')
    outputs = ('scores', 'class_ids', 'boxes')

    def __init__(self, network: nn.Module, model: ModelConfig) -> None:
        super().__init__()
        self.network = network
        self.model = model
        self.layout = coder.RegressionLayout.from_config(model)
        self.register_buffer('sizes', torch.tensor(model.dimension_reference))

    def forward(
        self, images: Tensor, K: Tensor, image_from_feature: Tensor, projection_offset: Tensor,
        depth_scale: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        """Detect, and decode as :func:`coder.decode_boxes` does.

        Parameters
        ----------
        images
            (B, 3, H, W).
        K
            (B, 3, 3) upper triangular intrinsics of the original images.
        image_from_feature
            (B, 3, 3) affine from heatmap pixels to those of the original images.
        projection_offset
            (B, 3) fourth column of a 3x4 projection matrix, zeros where there is none.
        depth_scale
            (B,) factor of the depth for another focal length than the training camera's.

        Returns
        -------
        scores (B, k), class_ids (B, k) int64, and boxes (B, k, 7): centre x, y, z, length, height,
        width in metres, and rotation_y.
        """
        heatmap, regression = self.network(images)
        peaks = coder.select_peaks(heatmap, regression, self.model.top_k)
        found, layout = peaks.regression, self.layout
        depth = coder.regressed_depth(found, layout, self.model.depth_reference)
        depth = depth_scale[:, None] * depth
        centres = coder.regressed_centres(peaks.keypoints_feat, found, layout)
        location = _unproject(centres, depth, image_from_feature, K, projection_offset)
        size = coder.decode_dimensions(found[..., layout.dimensions], self.sizes[peaks.class_ids])
        alpha = coder.decode_alpha(found[..., layout.orientation])
        heading = rotation_y_from_alpha(alpha, location[..., 0], location[..., 2])
        boxes = torch.cat((location, size, heading[..., None]), -1)
        if not self.model.score_tolerance:
            return peaks.scores, peaks.class_ids, boxes
        certain = peaks.scores * coder.decode_certainty(found, depth, self.model)
        scores, order = certain.topk(certain.shape[1], dim=1)
        gathered = boxes.gather(1, order[..., None].expand(-1, -1, boxes.shape[-1]))
        return scores, peaks.class_ids.gather(1, order), gathered


def _unproject(
    keypoints: Tensor, depth: Tensor, affine: Tensor, K: Tensor, offset: Tensor
) -> Tensor:
    """Return (B, k, 3) locations; K is inverted by hand, for which ONNX has no operator."""
    pixels = keypoints @ affine[:, :2, :2].transpose(1, 2) + affine[:, None, :2, 2]
    z = depth - offset[:, None, 2]
    right = pixels[..., 1] * depth - offset[:, None, 1] - K[:, None, 1, 2] * z
    y = right / K[:, None, 1, 1]
    rest = pixels[..., 0] * depth - offset[:, None, 0] - K[:, None, 0, 2] * z
    x = (rest - K[:, None, 0, 1] * y) / K[:, None, 0, 0]
    return torch.stack((x, y, z), -1)


def wrap(
    network: Smoke | nn.Module, model: ModelConfig, *, decodes: bool
) -> MapNetwork | BoxNetwork:
    """Return what is exported: the maps alone, or the boxes."""
    network = exportable(network)
    return BoxNetwork(network, model) if decodes else MapNetwork(network)
