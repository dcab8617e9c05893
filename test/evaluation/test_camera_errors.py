import dataclasses
import math

import pytest

from smoke_ros.evaluation import EvaluationConfig, evaluate_frames

CARS = EvaluationConfig(classes=('Car',), overlaps=(0.7,), devkit_overlaps=(0.5,))


def errors_of(truth, detections, config=CARS):
    return evaluate_frames(truth, detections, config).classes[0].errors


def at_depths(make_object, depths, **changes):
    """One object a frame, all in the same place of the image."""
    return [[make_object(z=z, **changes)] for z in depths]


def test_depth_errors_by_hand(make_object):
    truth = at_depths(make_object, [8.0, 12.0, 16.0, 18.0, 35.0])
    detections = at_depths(make_object, [9.0, 11.0, 18.0, 18.5, 28.0], score=0.9)
    errors = errors_of(truth, detections)
    assert (errors.depth.count, errors.depth.high_m) == (5, None)
    assert errors.depth.mean_abs_m == pytest.approx(11.5 / 5)
    assert errors.depth.median_abs_m == pytest.approx(1.0)
    assert errors.depth.bias_m == pytest.approx((1 - 1 + 2 + 0.5 - 7) / 5)
    # The fourth and fifth of five are 2 and 7; nine tenths of the way lies 0.6 between them.
    assert errors.depth.p90_abs_m == pytest.approx(2 + 0.6 * 5)
    relative = [1 / 8, 1 / 12, 1 / 8, 0.5 / 18, 0.2]
    assert errors.depth.mean_relative == pytest.approx(sum(relative) / 5)
    assert errors.depth.median_relative == pytest.approx(1 / 8)
    bias = (1 / 8 - 1 / 12 + 1 / 8 + 0.5 / 18 - 0.2) / 5
    assert errors.depth.bias_relative == pytest.approx(bias)
    bins = errors.depth_by_distance
    assert [(b.low_m, b.high_m, b.count) for b in bins] == [
        (0.0, 10.0, 1), (10.0, 20.0, 3), (20.0, 30.0, 0), (30.0, 40.0, 1),
    ]  # fmt: skip
    assert bins[1].bias_m == pytest.approx(0.5)
    assert bins[2].mean_abs_m is None
    assert [r.of for r in errors.recall_by_distance][:2] == ['0 to 10 m', '10 to 20 m']


def test_a_wrong_depth_is_still_a_match_but_a_wrong_place_in_the_image_is_not(make_object):
    truth = [[make_object(z=20.0)], [make_object(z=20.0)]]
    detections = [[make_object(z=60.0, score=0.9)], [make_object(x=5.0, z=20.0, score=0.9)]]
    errors = errors_of(truth, detections)
    assert (errors.recall.found, errors.false_boxes) == (1, 1)
    assert errors.depth.bias_m == pytest.approx(40.0)


def test_heading_errors_by_hand(make_object):
    turns = [5, -9.9, 10.1, 178, 360 - 4]
    truth = at_depths(make_object, [20.0] * 5, rotation_y=3.0)
    detections = [[make_object(score=0.9, rotation_y=3.0 + math.radians(turn))] for turn in turns]
    heading = errors_of(truth, detections).heading
    assert heading.count == 5
    assert heading.median_deg == pytest.approx(9.9)
    assert heading.p90_deg == pytest.approx(10.1 + 0.6 * (178 - 10.1))
    assert heading.share_flipped == pytest.approx(0.2)
    assert heading.share_good == pytest.approx(0.6)


def test_size_errors_by_hand(make_object):
    truth = at_depths(make_object, [20.0, 20.0])
    detections = [
        [make_object(score=0.9, dimensions=(4.4, 1.5, 1.2))],
        [make_object(score=0.9, dimensions=(3.8, 1.5, 1.6))],
    ]
    length, height, width = errors_of(truth, detections).size
    assert (length.dimension, height.dimension, width.dimension) == ('length', 'height', 'width')
    assert length.mean_abs_m == pytest.approx(0.3)
    assert length.bias_m == pytest.approx(0.1)
    assert height.mean_abs_m == 0.0
    assert width.mean_relative == pytest.approx(0.125)


def test_recall_by_occlusion_and_truncation_with_counts(make_object):
    levels = [(0, 0.0), (0, 0.2), (2, 0.15), (3, 0.9), (-1, -1.0)]
    truth = [[make_object(occlusion=o, truncation=t)] for o, t in levels]
    detections = [[make_object(score=0.9)], [], [make_object(score=0.9)], [], []]
    errors = errors_of(truth, detections)
    occlusion = {r.of: (r.objects, r.found) for r in errors.recall_by_occlusion}
    assert occlusion == {
        '0 fully visible': (2, 1), '1 partly occluded': (0, 0), '2 largely occluded': (1, 1),
        '3 unknown': (1, 0), 'not given': (1, 0),
    }  # fmt: skip
    truncation = {r.of: (r.objects, r.found) for r in errors.recall_by_truncation}
    assert truncation == {
        'none': (1, 1), '0 to 0.15': (1, 1), '0.15 to 0.3': (1, 0), '0.3 to 0.5': (0, 0),
        '0.5 to 1': (1, 0), 'not given': (1, 0),
    }  # fmt: skip
    empty = next(r for r in errors.recall_by_occlusion if not r.objects)
    assert empty.recall is None


