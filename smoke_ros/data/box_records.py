"""Boxes as JSON objects, as ``smoke-ros detect --json`` and the records of a replay hold them.

Coordinates are those of :mod:`smoke_ros.structures`: ``location`` is the geometric centre in the
camera's optical frame. ``alpha`` of a detection is there for readers; it follows from the box.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from smoke_ros.data.kitti import KittiObject
from smoke_ros.structures import DIMENSION_ORDER, Box3D, Detection3D


def detection_record(detection: Detection3D) -> dict[str, Any]:
    """Return a detection as what json.dumps takes."""
    record = {
        'class': detection.class_name,
        'score': detection.score,
        **_box_record(detection),
        'alpha': detection.alpha,
        'bbox': list(detection.bbox_xyxy_px),
    }
    if detection.depth_error is not None:
        record['depth_error'] = detection.depth_error
    return record


def detection_from_record(record: Mapping[str, Any]) -> Detection3D:
    """Return the detection of a record; KeyError, TypeError or ValueError if it is not one."""
    depth_error = record.get('depth_error')
    return Detection3D(
        depth_error=None if depth_error is None else float(depth_error),
        class_name=str(record['class']),
        score=float(record['score']),
        bbox_xyxy_px=_numbers(record['bbox'], 4),
        **_box_fields(record),
    )


def object_record(item: KittiObject) -> dict[str, Any]:
    """Return a labelled object as what json.dumps takes."""
    record = {
        'class': item.class_name,
        **_box_record(item),
        'alpha': item.observation_angle,
        'bbox': list(item.bbox_xyxy_px),
        'truncation': item.truncation,
        'occlusion': item.occlusion,
    }
    if item.score is not None:
        record['score'] = item.score
    return record


def object_from_record(record: Mapping[str, Any]) -> KittiObject:
    """Return the labelled object of a record; what is not known of it may be left out.

    Without ``alpha`` it follows from the box; truncation and occlusion are then -1, unknown.
    """
    fields = _box_fields(record)
    alpha = record['alpha'] if 'alpha' in record else Box3D(**fields).alpha
    score = record.get('score')
    return KittiObject(
        class_name=str(record['class']),
        truncation=float(record.get('truncation', -1.0)),
        occlusion=int(record.get('occlusion', -1)),
        observation_angle=float(alpha),
        bbox_xyxy_px=_numbers(record['bbox'], 4),
        score=None if score is None else float(score),
        **fields,
    )


def _box_record(box: Box3D) -> dict[str, Any]:
    return {
        'location': list(box.location),
        'dimensions': dict(zip(DIMENSION_ORDER, box.dimensions, strict=True)),
        'rotation_y': box.rotation_y,
    }


def _box_fields(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        'location': _numbers(record['location'], 3),
        'dimensions': tuple(float(record['dimensions'][name]) for name in DIMENSION_ORDER),
        'rotation_y': float(record['rotation_y']),
    }


def _numbers(values: Any, count: int) -> Any:
    if len(values) != count:
        raise ValueError(f'expected {count} numbers, got {values!r}')
    return tuple(float(value) for value in values)
