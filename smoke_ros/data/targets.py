"""What the network should say of a labelled image (arXiv 2002.10111, sections 3.1 and 3.2).

What the heatmap's keypoint of an object is, depends on the model's ``keypoint`` option;
docs/keypoints.md compares them. Objects that have none in the network's input are not learnt.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from smoke_ros.coder import projection_offset
from smoke_ros.config.model import STRIDE, ModelConfig
from smoke_ros.data.kitti import KittiObject
from smoke_ros.geometry import box_corners, project
from smoke_ros.preprocess import InputGeometry
from smoke_ros.structures import CameraModel, FloatArray

#: A Gaussian's radius is such that a box moved by it still overlaps the true one this much.
MIN_OVERLAP = 0.7

BoundingBox = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Targets:
    """Training targets of one image; of a batch, every tensor has B as first dimension.

    Objects have slots, as many for every image; n is their number. Slots without an object hold
    zeros. Boxes are in metres, in the frame of the (mirrored, where it is) camera.
    """

    #: (classes, h, w) in [0, 1]; exactly 1 at keypoints.
    heatmap: Tensor
    #: (h, w) bool: pixels at which the heatmap's background is not learnt.
    ignored: Tensor
    #: (n, 2) int64, x and y in feature pixels.
    keypoints: Tensor
    #: (n,) int64 heatmap channels.
    class_ids: Tensor
    #: (n, 3) geometric centres.
    locations: Tensor
    #: (n, 3) length, height, width.
    dimensions: Tensor
    #: (n,) radians.
    rotation_y: Tensor
    #: (n, 2) projected 3D centres in feature pixels, wherever they are.
    centres_feat: Tensor
    #: (n, 4) x1, y1, x2, y2 of the 2D boxes, cut at the image and the input, in feature pixels.
    boxes_feat: Tensor
    #: (n,) bool: slots with an object.
    present: Tensor
    #: (n,) bool: slots whose regression is learnt too.
    regressed: Tensor
    #: (3, 3) intrinsics.
    K: Tensor
    #: (3,) fourth column of the projection matrix, zeros where the model does not use it.
    projection_offset: Tensor
    #: (3, 3) affine from feature pixels to image pixels.
    image_from_feature: Tensor
    #: () metres of depth for one that the network regresses, see :func:`make_targets`.
    depth_scale: Tensor

    @classmethod
    def stack(cls, parts: Sequence[Targets]) -> Targets:
        """Return the targets of a batch."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: torch.stack([getattr(p, name) for p in parts]) for name in names})

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Targets:
        """Return a copy on a device."""
        return self._mapped(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Targets:
        """Return a copy in pinned memory; data loaders call this."""
        return self._mapped(Tensor.pin_memory)

    def _mapped(self, function: Callable[[Tensor], Tensor]) -> Targets:
        names = [field.name for field in dataclasses.fields(self)]
        return Targets(**{name: function(getattr(self, name)) for name in names})


def make_targets(
    objects: Sequence[KittiObject], camera: CameraModel, geometry: InputGeometry,
    model: ModelConfig, *, max_objects: int, learns_regression: bool = True,
    ignored: Sequence[BoundingBox] = (), depth_scale: float = 1.0, smallest_radius: int = 0,
    min_overlap: float = MIN_OVERLAP,
) -> Targets:  # fmt: skip
    """Make one image's targets.

    Parameters
    ----------
    objects
        Labelled objects of the model's classes. The n-th gets the n-th slot; where there are more
        than slots, the nearest that have a keypoint get them, and the others only the heatmap.
    camera
        The image's camera.
    geometry
        How the image is laid into the network's input.
    model
        Classes, sizes and what a keypoint is.
    max_objects
        Number of slots.
    learns_regression
        False for a shifted and scaled sample.
    ignored
        2D boxes (x1, y1, x2, y2) in image pixels within which no background is learnt.
    depth_scale
        Depth over the depth to regress: the camera's focal length over the one at which depth is
        learnt, both in pixels of the input.
    smallest_radius
        Of a keypoint's Gaussian, in pixels of the feature map.
    min_overlap
        Of boxes a Gaussian's radius apart.
    """
    view = View(camera, geometry, model, min_overlap)
    located = [(slot, item, view.locate(item)) for slot, item in enumerate(objects)]
    visible = [(slot, item, where) for slot, item, where in located if where is not None]
    heatmap = np.zeros((len(model.classes), *view.shape), dtype=np.float32)
    for _, item, where in visible:
        class_id = model.classes.index(item.class_name)
        draw_gaussian(heatmap[class_id], where.keypoint, max(where.radius, smallest_radius))
    if len(objects) > max_objects:
        nearest = sorted(visible, key=lambda entry: entry[1].location[2])[:max_objects]
        visible = [(slot, item, where) for slot, (_, item, where) in enumerate(nearest)]
    return Targets(
        heatmap=torch.from_numpy(heatmap),
        ignored=torch.from_numpy(view.region(ignored)),
        **_object_tensors(visible, model, max_objects, learns_regression),
        K=torch.tensor(camera.K, dtype=torch.float32),
        projection_offset=torch.tensor(view.offset, dtype=torch.float32),
        image_from_feature=torch.tensor(geometry.image_from_feature, dtype=torch.float32),
        depth_scale=torch.tensor(depth_scale, dtype=torch.float32),
    )


@dataclass(frozen=True)
class _Keypoint:
    """Where an object is on the feature map."""

    keypoint: tuple[int, int]
    radius: int
    centre_feat: FloatArray
    box_feat: FloatArray


class View:
    """The feature map of one image, and how the camera's world is seen on it.

    Parameters
    ----------
    camera, geometry, model, min_overlap
        As :func:`make_targets` takes them.
    """

    def __init__(
        self, camera: CameraModel, geometry: InputGeometry, model: ModelConfig, min_overlap: float
    ) -> None:
        self._min_overlap = min_overlap
        self.shape = (geometry.height // STRIDE, geometry.width // STRIDE)
        self.offset = projection_offset(camera, model)
        self._camera, self._kind = camera, model.keypoint
        self._affine = geometry.feature_from_image
        self._last = np.array([self.shape[1] - 1.0, self.shape[0] - 1.0])

    def locate(self, item: KittiObject) -> _Keypoint | None:
        """Return an object's place on the feature map, None where it has no keypoint there."""
        found = self._find(item)
        if found is None:
            return None
        point, centre, box = found
        location, dimensions = np.asarray(item.location), np.asarray(item.dimensions)
        width, height = self._extent(
            box_corners(location, dimensions, np.asarray(item.rotation_y))
        )
        keypoint = (int(point[0]), int(point[1]))
        radius = gaussian_radius(height, width, self._min_overlap)
        return _Keypoint(keypoint, radius, centre, box)

    def shows(self, item: KittiObject) -> bool:
        """Return whether an object has a keypoint on the feature map."""
        return self._find(item) is not None

    def _find(self, item: KittiObject) -> tuple[FloatArray, FloatArray, FloatArray] | None:
        """Return an object's keypoint, the projection of its centre and its visible 2D box."""
        if not item.has_box:
            return None
        centre = self._feature(project(self._camera.K, np.asarray(item.location), self.offset))
        box = self._visible_box(item.bbox_xyxy_px)
        point = self._point(centre, box)
        return None if point is None else (point, centre, box)

    def _extent(self, corners: FloatArray) -> FloatArray:
        """Return the width and height of a box's corners (8, 3), cut at the map."""
        # As the authors, corners behind the camera are not cut: only the radius depends on them.
        with np.errstate(divide='ignore', invalid='ignore'):
            points = self._feature(project(self._camera.K, corners, self.offset))
        inside = np.nan_to_num(points).clip(0, self._last)
        return inside.max(axis=0) - inside.min(axis=0)  # type: ignore[no-any-return]

    def _point(self, centre: FloatArray, box: FloatArray) -> FloatArray | None:
        """Return the point whose pixel is the keypoint, by the model's kind of keypoint."""
        if self._kind == 'projected_center':
            inside = (centre > 0.0).all() and (centre < self._last + 1.0).all()
            return centre if inside else None
        if not (box[2:] > box[:2]).all():
            return None
        if self._kind == 'center_2d':
            return (box[:2] + box[2:]) / 2
        # The nearest point of the map. It is within the visible box: either coordinate of the
        # centre lies in the whole box's range, and is cut where that range is cut.
        return centre.clip(0, self._last)

    def _visible_box(self, bbox_xyxy_px: BoundingBox) -> FloatArray:
        """Return a 2D box on the feature map, (4,), cut at the image and at the map."""
        image = np.array([self._camera.width - 1.0, self._camera.height - 1.0])
        corners = np.array(bbox_xyxy_px).reshape(2, 2).clip(0, image)
        return self._feature(corners).clip(0, self._last).flatten()

    def region(self, boxes: Sequence[BoundingBox]) -> npt.NDArray[np.bool_]:
        """Return (h, w): which pixels lie within any of the 2D boxes."""
        inside = np.zeros(self.shape, dtype=np.bool_)
        for box in boxes:
            x1, y1, x2, y2 = self._visible_box(box)
            if x2 > x1 and y2 > y1:
                inside[int(y1) : math.ceil(y2) + 1, int(x1) : math.ceil(x2) + 1] = True
        return inside

    def _feature(self, pixels: FloatArray) -> FloatArray:
        return pixels @ self._affine[:2, :2].T + self._affine[:2, 2]


def _object_tensors(
    visible: Sequence[tuple[int, KittiObject, _Keypoint]], model: ModelConfig, max_objects: int,
    learns_regression: bool,
) -> dict[str, Tensor]:  # fmt: skip
    n = max_objects
    tensors = {
        'keypoints': torch.zeros(n, 2, dtype=torch.int64),
        'class_ids': torch.zeros(n, dtype=torch.int64),
        'locations': torch.zeros(n, 3),
        'dimensions': torch.zeros(n, 3),
        'rotation_y': torch.zeros(n),
        'centres_feat': torch.zeros(n, 2),
        'boxes_feat': torch.zeros(n, 4),
        'present': torch.zeros(n, dtype=torch.bool),
        'regressed': torch.zeros(n, dtype=torch.bool),
    }
    for slot, item, where in visible:
        tensors['keypoints'][slot] = torch.tensor(where.keypoint)
        tensors['class_ids'][slot] = model.classes.index(item.class_name)
        tensors['locations'][slot] = torch.tensor(item.location)
        tensors['dimensions'][slot] = torch.tensor(item.dimensions)
        tensors['rotation_y'][slot] = item.rotation_y
        tensors['centres_feat'][slot] = torch.from_numpy(where.centre_feat)
        tensors['boxes_feat'][slot] = torch.from_numpy(where.box_feat)
        tensors['present'][slot] = True
        tensors['regressed'][slot] = learns_regression
    return tensors


def gaussian_radius(height: float, width: float, min_overlap: float = MIN_OVERLAP) -> int:
    """Return how far, in whole pixels, a box's corners may move for it to overlap that much.

    Of three ways to move both corners (by the same vector, inwards, outwards) the one that bears
    the least (Law and Deng, CornerNet, arXiv 1808.01244); with the authors' division by 2a.
    """
    extent, area = height + width, height * width
    # Coefficients of a r^2 - b r + c = 0, whose smaller root is how far.
    same = (1.0, extent, area * (1.0 - min_overlap) / (1.0 + min_overlap))
    inwards = (4.0, 2.0 * extent, area * (1.0 - min_overlap))
    # Outwards r enters with the other sign, so the larger root of b = -..., c < 0.
    a, b, c = 4.0 * min_overlap, 2.0 * min_overlap * extent, area * (1.0 - min_overlap)
    outwards = (-b + math.sqrt(b * b + 4.0 * a * c)) / (2.0 * a)
    roots = [(b - math.sqrt(b * b - 4.0 * a * c)) / (2.0 * a) for a, b, c in (same, inwards)]
    return max(0, int(min(*roots, outwards)))


def draw_gaussian(heatmap: npt.NDArray[np.float32], centre: tuple[int, int], radius: int) -> None:
    """Lay a Gaussian's square of 2 radius + 1 into a heatmap (h, w), where it is higher."""
    sigma = (2 * radius + 1) / 6
    height, width = heatmap.shape
    x, y = centre
    columns = np.arange(max(0, x - radius), min(width, x + radius + 1))
    rows = np.arange(max(0, y - radius), min(height, y + radius + 1))
    squares = (rows[:, None] - y) ** 2 + (columns - x) ** 2
    part = heatmap[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    np.maximum(part, np.exp(-squares / (2 * sigma**2)), out=part, casting='same_kind')
