"""Detections and ground truth as RViz markers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from smoke_ros.colours import class_colour
from smoke_ros.data.kitti import KittiObject
from smoke_ros.geometry import BOX_EDGES, CORNER_SIGNS
from smoke_ros.ros.messages import pose_from_box, size_from_box
from smoke_ros.structures import Detection3D

#: The parts of a detection, each a marker in a namespace of its own with the detection's number.
NAMESPACES = ('box', 'wireframe', 'heading', 'label')
#: All ground truth is one marker.
TRUTH_NAMESPACE = 'ground_truth'

BOX_OPACITY = 0.25
LINE_WIDTH_M = 0.05
LABEL_HEIGHT_M = 0.6
WHITE = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)


def detections_to_markers(
    detections: Sequence[Detection3D], header: Header, shown: int, lifetime: float
) -> MarkerArray:
    """Make the markers of one image's detections, and delete those that are left over.

    Parameters
    ----------
    detections
        In the optical frame that ``header`` names.
    header
        The image's stamp and frame_id.
    shown
        How many detections the message before this one had.
    lifetime
        Seconds after which markers that are not renewed disappear; 0 keeps them.
    """
    markers = []
    for number, detection in enumerate(detections):
        markers += [
            _box(detection), _wireframe(detection), _heading(detection), _label(detection),
        ]  # fmt: skip
        for namespace, marker in zip(NAMESPACES, markers[-len(NAMESPACES) :], strict=True):
            marker.ns, marker.id, marker.header = namespace, number, header
            marker.lifetime = _duration(lifetime)
    for number in range(len(detections), shown):
        markers += [
            Marker(header=header, ns=namespace, id=number, action=Marker.DELETE)
            for namespace in NAMESPACES
        ]
    return MarkerArray(markers=markers)


def objects_to_markers(
    objects: Iterable[KittiObject], header: Header, lifetime: float
) -> MarkerArray:
    """Make the marker of one image's ground truth: white edges, without faces or text.

    It replaces the one before it, so that none is left over. What has no 3D box, such as DontCare,
    is not shown.

    Parameters
    ----------
    objects
        In the optical frame that ``header`` names.
    header
        The image's stamp and frame_id.
    lifetime
        Seconds after which a marker that is not renewed disappears; 0 keeps it.
    """
    shown = [item.corners() for item in objects if item.has_dimensions]
    points = [
        Point(x=float(x), y=float(y), z=float(z))
        for corners in shown
        for x, y, z in corners[np.ravel(BOX_EDGES)]
    ]
    marker = Marker(
        header=header,
        ns=TRUTH_NAMESPACE,
        type=Marker.LINE_LIST,
        # RViz refuses a list without lines.
        action=Marker.ADD if points else Marker.DELETE,
        scale=Vector3(x=LINE_WIDTH_M),
        color=WHITE,
        points=points,
        lifetime=_duration(lifetime),
    )
    return MarkerArray(markers=[marker])


def delete_all(header: Header) -> MarkerArray:
    """Make the message that clears the view."""
    return MarkerArray(markers=[Marker(header=header, action=Marker.DELETEALL)])


def _box(detection: Detection3D) -> Marker:
    return Marker(
        type=Marker.CUBE,
        pose=pose_from_box(detection),
        scale=size_from_box(detection),
        color=_colour(detection, BOX_OPACITY),
    )


def _wireframe(detection: Detection3D) -> Marker:
    size = size_from_box(detection)
    # CORNER_SIGNS are of x along the length, y down, z across at rotation_y = 0, where z is to the
    # left of the heading; the box's own axes are forward, left, up.
    corners = [
        Point(x=0.5 * x * size.x, y=0.5 * z * size.y, z=-0.5 * y * size.z)
        for x, y, z in CORNER_SIGNS
    ]
    return Marker(
        type=Marker.LINE_LIST,
        pose=pose_from_box(detection),
        scale=Vector3(x=LINE_WIDTH_M),
        color=_colour(detection, 1.0),
        points=[corners[end] for edge in BOX_EDGES for end in edge],
    )


def _heading(detection: Detection3D) -> Marker:
    """An arrow from the box's centre, ahead of it by half of its length."""
    length = detection.dimensions[0]
    return Marker(
        type=Marker.ARROW,
        pose=pose_from_box(detection),
        scale=Vector3(x=length, y=2.0 * LINE_WIDTH_M, z=4.0 * LINE_WIDTH_M),
        color=_colour(detection, 1.0),
    )


def _label(detection: Detection3D) -> Marker:
    x, y, z = detection.location
    marker = Marker(
        type=Marker.TEXT_VIEW_FACING,
        scale=Vector3(z=LABEL_HEIGHT_M),
        color=_colour(detection, 1.0),
        text=f'{detection.class_name} {detection.score:.2f}  {math.hypot(x, z):.0f} m',
    )
    above = y - 0.5 * detection.dimensions[1] - LABEL_HEIGHT_M  # y points down
    marker.pose.position = Point(x=x, y=above, z=z)
    return marker


def _colour(detection: Detection3D, opacity: float) -> ColorRGBA:
    red, green, blue = class_colour(detection.class_name)
    return ColorRGBA(r=float(red), g=float(green), b=float(blue), a=opacity)


def _duration(seconds: float) -> Duration:
    whole, nanoseconds = divmod(round(seconds * 1e9), 10**9)
    return Duration(sec=whole, nanosec=nanoseconds)
