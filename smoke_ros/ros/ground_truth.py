"""Labelled objects as vision_msgs/Detection3DArray, and back.

A Detection3D has no field for what KITTI's labels say beside the box, and KITTI's evaluation asks
for: its ``id`` has it, as ``truncation=0.00 occlusion=1 bbox=712.40,143.00,810.73,307.92``. Of
messages from elsewhere the 2D box and the truncation are worked out from the 3D box. A region that
is not labelled (DontCare), or an object whose 3D box is unknown, is a detection of size 0 with its
2D box in the ``id``. That box is in the pixels of the image as it was taken, labels are in those
of the undistorted one, as detections are.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

import numpy as np
from std_msgs.msg import Header
from vision_msgs.msg import Detection3D as Detection3DMessage
from vision_msgs.msg import Detection3DArray, ObjectHypothesisWithPose

from smoke_ros.data.kitti import DONT_CARE, KittiObject, dont_care
from smoke_ros.geometry import projected_extent
from smoke_ros.overlap import share_inside_2d
from smoke_ros.preprocess import undistort_bbox
from smoke_ros.ros.messages import message_to_detections, pose_from_box, size_from_box
from smoke_ros.structures import Box3D, CameraModel, Detection3D, FloatArray

_NUMBER = r'-?\d+(?:\.\d+)?'
_ID = re.compile(
    rf'truncation=(?P<truncation>{_NUMBER}) occlusion=(?P<occlusion>-?\d+) '
    rf'bbox=(?P<bbox>{_NUMBER}(?:,{_NUMBER}){{3}})'
)


def objects_to_message(objects: Iterable[KittiObject], header: Header) -> Detection3DArray:
    """Make the message of one image's labels, in the optical frame that ``header`` names."""
    return Detection3DArray(
        header=header, detections=[_object_to_message(item, header) for item in objects]
    )


def _object_to_message(item: KittiObject, header: Header) -> Detection3DMessage:
    bbox = ','.join(f'{value:.2f}' for value in item.bbox_xyxy_px)
    message = Detection3DMessage(header=header)
    message.id = f'truncation={item.truncation:.2f} occlusion={item.occlusion} bbox={bbox}'
    if item.has_dimensions:
        box = Box3D(item.location, item.dimensions, item.rotation_y)
        message.bbox.center, message.bbox.size = pose_from_box(box), size_from_box(box)
    result = ObjectHypothesisWithPose()
    result.hypothesis.class_id, result.hypothesis.score = item.class_name, 1.0
    result.pose.pose = message.bbox.center
    message.results = [result]
    return message


def message_to_objects(message: Detection3DArray, camera: CameraModel) -> list[KittiObject]:
    """Return the labels of a message; see the module on what it may lack.

    What lies wholly outside the undistorted image, or behind the camera, is left out.

    Raises
    ------
    ValueError
        If an object has no class.
    """
    boxes = message_to_detections(message)
    pairs = zip(boxes, message.detections, strict=True)
    objects = [_to_object(box, entry.id, camera) for box, entry in pairs]
    return [item for item in objects if item is not None]


def _to_object(box: Detection3D, text: str, camera: CameraModel) -> KittiObject | None:
    if not box.class_name.strip():
        raise ValueError('an object of the ground truth has no class: its class_id is empty')
    values = (*box.location, *box.dimensions, box.rotation_y)
    if not np.isfinite(values).all():
        raise ValueError(
            f'a {box.class_name} of the ground truth must have finite numbers, got location '
            f'{box.location}, dimensions {box.dimensions}, rotation {box.rotation_y}'
        )
    match = _ID.fullmatch(text)
    if match is None:
        return _projected(box, camera)
    x1, y1, x2, y2 = (float(value) for value in match['bbox'].split(','))
    item = dont_care((x1, y1, x2, y2))
    if box.class_name != DONT_CARE:
        item = dataclasses.replace(
            item, class_name=box.class_name, truncation=float(match['truncation']),
            occlusion=int(match['occlusion']),
        )  # fmt: skip
        if min(box.dimensions) > 0.0:
            item = dataclasses.replace(
                item, location=box.location, dimensions=box.dimensions,
                rotation_y=box.rotation_y, observation_angle=box.alpha,
            )  # fmt: skip
    return _undistorted(item, camera)


def _undistorted(item: KittiObject, camera: CameraModel) -> KittiObject | None:
    """Return an object as the undistorted image shows it; None where that does not."""
    if not camera.has_distortion or not item.has_bbox:
        return item
    extent = undistort_bbox(camera, item.bbox_xyxy_px)
    shown = _share_inside(extent, camera)
    if not shown > 0.0:
        return None
    inside = camera.clip_to_image(extent)
    truncation = item.truncation
    if truncation >= 0.0:  # what the border cuts now was there before
        truncation = 1.0 - (1.0 - item.part_truncated) * shown
    return dataclasses.replace(item, bbox_xyxy_px=inside, truncation=truncation)


def _share_inside(extent: FloatArray, camera: CameraModel) -> float:
    """Return which part of a 2D box's area lies within the image."""
    return float(share_inside_2d(extent, np.array([0.0, 0.0, camera.width, camera.height])))


def _projected(box: Detection3D, camera: CameraModel) -> KittiObject | None:
    """Return an object whose 2D box is that of its 3D box; None where it is out of sight."""
    extent = projected_extent(camera.K, box.corners(), camera.projection_offset)
    if extent is None:
        return None
    shown = _share_inside(extent, camera)
    if not shown > 0.0:
        return None
    return KittiObject(
        location=box.location,
        dimensions=box.dimensions,
        rotation_y=box.rotation_y,
        class_name=box.class_name,
        truncation=1.0 - shown,
        occlusion=-1,
        observation_angle=box.alpha,
        bbox_xyxy_px=camera.clip_to_image(extent),
    )