def test_the_surer_detection_gets_the_object_and_its_twin_is_false(make_object):
    truth = [[make_object(z=20.0)]]
    detections = [[make_object(z=21.0, score=0.5), make_object(z=25.0, score=0.9)]]
    errors = errors_of(truth, detections)
    assert errors.depth.bias_m == pytest.approx(5.0)
    assert errors.false_boxes == 1


def test_below_the_score_threshold_only_the_calibration_counts(make_object):
    truth = [[make_object()], [make_object()]]
    detections = [[make_object(score=0.24)], [make_object(score=0.25)]]
    errors = errors_of(truth, detections)
    assert (errors.recall.found, errors.recall.objects, errors.false_boxes) == (1, 2, 0)
    assert [(row.count, row.right) for row in errors.calibration][2] == (2, 2)


def test_neighbours_and_dont_care_excuse_but_do_not_hide_a_right_detection(make_object):
    region = make_object('DontCare', bbox_xyxy_px=(0.0, 0.0, 1200.0, 300.0))
    car = make_object(score=0.9)
    truth = [[make_object('Van')], [region], [make_object('Truck')], [region, make_object()]]
    errors = errors_of(truth, [[car]] * 4)
    assert errors.false_boxes == 1
    assert (errors.recall.found, errors.recall.objects) == (1, 1)
    assert sum(row.count for row in errors.calibration) == 2


def test_calibration_by_hand(make_object):
    truth = [[make_object()] for _ in range(4)]
    right = [[make_object(score=0.92)], [make_object(score=0.98)], [make_object(score=0.35)]]
    errors = errors_of(truth, [*right, [make_object(x=5.0, score=0.31)]])
    row = errors.calibration[3]
    assert (row.low, row.high, row.count, row.right) == (0.3, 0.4, 2, 1)
    assert row.mean_score == pytest.approx(0.33)
    assert row.precision == 0.5
    assert errors.calibration_error == pytest.approx((2 * 0.05 + 2 * 0.17) / 4)


def test_no_objects_and_no_detections(make_object):
    errors = errors_of([[]], [[]])
    assert errors.depth_by_distance == errors.recall_by_distance == ()
    assert errors.recall.recall is None
    assert errors.heading.median_deg is None
    assert errors.calibration_error is None


def test_objects_out_of_all_proportion_share_the_last_bin(make_object):
    truth = at_depths(make_object, [5.0, 250.0, 1e9])
    errors = errors_of(truth, at_depths(make_object, [5.0, 250.0, 1e9], score=0.9))
    assert len(errors.depth_by_distance) == 20
    last = errors.depth_by_distance[-1]
    assert (last.low_m, last.high_m, last.count) == (190.0, None, 2)
    assert errors.recall_by_distance[-1].of == '190 m and more'


def test_an_object_beside_the_camera_is_in_the_first_bin(make_object):
    truth, detections = [[make_object(z=-0.4)]], [[make_object(z=0.6, score=0.9)]]
    errors = errors_of(truth, detections)
    assert [b.count for b in errors.depth_by_distance] == [1]
    assert errors.depth.bias_m == pytest.approx(1.0)
    assert errors.depth.mean_relative is None


@pytest.mark.parametrize(('overlap', 'found'), [(0.3, 1), (0.4, 0)])
def test_the_overlap_of_a_match_is_the_configurations(make_object, overlap, found):
    # Boxes of 100 px that are 50 px apart overlap by a third.
    truth, detections = [[make_object()]], [[make_object(x=50 / 30, score=0.9)]]
    config = dataclasses.replace(CARS, match_overlap=overlap)
    assert errors_of(truth, detections, config).recall.found == found


def test_what_is_known_in_the_image_alone_has_no_errors_in_space(make_object):
    """Neither a labelled object nor a detection without a 3D box: both are found."""
    flat = {'location': (-1000.0,) * 3, 'dimensions': (-1.0,) * 3, 'rotation_y': -10.0}
    truth = [[make_object(z=20.0)], [make_object(**flat)], [make_object(z=20.0)]]
    detections = [
        [make_object(z=22.0, score=0.9)],
        [make_object(z=30.0, score=0.9)],
        [make_object(score=0.9, **flat)],
    ]
    (part,) = evaluate_frames(truth, detections, CARS).classes
    errors = part.errors
    assert (errors.recall.objects, errors.recall.found, errors.false_boxes) == (3, 3, 0)
    assert (errors.depth.count, errors.heading.count, errors.size[0].count) == (1, 1, 1)
    assert errors.depth.bias_m == pytest.approx(2.0)
    by_distance = {r.of: (r.objects, r.found) for r in errors.recall_by_distance}
    assert by_distance == {
        '0 to 10 m': (0, 0), '10 to 20 m': (0, 0), '20 to 30 m': (2, 2), 'not given': (1, 1),
    }  # fmt: skip
    point = part.working_points[0]
    assert (point.clear_recall.objects, point.clear_recall.found) == (2, 2)
    assert point.clear_depth.count == 1
