import dataclasses
import math

import pytest

from smoke_ros.evaluation import EvaluationConfig, evaluate_frames

CARS = EvaluationConfig(
    classes=('Car',), overlaps=(0.7,), devkit_overlaps=(0.5,), false_box_rates=(0.25,)
)
#: An x at which no object's box is.
ELSEWHERE = 15.0


def points_of(truth, detections, **changes):
    config = dataclasses.replace(CARS, **changes)
    return evaluate_frames(truth, detections, config).classes[0].working_points


@pytest.fixture
def four_frames(make_object):
    """A car a frame, found with scores 0.9, 0.5, 0.3, 0.1; three boxes of nothing."""
    truth = [[make_object()] for _ in range(4)]
    detections = [[make_object(score=score, z=21.0)] for score in (0.9, 0.5, 0.3, 0.1)]
    for frame, score in ((0, 0.6), (1, 0.4), (2, 0.2)):
        detections[frame].append(make_object(x=ELSEWHERE, score=score))
    return truth, detections


def test_rates_by_hand(four_frames):
    points = points_of(*four_frames, false_box_rates=(0.0, 0.25, 0.5, 10.0))
    found = [(p.score_threshold, p.false_boxes, p.recall.found) for p in points]
    # A quarter a frame in four frames is one box: all above the second surest, 0.4.
    assert found == [(0.9, 0, 1), (0.5, 1, 2), (0.3, 2, 3), (0.1, 3, 4)]
    assert all(p.recall.objects == 4 for p in points)
    assert points[1].clear_depth.median_relative == pytest.approx(0.05)


def test_a_rate_counts_frames_without_objects(four_frames, make_object):
    truth, detections = four_frames
    empty = [[]] * 4
    (point,) = points_of(truth + empty, detections + empty)
    assert (point.score_threshold, point.false_boxes) == (0.3, 2)


def test_clear_is_in_full_view_and_near(make_object):
    clear = {'z': 40.0, 'truncation': 0.15}
    others = [{'z': 40.1}, {'occlusion': 1}, {'occlusion': -1}, {'truncation': 0.16}]
    truth = [[make_object(**changes)] for changes in (clear, *others)]
    detections = [[make_object(score=0.9, z=frame[0].location[2])] for frame in truth]
    (point,) = points_of(truth, detections)
    assert (point.recall.found, point.clear_recall.objects, point.clear_recall.found) == (5, 1, 1)
    assert point.clear_depth.count == point.clear_heading.count == 1
    (point,) = points_of(truth, detections, clear_distance_m=50.0)
    assert point.clear_recall.objects == 2


def test_excused_boxes_are_not_false(make_object):
    van = make_object('Van', x=ELSEWHERE)
    truth = [[make_object(), van]]
    detections = [[make_object(score=0.3), make_object(x=ELSEWHERE, score=0.9)]]
    (point,) = points_of(truth, detections, false_box_rates=(0.0,))
    assert (point.score_threshold, point.false_boxes, point.recall.found) == (0.3, 0, 1)


@pytest.mark.parametrize('has_boxes', [True, False])
def test_without_a_threshold_nothing_is_found(make_object, has_boxes):
    truth = [[make_object()]]
    false_before_right = [make_object(x=ELSEWHERE, score=0.9), make_object(score=0.8)]
    (point,) = points_of(truth, [false_before_right * has_boxes], false_box_rates=(0.5,))
    assert (point.score_threshold, point.recall.found, point.false_boxes) == (None, 0, 0)
    assert point.clear_depth.median_relative is None


def test_a_rate_must_be_one():
    with pytest.raises(ValueError, match='false_box_rates must be rates'):
        EvaluationConfig(false_box_rates=(-0.1,))


def test_headings_of_a_working_point(make_object):
    truth = [[make_object(rotation_y=1.0)], [make_object(rotation_y=1.0)]]
    turns = (math.radians(5), math.radians(20))
    detections = [[make_object(score=0.9, rotation_y=1.0 + turn)] for turn in turns]
    (point,) = points_of(truth, detections)
    assert point.clear_heading.median_deg == pytest.approx(12.5)
    assert point.clear_heading.share_good == 0.5
