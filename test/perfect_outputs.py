"""Heatmap and regression as a perfect network would give them, from training targets."""

import numpy as np
import torch

from smoke_ros import coder
from smoke_ros.geometry import alpha_from_rotation_y, box_corners, project


def perfect_outputs(targets, model, dtype=torch.float64):
    """Return (heatmap, regression) of a batch; objects that are not regressed stay zero."""
    layout = coder.RegressionLayout.from_config(model)
    heatmap = targets.heatmap.to(dtype).clamp(1e-4, 1 - 1e-4)
    batch, _, height, width = heatmap.shape
    regression = torch.zeros(batch, layout.channels, height, width, dtype=dtype)
    for image, slot in targets.present.nonzero().tolist():
        x, y = targets.keypoints[image, slot].tolist()
        regression[image, :, y, x] = encode(targets, image, slot, model, layout).to(dtype)
    return heatmap, regression


def encode(targets, image, slot, model, layout):
    """Return the channels (channels,) of one object."""
    channels = torch.zeros(layout.channels, dtype=torch.float64)
    location = targets.locations[image, slot].double()
    keypoint = targets.keypoints[image, slot].double()
    centre, box = targets.centres_feat[image, slot].double(), targets.boxes_feat[image, slot]
    box_centre, size = (box[:2] + box[2:]).double() / 2, (box[2:] - box[:2]).double()
    depth = location[2] + targets.projection_offset[image, 2]
    regressed = depth / targets.depth_scale[image].double()
    channels[layout.depth] = coder.encode_depth(regressed, model.depth_reference)
    point = centre if layout.centre_offset is None else box_centre
    channels[layout.keypoint_offset] = point - keypoint
    reference = torch.tensor(model.dimension_reference[int(targets.class_ids[image, slot])])
    dimensions = targets.dimensions[image, slot].double()
    channels[layout.dimensions] = coder.encode_dimensions(dimensions, reference)
    alpha = alpha_from_rotation_y(
        targets.rotation_y[image, slot].double(), location[0], location[2]
    )
    channels[layout.orientation] = coder.encode_alpha(alpha, model.orientation)
    if layout.centre_offset is not None:
        channels[layout.centre_offset] = centre - box_centre
    if layout.box_2d is not None:
        channels[layout.box_2d] = torch.cat((box_centre - keypoint, size))
    if layout.corner_points is not None:
        corners = box_corners(location, dimensions, targets.rotation_y[image, slot].double())
        offset = targets.projection_offset[image].double()
        pixels = project(targets.K[image].double(), corners, offset)
        affine = torch.linalg.inv(targets.image_from_feature[image].double())
        points = pixels @ affine[:2, :2].T + affine[:2, 2]
        channels[layout.corner_points] = (points - keypoint).flatten()
    return channels


def labelled_car(location, rotation_y=0.3, dimensions=(4.0, 1.5, 1.7), name='Car', bbox=None):
    """Return a label; its 2D box is the one given, in pixels."""
    from smoke_ros.data.kitti import KittiObject

    return KittiObject(
        location=tuple(map(float, location)), dimensions=dimensions, rotation_y=rotation_y,
        class_name=name, truncation=0.0, occlusion=0, observation_angle=0.0,
        bbox_xyxy_px=bbox or (0.0, 0.0, 0.0, 0.0),
    )  # fmt: skip


def small_model(**options):
    """Return a model with a small input, at which SMALL_CAMERA's image keeps its scale."""
    from smoke_ros.config.model import ModelConfig

    defaults = {'input_width': 256, 'input_height': 96, 'reference_focal_px': 200.0}
    return ModelConfig(**{**defaults, **options})


def small_camera(**options):
    """Return the camera of 256x96 images."""
    from smoke_ros.structures import CameraModel

    K = np.array([[200.0, 0.0, 128.0], [0.0, 200.0, 40.0], [0.0, 0.0, 1.0]])
    return CameraModel(K, 256, 96, **options)
