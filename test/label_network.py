"""A network that answers from boxes it is told: what a perfect one would say."""

import numpy as np
import torch
from torch import nn

from smoke_ros import coder
from smoke_ros.checkpoint import TrainingRecord
from smoke_ros.config.model import ModelConfig
from smoke_ros.models import LoadedModel

#: How far off it takes its depths to be, relatively, where the model asks for it.
DEPTH_ERROR = 0.01


class LabelNetwork(nn.Module):
    """Gives the same heatmap and regression whatever the image, once per image of the batch."""

    def __init__(self, heatmap, regression):
        super().__init__()
        self.register_buffer('heatmap', heatmap)
        self.register_buffer('regression', regression)

    def forward(self, images):
        batch = images.shape[0]
        return self.heatmap.expand(batch, -1, -1, -1), self.regression.expand(batch, -1, -1, -1)


def encode_boxes(model, camera, geometry, boxes, depth_scale=1.0):
    """Return the (heatmap, regression) of (class name, score, box) triples."""
    height, width = model.feature_height, model.feature_width
    heatmap = torch.full((1, len(model.classes), height, width), 1e-4)
    layout = coder.RegressionLayout.from_config(model)
    regression = torch.zeros(1, layout.channels, height, width)
    for name, score, box in boxes:
        class_id = model.classes.index(name)
        pixel = np.append(camera.project(box.location), 1.0)
        point = (geometry.feature_from_image @ pixel)[:2]
        x, y = np.floor(point).astype(int)
        heatmap[0, class_id, y, x] = score
        depth = coder.encode_depth(box.location[2] / depth_scale, model.depth_reference)
        sizes = coder.encode_dimensions(
            np.array(box.dimensions), np.array(model.dimension_reference[class_id])
        )
        values = [depth, *(point - (x, y)), *sizes, *coder.encode_alpha(np.array(box.alpha))]
        regression[0, :8, y, x] = torch.tensor(np.array(values, dtype=np.float64)).float()
        if layout.depth_spread is not None:
            regression[0, layout.depth_spread, y, x] = float(np.log(DEPTH_ERROR))
    return heatmap, regression


def label_model(heatmap, regression, model=None):
    """Return a loaded model that detects what the maps say."""
    network = LabelNetwork(heatmap, regression)
    return LoadedModel('labels', network, model or ModelConfig(), TrainingRecord(), '')
