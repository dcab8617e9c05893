"""Between the network's channels and boxes (arXiv 2002.10111, section 3.2).

The functions take numpy arrays or torch tensors: inference decodes a few peaks in float64 numpy,
the loss decodes in torch, through the same code.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from smoke_ros.config.model import ModelConfig
from smoke_ros.geometry import NEAR_M, Array, rotation_y_from_alpha, unproject
from smoke_ros.structures import CameraModel, Vector3

#: Channels of each way to regress a heading.
ORIENTATION_CHANNELS = {'sincos': 2, 'quaternion': 4}


class RegressionLayout(NamedTuple):
    """Which regression channels mean what; the defaults are the paper's."""

    depth: slice = slice(0, 1)
    #: From the keypoint, a whole pixel, to the point that it stands for, in feature pixels.
    keypoint_offset: slice = slice(1, 3)
    dimensions: slice = slice(3, 6)
    #: Two channels (sine, cosine) or four (a quaternion), of length 1.
    orientation: slice = slice(6, 8)
    #: From the 2D box's centre to the projected 3D centre, in feature pixels (keypoint center_2d).
    centre_offset: slice | None = None
    #: The visible 2D box in feature pixels, its centre from the keypoint, its width and height;
    #: it helps to learn the rest and is not decoded (keypoint center_3d).
    box_2d: slice | None = None
    #: From the keypoint to the projections of the box's eight corners, in feature pixels: columns
    #: and rows in turn, in the order of geometry.CORNER_SIGNS. Not decoded either.
    corner_points: slice | None = None
    #: The logarithm of the depth's mean relative error.
    depth_spread: slice | None = None
    channels: int = 8

    @classmethod
    def from_config(cls, config: ModelConfig) -> RegressionLayout:
        """Return the layout of a model's regression head."""
        start = cls().orientation.start
        first = start + ORIENTATION_CHANNELS[config.orientation]
        layout = cls(orientation=slice(start, first), channels=first)
        if config.keypoint == 'center_2d':
            layout = layout._with('centre_offset', 2)
        elif config.keypoint == 'center_3d':
            layout = layout._with('box_2d', 4)
        if config.corner_points:
            layout = layout._with('corner_points', 16)
        return layout._with('depth_spread', 1) if config.depth_spread else layout

    def _with(self, name: str, count: int) -> RegressionLayout:
        """Return a layout with a further group of so many channels at its end."""
        last = self.channels + count
        return self._replace(channels=last, **{name: slice(self.channels, last)})


@dataclass(frozen=True)
class Peaks:
    """The highest local maxima of a batch of heatmaps, best first, and what is regressed there.

    Attributes
    ----------
    scores
        (B, k) in [0, 1].
    class_ids
        (B, k) heatmap channels.
    keypoints_feat
        (B, k, 2) x, y on the heatmap: whole numbers, of the regression's type after `numpy`.
    regression
        (B, k, channels).
    """

    scores: Array
    class_ids: Array
    keypoints_feat: Array
    regression: Array

    def numpy(self) -> Peaks:
        """Return a copy in numpy, in float64: one small transfer where it lies on a GPU."""
        packed = torch.cat(
            (
                self.scores[..., None].double(), self.class_ids[..., None].double(),
                self.keypoints_feat.double(), self.regression.double(),
            ), dim=-1,
        ).cpu().numpy()  # fmt: skip
        ids, keypoints = packed[..., 1].astype(np.int64), packed[..., 2:4]
        return Peaks(packed[..., 0], ids, keypoints, packed[..., 4:])


def select_peaks(heatmap: Tensor, regression: Tensor, top_k: int) -> Peaks:
    """Find the peaks of :func:`find_peaks` and what is regressed there.

    Parameters
    ----------
    heatmap
        (B, classes, h, w) scores.
    regression
        (B, channels, h, w).
    top_k
        Fewer are returned where the heatmap has fewer pixels.
    """
    scores, class_ids, pixels = find_peaks(heatmap, top_k)
    gather = pixels[:, None].expand(-1, regression.shape[1], -1)
    picked = regression.flatten(2).gather(2, gather).transpose(1, 2)
    return Peaks(scores, class_ids, keypoints_of(pixels, heatmap.shape[-1]), picked)


