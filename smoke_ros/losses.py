"""What training minimises (arXiv 2002.10111, section 3.3): pure functions, and their sum.

The regression losses compare boxes by their corners. To match the authors' figures they keep
three of their choices: sums over a batch are divided by a constant (10 * 30), not by the number
of objects; a label's ray turns the predicted observation angle into a heading; and a predicted
location stands for the bottom face by half the *predicted* height, so the height also counts in
the location's term.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from smoke_ros import coder
from smoke_ros.config.loss import LossConfig
from smoke_ros.config.model import ModelConfig
from smoke_ros.data.targets import Targets
from smoke_ros.geometry import NEAR_M, box_corners, project, wrap_angle

#: A pixel beside a keypoint learns the regression where the heatmap is this high at least.
LEAST_WEIGHT = 0.5

#: Relative errors of depth below this are taken to be this large: none is expected to be nothing.
LEAST_DEPTH_ERROR = 0.003


@dataclass(frozen=True, eq=False)
class LossTerms:
    """The parts of a loss, scalars by name, and their sum."""

    parts: Mapping[str, Tensor]

    @property
    def total(self) -> Tensor:
        """What to minimise."""
        return torch.stack(list(self.parts.values())).sum()

    def named(self) -> dict[str, Tensor]:
        """Return the parts and the total by name."""
        return {**self.parts, 'total': self.total}


class SmokeLoss(nn.Module):
    """The loss of a model's outputs.

    Its parts are ``heatmap``; of the regression ``orientation``, ``dimensions`` and ``location``
    where disentangled, else ``corners``; where the keypoint asks for them ``centre_offset``
    (disentangled, center_2d) or ``box_2d`` (center_3d); ``depth_spread`` and ``corner_points``
    where the model has them; and ``heading`` where it has a weight.
    """

    def __init__(self, model: ModelConfig, config: LossConfig | None = None) -> None:
        super().__init__()
        self.model, self.config = model, config or LossConfig()
        self.layout = coder.RegressionLayout.from_config(model)

    def forward(
        self, heatmap: Tensor, regression: Tensor, targets: Targets,
        positives: Tensor | float | None = None,
    ) -> LossTerms:  # fmt: skip
        """Compare outputs with targets.

        Parameters
        ----------
        heatmap
            (B, classes, h, w), in [1e-4, 1 - 1e-4].
        regression
            (B, channels, h, w), activations applied.
        targets
            Of the batch.
        positives
            What divides the heatmap's loss: the number of keypoints, see
            :func:`count_positives`. Where a step's batch is divided among processes or passes,
            give that of the whole step: then their losses add up to that of the whole batch.
        """
        positives = count_positives(targets) if positives is None else positives
        counts = background_counts(targets, self.config.confusion_weight)
        focal = focal_loss(
            heatmap, targets.heatmap.to(heatmap.dtype), positives, counts.to(heatmap.dtype),
            alpha=self.config.focal_alpha, beta=self.config.focal_beta,
        )  # fmt: skip
        objects = gather_objects(regression, targets, self.model, self.config.regression_reach)
        parts = regression_losses(objects, self.model, self.layout, self.config)
        if weight := self.config.heading_weight:
            scale = self.config.heading_scale
            parts['heading'] = weight * heading_distance(objects, self.layout, scale)
        divisor = self.config.regression_divisor
        divided = {name: part / divisor for name, part in parts.items()}
        return LossTerms({'heatmap': self.config.heatmap_weight * focal, **divided})


def count_positives(targets: Targets) -> Tensor:
    """Return the number of keypoints on a batch's heatmaps."""
    return (targets.heatmap == 1).sum()


def background_counts(targets: Targets, confusion_weight: float = 1.0) -> Tensor:
    """Return how much each pixel of a batch's heatmaps counts as background.

    Parameters
    ----------
    targets
        Of the batch.
    confusion_weight
        Of a class's background inside the 2D boxes of objects of other classes. There the pixels
        are few and what they show is most alike: the tail of a lorry and that of a car.

    Returns
    -------
    (B, classes, h, w), or (B, 1, h, w) where all classes are alike: 0 where the targets are
    ignored, 1 elsewhere, but for those boxes.
    """
    counts = (~targets.ignored[:, None]).float()
    if confusion_weight == 1.0:
        return counts
    height, width = targets.heatmap.shape[-2:]
    x1, y1, x2, y2 = targets.boxes_feat.unbind(-1)
    columns = torch.arange(width, device=x1.device)
    rows = torch.arange(height, device=x1.device)
    in_columns = (columns >= x1.floor()[..., None]) & (columns <= x2[..., None])
    in_rows = (rows >= y1.floor()[..., None]) & (rows <= y2[..., None])
    others = F.one_hot(targets.class_ids, targets.heatmap.shape[1]) == 0
    others &= targets.present[..., None]
    # Sums over the objects: (B, n, h) and (B, n, w) and (B, n, classes).
    inside = torch.einsum(
        'bnc,bnh,bnw->bchw', others.float(), in_rows.float(), in_columns.float()
    )  # fmt: skip
    return counts * torch.where(inside > 0, confusion_weight, 1.0)


