"""Detections to vision_msgs and back.

A published box has its own axes: x forward (the heading), y left, z up, as REP-103 has it for
bodies; the message's frame is the camera's optical one: x right, y down, z forward. With
``rotation_y`` the columns of the rotation from box to camera are::

    forward (cos, 0, -sin)    left (sin, 0, cos)    up (0, -1, 0)

which is a quarter turn about x followed by ``rotation_y`` about y.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from std_msgs.msg import Header
from vision_msgs.msg import (
    Detection3D as Detection3DMessage,
)
from vision_msgs.msg import (
    Detection3DArray,
    LabelInfo,
    ObjectHypothesisWithPose,
    VisionClass,
    VisionInfo,
)

from smoke_ros.geometry import projected_extent, wrap_angle
from smoke_ros.structures import Box3D, CameraModel, Detection3D, FloatArray

#: VisionInfo.method: what makes the detections.
METHOD = 'SMOKE: single-stage monocular 3D object detection'


def quaternion_from_rotation_y(rotation_y: float) -> Quaternion:
    """Return the rotation that turns a box's own axes into the optical frame."""
    cos, sin = math.sqrt(0.5) * math.cos(rotation_y / 2), math.sqrt(0.5) * math.sin(rotation_y / 2)
    return Quaternion(x=cos, y=sin, z=-sin, w=cos)


def rotation_y_from_quaternion(quaternion: Quaternion) -> float:
    """Invert :func:`quaternion_from_rotation_y`; in [-pi, pi).

    Of a box that is not upright, the heading of its x axis over the ground is taken. Other
    programs' quaternions need not be of length 1.
    """
    x, y, z, w = quaternion.x, quaternion.y, quaternion.z, quaternion.w
    forward_x = w * w + x * x - y * y - z * z
    forward_z = 2.0 * (x * z - w * y)
    return float(wrap_angle(math.atan2(-forward_z, forward_x)))


def pose_from_box(box: Box3D) -> Pose:
    """Return where a box's centre is and how its own axes are turned."""
    x, y, z = box.location
    return Pose(
        position=Point(x=x, y=y, z=z), orientation=quaternion_from_rotation_y(box.rotation_y)
    )


def size_from_box(box: Box3D) -> Vector3:
    """Return a box's extent along its own axes: length, width, height."""
    length, height, width = box.dimensions
    return Vector3(x=length, y=width, z=height)


def detections_to_message(
    detections: Sequence[Detection3D],
    header: Header,
    covariance: Callable[[Detection3D], FloatArray],
) -> Detection3DArray:
    """Make the message of one image's detections.

    Parameters
    ----------
    detections
        In the optical frame that ``header`` names.
    header
        The image's stamp and frame_id.
    covariance
        Gives the (6, 6) covariance of a detection's pose.
    """
    messages = [_detection_to_message(item, header, covariance(item)) for item in detections]
    return Detection3DArray(header=header, detections=messages)


def _detection_to_message(
    detection: Detection3D, header: Header, covariance: FloatArray
) -> Detection3DMessage:
    message = Detection3DMessage(header=header)
    message.bbox.center = pose_from_box(detection)
    message.bbox.size = size_from_box(detection)
    result = ObjectHypothesisWithPose()
    result.hypothesis.class_id = detection.class_name
    result.hypothesis.score = detection.score
    result.pose.pose = message.bbox.center
    result.pose.covariance = covariance.ravel()
    message.results = [result]
    return message


def message_to_detections(message: Detection3DArray) -> list[Detection3D]:
    """Invert :func:`detections_to_message`.

    The extents in the image, which it lacks, are zero: see :func:`with_image_box`.

    Raises
    ------
    ValueError
        If a detection has no result, and so no class.
    """
    return [_message_to_detection(item, n) for n, item in enumerate(message.detections)]


def with_image_box(detection: Detection3D, camera: CameraModel) -> Detection3D:
    """Work out a detection's extent in its image; one wholly behind the camera keeps its own."""
    extent = projected_extent(camera.K, detection.corners(), camera.projection_offset)
    if extent is None:
        return detection
    return dataclasses.replace(detection, bbox_xyxy_px=camera.clip_to_image(extent))


def _message_to_detection(message: Detection3DMessage, number: int) -> Detection3D:
    if not message.results:
        raise ValueError(f'detection {number} has no results, expected its class and score')
    hypothesis = message.results[0].hypothesis
    centre, size = message.bbox.center, message.bbox.size
    return Detection3D(
        location=(centre.position.x, centre.position.y, centre.position.z),
        dimensions=(size.x, size.z, size.y),
        rotation_y=rotation_y_from_quaternion(centre.orientation),
        class_name=hypothesis.class_id,
        score=hypothesis.score,
        bbox_xyxy_px=(0.0, 0.0, 0.0, 0.0),
    )


def vision_info(header: Header, label_topic: str) -> VisionInfo:
    """Say what makes the detections, and on which topic their classes are listed."""
    return VisionInfo(header=header, method=METHOD, database_location=label_topic)


def label_info(header: Header, classes: Sequence[str], threshold: float) -> LabelInfo:
    """List the classes of a model, and the lowest score with which one is published.

    All are listed, also those that the node leaves out, so that each keeps its number.
    """
    entries = [VisionClass(class_id=n, class_name=name) for n, name in enumerate(classes)]
    return LabelInfo(header=header, class_map=entries, threshold=threshold)
