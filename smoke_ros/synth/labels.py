"""KITTI's labels of a rendered scene, from what the picture shows of each object.

* A 2D box is the extent of the object's visible pixels, x1, y1, x2, y2 at pixel centres.
* Truncation is the part of its outline's area that lies outside the image.
* Occlusion is 0, 1, 2 or 3 for at least 90%, 50%, 15% or less visible of what is inside it.
* What is too small, too hidden, too far or too close to judge becomes a DontCare region.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from smoke_ros.config.synth import SynthConfig
from smoke_ros.data.kitti import KittiObject, dont_care
from smoke_ros.structures import Box3D
from smoke_ros.synth.actors import Actor
from smoke_ros.synth.scene import BACKGROUND, Viewpoint

#: Smallest visible part for occlusion 0, 1 and 2.
VISIBLE_SHARES = (0.9, 0.5, 0.15)
#: Depth of a box's centre below which its projection says nothing of it, metres.
NEAREST_M = 1.0
#: So few pixels are no region to ignore.
SPECK_PX = 6


class Extent(Protocol):
    """Of one object alone, as the renderer measures it, in pixels."""

    @property
    def area_px(self) -> float:
        """Its outline's area, as if the image had no border."""

    @property
    def inside_px(self) -> float:
        """The part of that inside the image."""


@dataclass(frozen=True)
class Visible:
    """What the picture shows of one object."""

    pixels: int
    bbox_xyxy_px: tuple[float, float, float, float]


def find_visible(ids: npt.NDArray[np.int32]) -> dict[int, Visible]:
    """Return extent and number of the pixels of each object in an id image (H, W)."""
    height, width = ids.shape
    places = np.flatnonzero(ids != BACKGROUND)
    found = ids.ravel()[places]
    rows, columns = np.divmod(places, width)
    pixels = np.bincount(found)
    in_columns, in_rows = (np.zeros((len(pixels), size), bool) for size in (width, height))
    in_columns[found, columns] = True
    in_rows[found, rows] = True
    visible = {}
    for object_id in np.flatnonzero(pixels).tolist():
        x, y = (np.flatnonzero(each[object_id]).tolist() for each in (in_columns, in_rows))
        box = float(x[0]), float(y[0]), float(x[-1]), float(y[-1])
        visible[object_id] = Visible(int(pixels[object_id]), box)
    return visible


def box_in_camera(actor: Actor, view: Viewpoint, time_s: float = 0.0) -> Box3D:
    """Return an object's box in the camera's frame: upright there, its bottom centre exact."""
    x, y, z, yaw = actor.motion.pose(time_s)
    rotation, translation = view.camera_from_world[:3, :3], view.camera_from_world[:3, 3]
    bottom = rotation @ (x, y, z) + translation
    ahead = rotation @ (math.cos(yaw), math.sin(yaw), 0.0)
    dimensions = actor.dimensions
    centre = bottom - np.array([0.0, dimensions[1] / 2, 0.0])
    # A box of heading r looks along (cos r, 0, -sin r).
    return Box3D(
        (float(centre[0]), float(centre[1]), float(centre[2])),
        dimensions,
        math.atan2(-ahead[2], ahead[0]),
    )


def label(
    actors: Sequence[Actor], view: Viewpoint, visible: Mapping[int, Visible],
    extents: Mapping[int, Extent], config: SynthConfig, image_height: int, time_s: float = 0.0,
) -> list[KittiObject]:  # fmt: skip
    """Return the labels of what is visible, near ones first, then the DontCare regions.

    Parameters
    ----------
    actors
        Everything with an object id.
    view
        The camera.
    visible
        By object id, as found in the id image.
    extents
        By object id, of at least those that are visible.
    config
        What can be judged.
    image_height
        The picture's, in pixels; with a lens the view's is another.
    time_s
        When.
    """
    labels, regions = [], []
    for actor in actors:
        seen = visible.get(actor.object_id)
        if actor.object_id == BACKGROUND or seen is None:
            continue
        extent = extents[actor.object_id]
        share = seen.pixels / max(extent.inside_px, seen.pixels)
        box = box_in_camera(actor, view, time_s)
        if can_be_judged(box, seen, share, image_height, config):
            truncation = min(1.0, max(0.0, 1.0 - extent.inside_px / max(extent.area_px, 1.0)))
            labels.append(_object(box, actor.model.class_name, truncation, share, seen))
        elif seen.pixels >= SPECK_PX:
            regions.append(dont_care(seen.bbox_xyxy_px))
    labels.sort(key=lambda item: item.location[2])
    return labels + regions


def can_be_judged(
    box: Box3D, seen: Visible, share: float, image_height: int, config: SynthConfig
) -> bool:
    """Whether enough of an object is visible to tell what and where it is."""
    _, top, _, bottom = seen.bbox_xyxy_px
    return (
        bottom - top + 1.0 >= config.smallest_visible_height * image_height
        and share >= config.smallest_visible_share
        and NEAREST_M <= box.location[2] <= config.farthest_label
    )


def occlusion_level(visible_share: float) -> int:
    """Return KITTI's level, 0 (fully visible) to 3, of a visible share."""
    return sum(visible_share < share for share in VISIBLE_SHARES)


def _object(
    box: Box3D, class_name: str, truncation: float, share: float, seen: Visible
) -> KittiObject:
    return KittiObject(
        box.location, box.dimensions, box.rotation_y, class_name, truncation,
        occlusion_level(share), box.alpha, seen.bbox_xyxy_px,
    )  # fmt: skip
