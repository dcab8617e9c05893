"""Overlaps: hand-computed ones, a slow polygon clipper's, and what must hold for any boxes."""

import math

import numpy as np
import pytest

from smoke_ros import geometry, overlap
from smoke_ros.structures import Box3D


def box(x=0.0, z=10.0, length=4.0, width=2.0, turn=0.0, y=1.0, height=1.5):
    return np.array([x, y, z, length, height, width, turn])


def random_boxes(rng, count):
    return np.column_stack([
        rng.uniform(-2, 2, count), rng.uniform(0, 2, count), rng.uniform(48, 52, count),
        rng.uniform(0.3, 5, count), rng.uniform(0.5, 2, count), rng.uniform(0.3, 3, count),
        rng.uniform(-4, 4, count),
    ])  # fmt: skip


def clipped_area(a, b):
    """Area of two boxes' common polygon from above, by cutting one at each side of the other."""
    polygon = [corner[[0, 2]] for corner in geometry.box_corners(a[:3], a[3:6], a[6])[:4]]
    sides = geometry.box_corners(b[:3], b[3:6], b[6])[:4][:, [0, 2]]
    centre = b[[0, 2]]
    for start, end in zip(sides, np.roll(sides, -1, axis=0), strict=True):
        normal = np.array([end[1] - start[1], start[0] - end[0]])
        normal *= np.sign(normal @ (centre - start))
        inside = [normal @ (point - start) for point in polygon]
        cut = []
        for i, point in enumerate(polygon):
            following = (i + 1) % len(polygon)
            if inside[i] >= 0:
                cut.append(point)
            if inside[i] * inside[following] < 0:
                share = inside[i] / (inside[i] - inside[following])
                cut.append(point + share * (polygon[following] - point))
        polygon = cut
        if not polygon:
            return 0.0
    x, z = np.array(polygon).T
    return 0.5 * abs(x @ np.roll(z, -1) - z @ np.roll(x, -1))


@pytest.mark.parametrize(
    ('a', 'b', 'expected'),
    [
        (box(), box(x=1.0), 6.0),
        (box(), box(turn=math.pi / 2), 4.0),
        (box(), box(x=4.0), 0.0),
        (box(), box(x=9.0), 0.0),
        (box(), box(length=1.0, width=0.5, turn=0.7), 0.5),
        # A square turned by 45 degrees in another of the same size: a regular octagon.
        (box(length=2, width=2), box(length=2, width=2, turn=math.pi / 4), 8 * math.sqrt(2) - 8),
        (box(), box(length=4.0, width=0.0), 0.0),
    ],
)
def test_common_areas_from_above_computed_by_hand(a, b, expected):
    assert overlap.intersection_bev(a, b) == pytest.approx(expected, abs=1e-9)


def test_common_areas_from_above_are_those_of_polygon_clipping():
    rng = np.random.default_rng(1)
    a, b = random_boxes(rng, 400), random_boxes(rng, 400)
    # Parallel sides, shared sides and shared corners are where clipping goes wrong.
    b[:80, 6] = a[:80, 6]
    b[80:160, 6] = a[80:160, 6] + math.pi / 2
    b[160:200] = a[160:200]
    b[200:240] = a[200:240]
    b[200:240, 3] *= 0.5
    expected = [clipped_area(one, other) for one, other in zip(a, b, strict=True)]
    assert np.count_nonzero(expected) > 200
    np.testing.assert_allclose(overlap.intersection_bev(a, b), expected, atol=1e-8)


@pytest.mark.parametrize('angle', [0.0, 0.3, math.pi / 2])
def test_boxes_that_touch_or_share_sides_and_corners(angle):
    rng = np.random.default_rng(5)
    count = 5000
    a, b = (
        np.column_stack([
            rng.integers(-3, 4, (count, 3)), rng.integers(1, 5, (count, 3)), np.zeros(count),
        ]).astype(float)
        for _ in range(2)
    )  # fmt: skip
    low = np.maximum(a[:, :3] - a[:, 3:6] / 2, b[:, :3] - b[:, 3:6] / 2)
    high = np.minimum(a[:, :3] + a[:, 3:6] / 2, b[:, :3] + b[:, 3:6] / 2)
    sides = np.maximum(high - low, 0.0)
    areas = overlap.intersection_bev(moved(a, angle), moved(b, angle))
    np.testing.assert_allclose(areas, sides[:, 0] * sides[:, 2], atol=1e-8)


