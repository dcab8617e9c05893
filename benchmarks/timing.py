"""How things are timed here: warm up, repeat, quote the median."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Times of the repeats of one thing, in milliseconds."""

    name: str
    times_ms: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        """The time to quote."""
        return statistics.median(self.times_ms)

    @property
    def p95_ms(self) -> float:
        """What 19 in 20 repeats stay under."""
        ordered = sorted(self.times_ms)
        return ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]

    @property
    def best_ms(self) -> float:
        """The least disturbed repeat."""
        return min(self.times_ms)


def measure(name: str, action: Callable[[], object], repeats: int, warm_up: int = 1) -> Timing:
    """Time ``action`` ``repeats`` times, after ``warm_up`` runs that are not counted."""
    for _ in range(warm_up):
        action()
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        action()
        times.append(1e3 * (time.perf_counter() - begun))
    return Timing(name, tuple(times))