def find_peaks(heatmap: Tensor, top_k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Find the ``top_k`` highest local maxima of each image, over all classes.

    A maximum is a pixel that equals the maximum of its 3x3 neighbourhood (section 3.5).

    Returns
    -------
    Scores, class ids and pixels (counted row by row), each (B, k).
    """
    _, classes, height, width = heatmap.shape
    is_peak = F.max_pool2d(heatmap, kernel_size=3, stride=1, padding=1) == heatmap
    flat = (heatmap * is_peak).flatten(1)
    scores, index = flat.topk(min(top_k, classes * height * width), dim=1)
    return scores, index // (height * width), index % (height * width)


def keypoints_of(pixels: Tensor, width: int) -> Tensor:
    """Return x, y (..., 2) of pixels (...) that are counted row by row."""
    return torch.stack((pixels % width, pixels // width), -1)


def decode_depth(offset: Array, reference: tuple[float, float]) -> Array:
    """Return depths in metres: z = mean + scale * offset (equation 2)."""
    mean, scale = reference
    return mean + scale * offset


def regressed_depth(
    regression: Array, layout: RegressionLayout, reference: tuple[float, float]
) -> Array:
    """Return the depths (...) in metres that are regressed (..., channels), not scaled."""
    return decode_depth(regression[..., layout.depth][..., 0], reference)


def regressed_centres(
    keypoints_feat: Array, regression: Array, layout: RegressionLayout,
    centre_offset: Array | None = None,
) -> Array:  # fmt: skip
    """Return the projected 3D centres (..., 2) in feature-map pixels.

    Parameters
    ----------
    keypoints_feat
        (..., 2) x, y on the heatmap.
    regression
        (..., channels).
    layout
        Of the channels.
    centre_offset
        (..., 2) from the 2D box's centre, in place of what is regressed.
    """
    centres = keypoints_feat + regression[..., layout.keypoint_offset]
    if layout.centre_offset is None:
        return centres
    regressed = regression[..., layout.centre_offset]
    return centres + (regressed if centre_offset is None else centre_offset)


def projection_offset(camera: CameraModel, model: ModelConfig) -> Vector3:
    """Return the fourth column of the camera's projection matrix, as far as a model uses it."""
    return camera.projection_offset if model.uses_projection_offset else (0.0, 0.0, 0.0)


def encode_depth(depth: Array, reference: tuple[float, float]) -> Array:
    """Invert :func:`decode_depth`."""
    mean, scale = reference
    return (depth - mean) / scale


def decode_depth_error(regression: Array, model: ModelConfig) -> Array | None:
    """Return the mean relative errors (...) expected of depths; None where not regressed."""
    channel = RegressionLayout.from_config(model).depth_spread
    if channel is None:
        return None
    exp = torch.exp if isinstance(regression, torch.Tensor) else np.exp
    return exp(regression[..., channel][..., 0])


def decode_certainty(regression: Array, depth: Array, model: ModelConfig) -> Array:
    """Return how likely (...) depths are right within the model's tolerance, from 0 to 1.

    Errors are taken to be distributed as Laplace says, about nothing, their mean size a part of
    the depth: the part that is regressed, or else the model's ``depth_error``. 1 for a model
    without a tolerance. After Kendall and Gal (arXiv 1703.04977, section 2.2), and as GUPNet
    (arXiv 2107.13774, section 3.3) makes a score of it.

    Parameters
    ----------
    regression
        (..., channels).
    depth
        (...) in metres, as :func:`decode_depth` gives them, scaled for the camera.
    """
    xp = torch if isinstance(depth, torch.Tensor) else np
    if not model.score_tolerance:
        return xp.ones_like(depth)
    regressed = decode_depth_error(regression, model)
    error = model.depth_error if regressed is None else regressed
    metres = error * xp.clip(depth, NEAR_M, None)
    return 1.0 - xp.exp(-model.score_tolerance / metres)


def decode_dimensions(offset: Array, reference: Array) -> Array:
    """Return (..., 3) dimensions in metres: reference * exp(offset) (equation 4)."""
    exp = torch.exp if isinstance(offset, torch.Tensor) else np.exp
    return reference * exp(offset)


def encode_dimensions(dimensions: Array, reference: Array) -> Array:
    """Invert :func:`decode_dimensions`."""
    log = torch.log if isinstance(dimensions, torch.Tensor) else np.log
    return log(dimensions / reference)


def decode_alpha(orientation: Array) -> Array:
    """Return observation angles, not wrapped, from sines and cosines or quaternions.

    Either stands for alpha + pi/2, the angle from the ray to the box's side (figure 3).

    Parameters
    ----------
    orientation
        (..., 2) sine and cosine, or (..., 4) a quaternion (w, x, y, z) of length 1. A network's
        quaternion may tilt the box; its heading is that of its length, seen from above.
    """
    arctan2 = torch.arctan2 if isinstance(orientation, torch.Tensor) else np.arctan2
    if orientation.shape[-1] == ORIENTATION_CHANNELS['sincos']:
        sine, cosine = orientation[..., 0], orientation[..., 1]
    else:
        w, x, y, z = (orientation[..., i] for i in range(4))
        # Where the rotation takes the x axis: (cosine, anything, -sine).
        sine, cosine = 2 * (w * y - x * z), 1 - 2 * (y * y + z * z)
    return arctan2(sine, cosine) - math.pi / 2


def encode_alpha(alpha: Array, kind: str = 'sincos') -> Array:
    """Invert :func:`decode_alpha`: (...) angles to (..., 2), or to (..., 4) for 'quaternion'."""
    xp = torch if isinstance(alpha, torch.Tensor) else np
    angle = alpha + math.pi / 2
    if kind == 'sincos':
        return xp.stack((xp.sin(angle), xp.cos(angle)), -1)
    none = xp.zeros_like(angle)
    return xp.stack((xp.cos(angle / 2), none, xp.sin(angle / 2), none), -1)


def decode_location(
    keypoints_feat: Array, depth: Array, image_from_feature: Array, K: Array,
    projection_offset: Array | tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Array:  # fmt: skip
    """Return box centres in the camera frame (equation 3).

    Parameters
    ----------
    keypoints_feat
        (..., 2) projected centres in feature-map pixels, offset included.
    depth
        (...) in metres.
    image_from_feature
        (..., 3, 3) affine from feature-map to image pixels.
    K
        (..., 3, 3) intrinsics of the image.
    projection_offset
        (..., 3) fourth column of a 3x4 projection matrix.

    Returns
    -------
    (..., 3) metres.
    """
    linear, shift = image_from_feature[..., :2, :2], image_from_feature[..., :2, 2]
    pixels = (linear @ keypoints_feat[..., None])[..., 0] + shift
    return unproject(K, pixels, depth, projection_offset)


@dataclass(frozen=True)
class Boxes:
    """Boxes as arrays: locations (k, 3) and dimensions (k, 3) in metres, rotation_y (k,).

    And what multiplies their scores, (k,): see :func:`decode_certainty`; and the mean relative
    errors (k,) that are expected of their depths, None where they are not regressed.
    """

    locations: Array
    dimensions: Array
    rotation_y: Array
    certainty: Array
    depth_errors: Array | None = None


def decode_boxes(
    regression: Array, class_ids: Array, keypoints_feat: Array, model: ModelConfig,
    camera: CameraModel, image_from_feature: Array, depth_scale: float = 1.0,
) -> Boxes:  # fmt: skip
    """Turn what is regressed at one image's keypoints into boxes, in numpy.

    Parameters
    ----------
    regression
        (k, channels), activations applied.
    class_ids
        (k,) heatmap channels.
    keypoints_feat
        (k, 2) x, y on the heatmap.
    model
        The network's references.
    camera
        The image's camera.
    image_from_feature
        (3, 3) affine.
    depth_scale
        Multiplies the depth: the ratio of this camera's focal length to the training camera's,
        both in input pixels (a network judges depth by size).
    """
    layout = RegressionLayout.from_config(model)
    depth = depth_scale * regressed_depth(regression, layout, model.depth_reference)
    centres = regressed_centres(keypoints_feat, regression, layout)
    offset = projection_offset(camera, model)
    locations = decode_location(centres, depth, image_from_feature, camera.K, offset)
    reference = np.array(model.dimension_reference)[class_ids]
    dimensions = decode_dimensions(regression[:, layout.dimensions], reference)
    alpha = decode_alpha(regression[:, layout.orientation])
    rotation_y = rotation_y_from_alpha(alpha, locations[:, 0], locations[:, 2])
    certainty = decode_certainty(regression, depth, model)
    errors = decode_depth_error(regression, model)
    return Boxes(locations, dimensions, rotation_y, certainty, errors)