def focal_loss(
    prediction: Tensor, target: Tensor, positives: Tensor | float, counts: Tensor | None = None,
    *, alpha: float = 2.0, beta: float = 4.0,
) -> Tensor:  # fmt: skip
    """Return the penalty-reduced focal loss (section 3.3.1, equation 6; CornerNet's).

    Parameters
    ----------
    prediction
        (..., h, w) in (0, 1).
    target
        The same shape, exactly 1 at keypoints and below elsewhere.
    positives
        Divides the sum, where it is above 0.
    counts
        To be broadcast: how much background counts; all of it once if None.
    """
    is_keypoint = target == 1
    hit = -prediction.log() * (1 - prediction) ** alpha
    background = -(1 - prediction).log() * prediction**alpha * (1 - target) ** beta
    if counts is not None:
        background = background * counts
    total = torch.where(is_keypoint, hit, background).sum()
    return total / torch.as_tensor(positives, device=total.device).clamp(min=1)


@dataclass(frozen=True, eq=False)
class ObjectOutputs:
    """What is regressed at N pixels of a batch, and what it should be."""

    #: (N, channels).
    regression: Tensor
    #: (N, 2) float, the pixels.
    keypoints: Tensor
    #: (N, 3) length, height, width that dimensions are regressed against.
    reference: Tensor
    locations: Tensor
    dimensions: Tensor
    rotation_y: Tensor
    centres_feat: Tensor
    boxes_feat: Tensor
    #: (N, 3, 3), (N, 3), (N, 3, 3) of each object's image.
    K: Tensor
    projection_offset: Tensor
    image_from_feature: Tensor
    #: (N,) of each object's image.
    depth_scale: Tensor
    #: (N,) how much each counts; those of one object add up to 1.
    weights: Tensor


def gather_objects(
    regression: Tensor, targets: Targets, model: ModelConfig, reach: int = 0
) -> ObjectOutputs:
    """Pick the regression (B, channels, h, w) at the pixels that learn it, in its precision.

    These are the keypoints and, with a ``reach``, the pixels around them, see
    :func:`pixels_around`.
    """
    image, slot = targets.regressed.nonzero(as_tuple=True)
    keypoints, weights = targets.keypoints[image, slot], torch.ones_like(image)
    if reach:
        heatmaps = targets.heatmap[image, targets.class_ids[image, slot]]
        taken, keypoints, weights = pixels_around(keypoints, heatmaps, reach)
        image, slot = image[taken], slot[taken]
    reference = torch.tensor(model.dimension_reference).to(regression)
    return ObjectOutputs(
        regression=regression[image, :, keypoints[:, 1], keypoints[:, 0]],
        keypoints=keypoints.to(regression),
        reference=reference[targets.class_ids[image, slot]],
        locations=targets.locations[image, slot].to(regression),
        dimensions=targets.dimensions[image, slot].to(regression),
        rotation_y=targets.rotation_y[image, slot].to(regression),
        centres_feat=targets.centres_feat[image, slot].to(regression),
        boxes_feat=targets.boxes_feat[image, slot].to(regression),
        K=targets.K[image].to(regression),
        projection_offset=targets.projection_offset[image].to(regression),
        image_from_feature=targets.image_from_feature[image].to(regression),
        depth_scale=targets.depth_scale[image].to(regression),
        weights=weights.to(regression),
    )


