"""How long frames took, and how evenly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smoke_ros.structures import FloatArray


@dataclass(frozen=True)
class Times:
    """Some durations in milliseconds; percentiles are linear between the two nearest values."""

    count: int
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    worst_ms: float | None


def summarise_times(values_ms: FloatArray) -> Times:
    """Summarise durations; NaN stands for a frame that has none."""
    values = values_ms[np.isfinite(values_ms)]
    if not len(values):
        return Times(0, None, None, None, None, None)
    p50, p95, p99 = (float(p) for p in np.percentile(values, (50.0, 95.0, 99.0)))
    return Times(len(values), float(values.mean()), p50, p95, p99, float(values.max()))


def jitter_ms(streams_ms: Sequence[FloatArray]) -> float | None:
    """Return how much the latency changes from one published frame to the next, on average.

    It is the mean of ``|latency[i] - latency[i - 1]|``: how much the time between two
    publications differs from the time between their images.

    Parameters
    ----------
    streams_ms
        The latencies of each topic's frames in their order; NaN where nothing was published.
    """
    steps = [np.abs(np.diff(values[np.isfinite(values)])) for values in streams_ms]
    joined = np.concatenate([np.zeros(0), *steps])
    return float(joined.mean()) if len(joined) else None