@pytest.mark.parametrize('function', [overlap.overlap_bev, overlap.overlap_3d])
def test_overlap_is_one_with_itself_symmetric_and_the_same_from_everywhere(function):
    rng = np.random.default_rng(2)
    a, b = random_boxes(rng, 200), random_boxes(rng, 200)
    np.testing.assert_allclose(function(a, a), 1.0, atol=1e-12)
    half_turned = a + np.array([0, 0, 0, 0, 0, 0, math.pi])
    np.testing.assert_allclose(function(a, half_turned), 1.0, atol=1e-9)
    values = function(a, b)
    assert values.min() >= 0.0
    assert values.max() < 1.0
    np.testing.assert_allclose(values, function(b, a), atol=1e-8)
    np.testing.assert_allclose(values, function(moved(a), moved(b)), atol=1e-8)


def moved(boxes, angle=0.8):
    """Turn the world about the camera and shift it."""
    x, z = boxes[:, 0], boxes[:, 2]
    cos, sin = math.cos(angle), math.sin(angle)
    result = boxes + np.array([0, 3, 0, 0, 0, 0, angle])
    result[:, 0], result[:, 2] = cos * x + sin * z - 5, cos * z - sin * x + 7
    return result


def test_overlap_3d_by_counting_random_points():
    a, b = box(turn=0.4), box(x=0.8, z=10.5, y=1.4, height=1.2, turn=-0.3)
    points = np.random.default_rng(3).uniform([-4, -1, 6], [4, 3, 14], (200_000, 3))
    in_a, in_b = inside(points, a), inside(points, b)
    expected = (in_a & in_b).sum() / (in_a | in_b).sum()
    assert 0.2 < expected < 0.8
    assert overlap.overlap_3d(a, b) == pytest.approx(expected, abs=0.01)


def inside(points, row):
    shift = points - row[:3]
    cos, sin = math.cos(row[6]), math.sin(row[6])
    along = cos * shift[:, 0] - sin * shift[:, 2]
    across = sin * shift[:, 0] + cos * shift[:, 2]
    local = np.stack([along, shift[:, 1], across], axis=1)
    return (np.abs(local) <= row[3:6] / 2).all(axis=1)


def test_overlap_3d_computed_by_hand():
    # Half of the length and a third of the height in common.
    a, b = box(height=1.5), box(x=2.0, y=2.0, height=1.5)
    common = 2.0 * 2.0 * 0.5
    assert overlap.overlap_3d(a, b) == pytest.approx(common / (2 * 12.0 - common))
    assert overlap.overlap_3d(a, box(y=3.0)) == 0.0


def test_overlap_2d_computed_by_hand():
    a = np.array([0.0, 0.0, 10.0, 10.0])
    others = np.array(
        [[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 4], [8, 8, 2, 2]]
    )
    expected = [1.0, 50 / 150, 0.0, 0.04, 0.0]
    np.testing.assert_allclose(overlap.overlap_2d(a, others.astype(float)), expected)
    np.testing.assert_allclose(overlap.share_inside_2d(others[1:4] * 1.0, a), [0.5, 0.0, 1.0])


def test_shapes_broadcast_and_may_be_empty():
    rng = np.random.default_rng(4)
    a, b = random_boxes(rng, 5), random_boxes(rng, 3)
    table = overlap.overlap_3d(a[:, None], b[None])
    assert table.shape == (5, 3)
    assert table[4, 2] == pytest.approx(overlap.overlap_3d(a[4], b[2]))
    nothing = np.zeros((0, 7))
    assert overlap.overlap_bev(nothing, nothing).shape == (0,)
    assert overlap.overlap_2d(nothing[:, :4], nothing[:, :4]).shape == (0,)


def test_boxes_as_rows_in_the_order_of_the_columns():
    rows = overlap.box_rows([Box3D((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), 0.5)])
    named = dict(zip(overlap.BOX_COLUMNS, rows[0], strict=True))
    assert (named['x'], named['z'], named['length'], named['width']) == (1.0, 3.0, 4.0, 6.0)
    assert (named['height'], named['rotation_y']) == (5.0, 0.5)
    assert overlap.box_rows([]).shape == (0, 7)


def test_an_overlap_of_exactly_a_half_is_not_above_it():
    """A box in one twice as long, two or three edges in common: KITTI asks for more."""
    label = box()
    for inner in (box(length=2.0), box(x=1.0, length=2.0), box(width=1.0), box(z=10.5, width=1.0)):
        assert overlap.overlap_bev(label, inner) == 0.5
        assert overlap.overlap_3d(label, inner) == 0.5
        assert overlap.overlap_bev(inner, label) == 0.5
