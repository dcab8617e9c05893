"""Percentiles and jitter, by hand."""

import numpy as np
import pytest

from smoke_ros.replay.timing import jitter_ms, summarise_times


def test_percentiles_lie_between_values():
    times = summarise_times(np.array([4.0, np.nan, 1.0, 2.0, 3.0, 5.0]))
    assert (times.count, times.mean_ms, times.p50_ms, times.worst_ms) == (5, 3.0, 3.0, 5.0)
    assert times.p95_ms == pytest.approx(4.8)
    assert times.p99_ms == pytest.approx(4.96)


def test_no_times():
    times = summarise_times(np.array([np.nan]))
    assert (times.count, times.mean_ms, times.p99_ms, times.worst_ms) == (0, None, None, None)


def test_jitter_is_the_mean_change_of_latency():
    # Changes of 2 and 1 on one topic, over a lost frame, and of 6 on the other; none between them.
    streams = [np.array([10.0, 12.0, np.nan, 11.0]), np.array([30.0, 36.0])]
    assert jitter_ms(streams) == pytest.approx(3.0)


def test_one_frame_has_no_jitter():
    assert jitter_ms([np.array([10.0])]) is None
    assert jitter_ms([]) is None
