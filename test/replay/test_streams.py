"""From lines to columns, and cutting them by time."""

import numpy as np
import pytest

from smoke_ros.replay import streams as streams_module
from smoke_ros.replay.streams import read_replay, segments


def test_columns_of_two_topics(make_streams, make_frame, make_box, make_label):
    left = make_frame(
        0, [make_box()], topic='/left', ground_truth=(make_label(),), latency_ms=5.0,
        stages_ms={'network': 2.0, 'decode': 1.0},
    )  # fmt: skip
    right = make_frame(0, topic='/right', status='dropped', reason='too late')
    first, second = make_streams([left, right, make_frame(1, topic='/left')])
    assert (first.topic, len(first), len(first.detections), len(first.truth)) == ('/left', 2, 1, 1)
    assert first.labelled.tolist() == [True, False]
    np.testing.assert_array_equal(first.latency_ms, [5.0, np.nan])
    np.testing.assert_array_equal(first.processing_ms, [3.0, np.nan])
    assert second.reasons == {'too late': 1}
    assert not second.processed.any()


@pytest.mark.parametrize(
    ('stages', 'processing'),
    [
        ({'network': 2.0, 'decode': 1.0, 'stamp': 9.0, 'debug_image': 4.0}, 3.0),
        ({'network': 2.0, 'total': 7.0, 'stamp': 9.0}, 7.0),
    ],
)
def test_time_that_a_frame_takes(make_streams, make_frame, stages, processing):
    (stream,) = make_streams([make_frame(0, stages_ms=stages)])
    assert stream.processing_ms.tolist() == [processing]


def test_boxes_keep_their_frames_across_blocks(monkeypatch, make_streams, make_frame, make_box):
    monkeypatch.setattr(streams_module, 'FRAMES_AT_A_TIME', 2)
    counts = [1, 0, 3, 2, 0]
    (stream,) = make_streams([make_frame(i, [make_box()] * n) for i, n in enumerate(counts)])
    assert np.bincount(stream.detections.frame, minlength=5).tolist() == counts


def test_part_of_a_stream_is_numbered_anew(make_streams, make_frame, make_box):
    frames = [make_frame(i, [make_box(z=10.0 + i)] * i) for i in range(4)]
    (stream,) = make_streams(frames)
    part = stream.between(200_000_000, 400_000_000)
    assert part.index.tolist() == [2, 3]
    assert part.detections.frame.tolist() == [0, 0, 1, 1, 1]
    assert part.detections.boxes[:, 2].tolist() == [12.0, 12.0, 13.0, 13.0, 13.0]


def test_segments_hold_every_frame_once(make_streams, make_frame):
    streams = make_streams([make_frame(i) for i in range(10)])
    cut = list(segments(streams, 3))
    assert [len(parts[0]) for _, _, parts in cut] == [3, 3, 4]
    assert [(low, high) for low, high, _ in cut] == [(0.0, 0.3), (0.3, 0.6), (0.6, 0.9)]


def test_segments_of_one_frame(make_streams, make_frame):
    assert [len(parts[0]) for _, _, parts in segments(make_streams([make_frame(3)]), 8)] == [1]
    assert list(segments([], 8)) == []


def test_a_stamp_that_was_never_set_does_not_stretch_the_segments(make_streams, make_frame):
    start_ns = 1_700_000_000_000_000_000
    frames = [make_frame(i, stamp_ns=start_ns + i * 100_000_000) for i in range(10)]
    frames[4] = make_frame(4, stamp_ns=0)
    cut = list(segments(make_streams(frames), 3))
    assert [len(parts[0]) for _, _, parts in cut] == [3, 2, 4]
    assert [(low, high) for low, high, _ in cut] == [(0.0, 0.3), (0.3, 0.6), (0.6, 0.9)]


def test_without_any_stamp_all_frames_are_one_segment(make_streams, make_frame):
    frames = [make_frame(i, stamp_ns=0) for i in range(3)]
    assert [len(parts[0]) for _, _, parts in segments(make_streams(frames), 8)] == [3]


def test_runs_of_several_bags_are_one_replay(tmp_path, make_replay, make_frame):
    make_replay([make_frame(0, bag='a')], 'a')
    make_replay([make_frame(0, bag='b')], 'b')
    replay = read_replay(tmp_path)
    assert [stream.bag for stream in replay.streams] == ['a', 'b']
    assert len(replay.runs) == 2


def test_folder_without_a_run(tmp_path):
    with pytest.raises(FileNotFoundError, match='smoke-ros replay --out'):
        read_replay(tmp_path)
