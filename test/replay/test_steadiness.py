"""Flicker and depth jumps, by hand.

At 10 Hz and by default a box at z = 20 m may move 0.1 * 20 + 20 / 10 = 4 m between two frames.
"""

import pytest

from smoke_ros.config.report import ReportConfig
from smoke_ros.replay.steadiness import measure_steadiness


@pytest.fixture
def measure(make_streams, make_frame):
    def run(*boxes_of_frames, **values):
        frames = [make_frame(i, boxes, **values) for i, boxes in enumerate(boxes_of_frames)]
        return measure_steadiness(make_streams(frames), 0.25, ReportConfig())

    return run


def test_steady_box(measure, make_box):
    found = measure(*[[make_box(z=20.0 + i)] for i in range(5)])
    assert (found.frames, found.boxes, found.flashes, found.gaps) == (3, 3, 0, 0)
    assert found.flicker == 0.0
    assert found.jumps_m.tolist() == pytest.approx([0.0, 0.0, 0.0])


def test_box_in_one_frame_flashes(measure, make_box):
    steady = make_box()
    found = measure([steady], [steady, make_box(x=8.0)], [steady])
    assert (found.boxes, found.flashes, found.gaps) == (2, 1, 0)
    assert found.flicker == pytest.approx(1 / 2)
    assert found.unsteady.tolist() == [[100_000_000], [1]]


def test_box_that_is_missing_once_is_a_gap(measure, make_box):
    steady = make_box(x=8.0)
    found = measure([steady, make_box()], [steady], [steady, make_box()])
    # One box is there and one ought to be.
    assert (found.boxes, found.flashes, found.gaps) == (1, 0, 1)
    assert found.flicker == pytest.approx(1 / 2)


def test_box_that_appears_or_disappears_for_good_is_neither(measure, make_box):
    found = measure([], [make_box()], [make_box()], [])
    assert (found.boxes, found.flashes, found.gaps) == (2, 0, 0)


@pytest.mark.parametrize(('z', 'flashes'), [(23.9, 0), (24.1, 1)])
def test_reach_of_a_match(measure, make_box, z, flashes):
    found = measure([make_box(z=20.0)], [make_box(z=z)], [])
    assert found.flashes == flashes


def test_other_class_is_no_match(measure, make_box):
    found = measure([make_box()], [make_box(name='Pedestrian')], [make_box()])
    # The pedestrian flashes where the car has a gap.
    assert (found.flashes, found.gaps) == (1, 1)
    assert found.flicker == pytest.approx(1.0)


def test_nearest_pair_is_matched_first(measure, make_box):
    # The box at 21 is nearer to the one at 22 than that at 20 is, so 20 takes the one at 18.5.
    first = [make_box(z=20.0), make_box(z=21.0)]
    second = [make_box(z=22.0), make_box(z=18.5)]
    third = [make_box(z=23.0), make_box(z=17.0)]
    found = measure(first, second, third)
    assert found.jumps_m.tolist() == pytest.approx([0.0, 0.0])


def test_depth_jump_is_the_second_difference(measure, make_box):
    found = measure([make_box(z=20.0)], [make_box(z=21.0)], [make_box(z=20.5)])
    assert found.jumps_m.tolist() == pytest.approx([1.5])  # 20 - 2 * 21 + 20.5
    assert found.jumps_relative.tolist() == pytest.approx([1.5 / 21.0])
    assert found.jump_m(0.5) == pytest.approx(1.5)


def test_depth_jump_with_uneven_stamps(make_streams, make_frame, make_box):
    stamps = [0, 100_000_000, 250_000_000]
    frames = [
        make_frame(i, [make_box(z=z)], stamp_ns=stamp)
        for i, (stamp, z) in enumerate(zip(stamps, (20.0, 21.0, 22.5), strict=True))
    ]
    found = measure_steadiness(make_streams(frames), 0.25, ReportConfig())
    assert found.jumps_m.tolist() == pytest.approx([0.0])  # 10 m/s throughout


def test_boxes_below_the_score_are_left_out(measure, make_box):
    found = measure([], [make_box(score=0.2), make_box(x=5.0, score=0.25)], [])
    assert (found.boxes, found.flashes) == (1, 1)


def test_lost_frame_parts_its_neighbours(make_streams, make_frame, make_box):
    box = [make_box()]
    frames = [make_frame(0, box), make_frame(1, status='dropped'), make_frame(2, box)]
    frames += [make_frame(3, box), make_frame(4, box)]
    found = measure_steadiness(make_streams(frames), 0.25, ReportConfig())
    assert (found.frames, found.boxes) == (1, 1)


def test_missing_stamp_parts_its_neighbours(make_streams, make_frame, make_box):
    frames = [make_frame(i, [make_box()]) for i in (0, 1, 2, 4, 5)]
    found = measure_steadiness(make_streams(frames), 0.25, ReportConfig())
    assert found.frames == 1


def test_topics_do_not_touch(make_streams, make_frame, make_box):
    frames = [
        make_frame(i, [make_box()] if topic == '/left' else [], topic=topic)
        for i in range(3)
        for topic in ('/left', '/right')
    ]
    found = measure_steadiness(make_streams(frames), 0.25, ReportConfig())
    assert (found.frames, found.boxes, found.flashes, found.gaps) == (2, 1, 0, 0)


def test_nothing_to_measure(measure):
    found = measure([], [])
    assert (found.flicker, found.jump_m(0.5), found.jump_relative(0.9)) == (None, None, None)


@pytest.mark.parametrize('x', [(0.0, 5.0, 2.5), (2.5, 0.0, 5.0)])
def test_a_box_that_is_matched_in_between_begins_and_ends_no_gap(measure, make_box, x):
    # Two boxes match that are 2.5 m apart, and over two frames 5 m; between two frames not.
    found = measure(*[[make_box(x=each)] for each in x])
    assert (found.boxes, found.flashes, found.gaps) == (1, 0, 0)
