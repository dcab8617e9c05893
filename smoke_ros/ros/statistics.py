"""Counts and times of one camera's frames."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

#: What a frame goes through, in order; it is `waiting` for its camera info, then for its turn.
#: `total` is from its arrival to its publication, `stamp` from the stamp in its header to there.
STAGES = (
    'waiting', 'convert', 'preprocess', 'network', 'decode', 'publish', 'total', 'stamp',
    'debug_image',
)  # fmt: skip

#: Rates are over this long, latencies over this many frames.
RATE_WINDOW_S = 5.0
LATENCY_FRAMES = 50


@dataclass(frozen=True)
class Latency:
    """How long a stage took over the last frames, in milliseconds."""

    mean_ms: float
    max_ms: float


@dataclass(frozen=True)
class Report:
    """A camera's frames since the node became active, and what happened of late."""

    frames_in: int
    frames_out: int
    #: Newer ones came before their turn.
    frames_dropped: int
    #: Could not be used.
    frames_refused: int
    rate_in_hz: float
    rate_out_hz: float
    latencies: Mapping[str, Latency]
    last_problem: str
    #: Seconds since then; infinite where there was none.
    problem_age_s: float
    problem_is_error: bool
    #: How long images have been coming without anything becoming of one, in seconds.
    unanswered_s: float = 0.0


@dataclass
class _Rate:
    started: float
    times: deque[float] = field(default_factory=deque)

    def tick(self, now: float) -> None:
        self.times.append(now)
        self._forget(now)

    def hz(self, now: float) -> float:
        self._forget(now)
        return len(self.times) / max(1.0, min(RATE_WINDOW_S, now - self.started))

    def _forget(self, now: float) -> None:
        while self.times and self.times[0] < now - RATE_WINDOW_S:
            self.times.popleft()


class FrameStatistics:
    """Counts frames; the executor's thread and the worker's both write here."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        now = time.monotonic()
        self._in, self._out = _Rate(now), _Rate(now)
        self._frames_in = self._frames_out = self._dropped = self._refused = 0
        self._stages = {stage: deque[float](maxlen=LATENCY_FRAMES) for stage in STAGES}
        self._problem, self._problem_is_error = '', False
        self._problem_time = float('-inf')
        #: When the first image came of those that nothing has become of; None without any.
        self._waiting_since: float | None = None

    def arrived(self) -> None:
        """Count an image that was received."""
        now = time.monotonic()
        with self._lock:
            self._frames_in += 1
            self._in.tick(now)
            if self._waiting_since is None:
                self._waiting_since = now

    def dropped(self) -> None:
        """Count a frame that had to make way for a newer one."""
        with self._lock:
            self._dropped += 1

    def refused(self, reason: str, *, error: bool = False) -> None:
        """Count a frame that could not be used, and remember why."""
        with self._lock:
            self._refused += 1
            self._problem, self._problem_is_error = reason, error
            self._problem_time = time.monotonic()
            self._waiting_since = None

    def published(self, stages_ms: Mapping[str, float]) -> None:
        """Count a frame whose detections went out, with the times of its :data:`STAGES`."""
        with self._lock:
            self._frames_out += 1
            self._out.tick(time.monotonic())
            self._waiting_since = None
        for stage, duration in stages_ms.items():
            self.took(stage, duration)

    def took(self, stage: str, duration_ms: float) -> None:
        """Record the time of a stage."""
        with self._lock:
            self._stages[stage].append(duration_ms)

    def report(self) -> Report:
        """Return what there is to say now."""
        now = time.monotonic()
        with self._lock:
            return Report(
                frames_in=self._frames_in,
                frames_out=self._frames_out,
                frames_dropped=self._dropped,
                frames_refused=self._refused,
                rate_in_hz=self._in.hz(now),
                rate_out_hz=self._out.hz(now),
                latencies={
                    stage: Latency(sum(times) / len(times), max(times))
                    for stage, times in self._stages.items()
                    if times
                },
                last_problem=self._problem,
                problem_age_s=now - self._problem_time,
                problem_is_error=self._problem_is_error,
                unanswered_s=0.0 if self._waiting_since is None else now - self._waiting_since,
            )
