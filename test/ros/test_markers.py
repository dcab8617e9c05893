import dataclasses

import numpy as np
import pytest

pytest.importorskip('visualization_msgs')

from std_msgs.msg import Header
from visualization_msgs.msg import Marker

from smoke_ros.colours import class_colour
from smoke_ros.data.kitti import KittiObject, dont_care
from smoke_ros.ros.markers import (
    NAMESPACES,
    delete_all,
    detections_to_markers,
    objects_to_markers,
)
from smoke_ros.ros.messages import pose_from_box
from smoke_ros.structures import Detection3D

AWAY = -np.pi / 2
CAR = Detection3D((2.0, 1.0, 30.0), (4.0, 1.5, 1.8), AWAY, 'Car', 0.875, (0.0, 0.0, 9.0, 9.0))
OTHER = Detection3D((1.0, 1.0, 9.0), (0.8, 1.7, 0.6), 0.0, 'Moose', 0.5, (0.0, 0.0, 9.0, 9.0))
HEADER = Header(frame_id='camera_optical')


def markers_of(detections, shown=0, lifetime=2.3):
    return detections_to_markers(detections, HEADER, shown, lifetime).markers


def test_one_of_each_kind():
    box, wireframe, heading, label = markers_of([CAR])
    assert [m.ns for m in (box, wireframe, heading, label)] == list(NAMESPACES)
    types = [Marker.CUBE, Marker.LINE_LIST, Marker.ARROW, Marker.TEXT_VIEW_FACING]
    assert [m.type for m in (box, wireframe, heading, label)] == types
    assert (box.scale.x, box.scale.y, box.scale.z) == (4.0, 1.8, 1.5)
    assert 0.0 < box.color.a < 1.0
    assert wireframe.color.a == heading.color.a == label.color.a == 1.0
    assert (label.text, label.scale.z > 0) == ('Car 0.88  30 m', True)
    assert label.pose.position.y < 1.0 - 0.75  # above the roof, where y points down
    assert box.pose == wireframe.pose == heading.pose == pose_from_box(CAR)
    assert heading.scale.x == 4.0
    for marker in (box, wireframe, heading, label):
        assert marker.action == Marker.ADD
        assert (marker.header, marker.id) == (HEADER, 0)
        assert (marker.lifetime.sec, marker.lifetime.nanosec) == (2, 300_000_000)
        colour = (marker.color.r, marker.color.g, marker.color.b)
        assert colour == pytest.approx(class_colour('Car'))


def test_wireframe_has_the_twelve_edges():
    points = [(p.x, p.y, p.z) for p in markers_of([CAR])[1].points]
    assert len(points) == 24
    assert set(np.abs(points).ravel().round(9)) == {2.0, 0.9, 0.75}
    lengths = [np.abs(np.subtract(a, b)) for a, b in zip(points[::2], points[1::2], strict=True)]
    assert sorted(length.sum() for length in lengths) == pytest.approx(
        [1.5] * 4 + [1.8] * 4 + [4.0] * 4
    )
    assert all(np.count_nonzero(length) == 1 for length in lengths)


def test_numbers_do_not_repeat():
    names = [(m.ns, m.id) for m in markers_of([CAR, OTHER, CAR])]
    assert len(set(names)) == len(names) == 12


def test_a_class_nobody_knows_has_a_colour():
    assert markers_of([OTHER])[0].color != markers_of([CAR])[0].color


def test_left_over_markers_are_deleted():
    deleted = [m for m in markers_of([CAR], shown=3) if m.action == Marker.DELETE]
    assert {(m.ns, m.id) for m in deleted} == {(ns, n) for ns in NAMESPACES for n in (1, 2)}
    assert all(m.header == HEADER for m in deleted)


def test_an_empty_list_clears_the_view():
    markers = markers_of([], shown=2)
    assert len(markers) == 8
    assert {m.action for m in markers} == {Marker.DELETE}
    assert markers_of([], shown=0) == []


def label(class_name, location):
    return KittiObject(
        location, (4.0, 1.5, 1.8), AWAY, class_name, 0.0, 0, AWAY, (0.0, 0.0, 9.0, 9.0)
    )


def test_ground_truth_is_one_marker_of_white_edges():
    region = dont_care((0.0, 0.0, 9.0, 9.0))
    flat = dataclasses.replace(region, class_name='Car')  # labelled in the image only
    objects = [label('Car', (2.0, 1.0, 30.0)), region, flat]
    (marker,) = objects_to_markers(objects, HEADER, 1.5).markers
    assert (marker.type, marker.action) == (Marker.LINE_LIST, Marker.ADD)
    assert (marker.color.r, marker.color.g, marker.color.b, marker.color.a) == (1, 1, 1, 1)
    points = np.array([(point.x, point.y, point.z) for point in marker.points])
    assert points.shape == (24, 3)
    # It drives away: its length is along z.
    np.testing.assert_allclose(points.min(axis=0), [2 - 0.9, 1 - 0.75, 30 - 2], atol=1e-9)
    np.testing.assert_allclose(points.max(axis=0), [2 + 0.9, 1 + 0.75, 30 + 2], atol=1e-9)
    lengths = np.linalg.norm(points[::2] - points[1::2], axis=1)
    assert sorted(lengths) == pytest.approx([1.5] * 4 + [1.8] * 4 + [4.0] * 4)


def test_an_image_without_ground_truth_takes_the_last_away():
    markers = [objects_to_markers(objects, HEADER, 0.0).markers[0] for objects in (
        [label('Car', (2.0, 1.0, 30.0))], [dont_care((0.0, 0.0, 9.0, 9.0))],
    )]  # fmt: skip
    assert [marker.action for marker in markers] == [Marker.ADD, Marker.DELETE]
    assert (markers[0].ns, markers[0].id) == (markers[1].ns, markers[1].id)


def test_delete_all():
    (marker,) = delete_all(HEADER).markers
    assert (marker.action, marker.header) == (Marker.DELETEALL, HEADER)