def pixels_around(
    keypoints: Tensor, heatmaps: Tensor, reach: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return pixels that learn what objects look like, beside their keypoints.

    Each weighs as much as the object's Gaussian is high there, as in TTFNet (Liu et al., arXiv
    1909.00700, section 3.3): more samples from the same image, and where a peak is found a pixel
    off, what is read there has been learnt.

    Parameters
    ----------
    keypoints
        (N, 2) columns and rows.
    heatmaps
        (N, h, w) of the objects' classes, 1 at their keypoints. Where objects of a class lie close
        together it is the higher Gaussian that stands there.
    reach
        How far, in columns and in rows; pixels where a heatmap is below a half are left out.

    Returns
    -------
    (M,) the pixels' objects, (M, 2) columns and rows, and (M,) weights, which add up to 1 for each
    object.
    """
    height, width = heatmaps.shape[1:]
    steps = torch.arange(-reach, reach + 1, device=keypoints.device)
    pixels = keypoints[:, None] + torch.cartesian_prod(steps, steps)
    columns, rows = pixels.unbind(-1)
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    item = torch.arange(len(keypoints), device=keypoints.device)[:, None].expand_as(columns)
    weights = heatmaps[item, rows.clamp(0, height - 1), columns.clamp(0, width - 1)]
    weights = torch.where(inside & (weights >= LEAST_WEIGHT), weights, 0.0)
    counts = weights > 0
    return item[counts], pixels[counts], (weights / weights.sum(1, keepdim=True))[counts]


def regression_losses(
    objects: ObjectOutputs, model: ModelConfig, layout: coder.RegressionLayout,
    config: LossConfig,
) -> dict[str, Tensor]:  # fmt: skip
    """Return sums over the objects, by name; see :class:`SmokeLoss` and LossConfig."""
    truth = (objects.locations, objects.dimensions, objects.rotation_y)
    kind, weights = config.regression, objects.weights
    location, dimensions, rotation_y = predict_boxes(objects, model, layout, kind)
    if kind == 'disentangled':
        raised = _on_bottom_face(location, dimensions, objects.dimensions)
        nearness = _nearness(objects, model) if config.relative_location else 1.0
        losses = {
            'orientation': corner_distance((truth[0], truth[1], rotation_y), truth, weights),
            'dimensions': config.dimensions_weight
            * corner_distance((truth[0], dimensions, truth[2]), truth, weights),
            'location': corner_distance((raised, truth[1], truth[2]), truth, nearness * weights),
        }
        if layout.centre_offset is not None:
            moved = locate_by_centre_offset(objects, layout.centre_offset)
            losses['centre_offset'] = corner_distance((moved, truth[1], truth[2]), truth, weights)
    else:
        predicted = (location, dimensions, rotation_y)
        smooth = kind == 'smooth_l1'
        losses = {'corners': corner_distance(predicted, truth, weights, smooth=smooth)}
    if layout.box_2d is not None:
        losses['box_2d'] = box_2d_distance(objects, layout.box_2d)
    if layout.depth_spread is not None:
        surprise = depth_surprise(objects, location[:, 2], layout.depth_spread)
        losses['depth_spread'] = config.depth_spread_weight * surprise
    if layout.corner_points is not None:
        distance = corner_points_distance(objects, layout.corner_points)
        losses['corner_points'] = config.corner_points_weight * distance
    return losses


BoxTensors = tuple[Tensor, Tensor, Tensor]


def predict_boxes(
    objects: ObjectOutputs, model: ModelConfig, layout: coder.RegressionLayout, kind: str
) -> BoxTensors:
    """Decode locations (N, 3), dimensions (N, 3) and headings (N,) for training.

    Where the losses are disentangled, the offset from the 2D to the 3D centre is the label's: it
    has a term of its own.
    """
    channels = objects.regression
    depth = objects.depth_scale * coder.regressed_depth(channels, layout, model.depth_reference)
    true_offset = objects.centres_feat - _box_centres(objects.boxes_feat)
    points = coder.regressed_centres(
        objects.keypoints, channels, layout, true_offset if kind == 'disentangled' else None
    )
    location = coder.decode_location(
        points, depth, objects.image_from_feature, objects.K, objects.projection_offset
    )
    dimensions = coder.decode_dimensions(channels[:, layout.dimensions], objects.reference)
    ray = torch.arctan2(objects.locations[:, 0], objects.locations[:, 2])
    rotation_y = coder.decode_alpha(channels[:, layout.orientation]) + ray
    return location, dimensions, rotation_y


def locate_by_centre_offset(objects: ObjectOutputs, channels: slice) -> Tensor:
    """Return (N, 3) locations by the predicted offset, from the label's 2D centre and depth."""
    points = _box_centres(objects.boxes_feat) + objects.regression[:, channels]
    depth = objects.locations[:, 2] + objects.projection_offset[:, 2]
    return coder.decode_location(
        points, depth, objects.image_from_feature, objects.K, objects.projection_offset
    )


def corner_distance(
    predicted: BoxTensors, truth: BoxTensors, weights: Tensor, *, smooth: bool = False
) -> Tensor:
    """Return the sum over boxes, corners and axes of the (smooth, below 1 m) L1 distance.

    Each of the N boxes counts as much as its weight (N,).
    """
    distance = F.smooth_l1_loss if smooth else F.l1_loss
    each = distance(box_corners(*predicted), box_corners(*truth), reduction='none')
    return (each * weights[:, None, None]).sum()


