import numpy as np
import pytest

from smoke_ros import overlap
from smoke_ros.evaluation import table
from smoke_ros.evaluation.table import ObjectTable, overlapping_pairs, share_in_dont_care


@pytest.mark.parametrize('pairs_at_a_time', [1, 7, 1000])
def test_pairs_are_those_that_overlap_within_a_frame(make_object, monkeypatch, pairs_at_a_time):
    monkeypatch.setattr(table, 'PAIRS_AT_A_TIME', pairs_at_a_time)
    rng = np.random.default_rng(0)
    frames = [[make_object(x=rng.uniform(-6, 6)) for _ in range(n)] for n in (3, 0, 5, 4)]
    others = [[make_object(x=rng.uniform(-6, 6)) for _ in range(n)] for n in (2, 3, 0, 6)]
    truth, detections = ObjectTable.from_frames(frames), ObjectTable.from_frames(others)
    pairs = overlapping_pairs(truth, detections)
    together = truth.frame[:, None] == detections.frame
    image = overlap.overlap_2d(truth.bbox[:, None], detections.bbox) * together
    above = overlap.overlap_bev(truth.boxes[:, None], detections.boxes) * together
    expected = np.argwhere((image > 0) | (above > 0))
    np.testing.assert_array_equal(np.column_stack([pairs.truth, pairs.detection]), expected)
    np.testing.assert_allclose(pairs.overlap_2d, image[tuple(expected.T)])
    np.testing.assert_allclose(pairs.overlap_bev, above[tuple(expected.T)])


def test_share_in_dont_care_is_that_of_the_best_region(make_object):
    region = make_object('DontCare', bbox_xyxy_px=(0.0, 0.0, 50.0, 100.0))
    corner = make_object('dontcare', bbox_xyxy_px=(0.0, 0.0, 10.0, 10.0))
    car = make_object(bbox_xyxy_px=(0.0, 0.0, 100.0, 100.0))
    truth = ObjectTable.from_frames([[region, corner], []])
    detections = ObjectTable.from_frames([[car], [car]])
    np.testing.assert_allclose(share_in_dont_care(truth, detections), [0.5, 0.0])
    assert len(overlapping_pairs(truth, detections).truth) == 0


def test_columns_of_no_objects():
    nothing = ObjectTable.from_frames([[], []])
    assert (len(nothing), nothing.boxes.shape, nothing.bbox.shape) == (0, (0, 7), (0, 4))
    assert not nothing.of_classes(['Car']).any()
    assert len(overlapping_pairs(nothing, nothing).overlap_3d) == 0


def test_joined_tables_are_those_of_all_frames(make_object):
    frames = [[make_object(x=1.0)], [], [make_object(x=2.0), make_object('Van', x=3.0)], []]
    parts = [ObjectTable.from_frames(frames[:2]), ObjectTable.from_frames(frames[2:])]
    joined, whole = ObjectTable.joined(parts, [2, 2]), ObjectTable.from_frames(frames)
    for column in ('frame', 'class_name', 'boxes', 'bbox', 'score', 'occlusion'):
        np.testing.assert_array_equal(getattr(joined, column), getattr(whole, column))
    vans = joined.where(joined.of_classes(['van']))
    assert (vans.frame.tolist(), vans.boxes[:, 0].tolist()) == ([2], [3.0])
    assert len(ObjectTable.joined([], [])) == 0