def heading_distance(
    objects: ObjectOutputs, layout: coder.RegressionLayout, scale: float = 0.0
) -> Tensor:
    """Return the sum of the headings' errors in radians, whose only minimum is the right one.

    The distance of corners has others, out of which no gradient leads: for a car along an axis
    near 138 degrees, for oblique ones near 180. An angle's slope is the same at every error, where
    that of a cosine vanishes for a heading the wrong way round.

    With a ``scale`` s an error e counts e / 2 + s log(1 + e / s). Where the image leaves two
    headings, as for a car that may be seen from ahead or from behind, the median of errors that
    count as they are is anything between them, right for neither; this is least at one of the two.
    """
    predicted = coder.decode_alpha(objects.regression[:, layout.orientation])
    ray = torch.arctan2(objects.locations[:, 0], objects.locations[:, 2])
    errors = wrap_angle(predicted - (objects.rotation_y - ray)).abs()
    if scale > 0.0:
        errors = errors / 2 + scale * torch.log1p(errors / scale)
    return (errors * objects.weights).sum()


def box_2d_distance(objects: ObjectOutputs, channels: slice) -> Tensor:
    """Return the sum of the L1 distances of 2D centres, widths and heights in feature pixels."""
    boxes = objects.boxes_feat
    centres = _box_centres(boxes) - objects.keypoints
    truth = torch.cat((centres, boxes[:, 2:] - boxes[:, :2]), dim=1)
    each = F.l1_loss(objects.regression[:, channels], truth, reduction='none')
    return (each * objects.weights[:, None]).sum()


def corner_points_distance(objects: ObjectOutputs, channels: slice) -> Tensor:
    """Return the sum of the L1 distances of the projected corners, relative to their extent.

    What an image shows of a box without ambiguity are its corners' pixels; features that have
    learnt to measure them know what size, heading and depth follow from (MonoCon, Liu et al.,
    arXiv 2112.04628). The extent is the geometric mean of width and height, one feature pixel at
    least. A box that reaches behind the camera does not count: not all its corners have a pixel.
    """
    corners = box_corners(objects.locations, objects.dimensions, objects.rotation_y)
    whole = (corners[..., 2] >= NEAR_M).all(1)
    # What is left out below must be finite too: a NaN's gradient would stay one.
    corners = torch.where(whole[:, None, None], corners, 1.0)
    pixels = project(objects.K[:, None], corners, objects.projection_offset[:, None])
    linear, shift = objects.image_from_feature[:, :2, :2], objects.image_from_feature[:, :2, 2]
    points = torch.linalg.solve(linear, (pixels - shift[:, None]).mT).mT
    extent = (points.amax(1) - points.amin(1)).prod(-1).sqrt().clamp(min=1.0)
    truth = (points - objects.keypoints[:, None]).flatten(1)
    each = F.l1_loss(objects.regression[:, channels], truth, reduction='none').sum(1)
    return (torch.where(whole, each / extent, 0.0) * objects.weights).sum()


def depth_surprise(objects: ObjectOutputs, depth: Tensor, channels: slice) -> Tensor:
    """Return the sum of how surprising the errors of depths (N,) are to what says how large.

    The negative logarithm of Laplace's density, which is least where the regressed mean error is
    the mean error (Kendall and Gal, arXiv 1703.04977, equation 8). Depths do not learn from it:
    those of which the network is unsure would be let off.
    """
    ratio = depth.detach().clamp(min=NEAR_M) / objects.locations[:, 2].clamp(min=NEAR_M)
    error = ratio.log().abs().clamp(min=LEAST_DEPTH_ERROR)
    spread = objects.regression[:, channels][:, 0]
    return ((error * torch.exp(-spread) + spread) * objects.weights).sum()


def _nearness(objects: ObjectOutputs, model: ModelConfig) -> Tensor:
    """Return (N,) what a location's error counts, by its depth as it is regressed."""
    depth = objects.locations[:, 2] / objects.depth_scale
    # What is nearer yet is cut by the image's edge and would drown the rest.
    return model.depth_reference[0] / depth.clamp(min=0.2 * model.depth_reference[0])


def _box_centres(boxes: Tensor) -> Tensor:
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _on_bottom_face(location: Tensor, dimensions: Tensor, replaced: Tensor) -> Tensor:
    """Return the centre of a box of other dimensions with the same bottom face's height.

    ``location`` is the centre of a box of ``dimensions``, of which ``replaced`` take the place.
    """
    down = (dimensions[:, 1] - replaced[:, 1]) / 2
    return location + F.pad(down[:, None], (1, 1))
