"""What a process takes of the machine, sampled while it runs."""

from __future__ import annotations

import threading
import time
from types import TracebackType

import psutil

from smoke_ros.replay.records import LoadSample

PERIOD_S = 0.5


class LoadMonitor:
    """Samples processor and memory of a process and its children, in a thread.

    Attributes
    ----------
    samples
        So far; times count from the first.
    """

    def __init__(self, pid: int, period_s: float = PERIOD_S) -> None:
        self._pid, self._period_s = pid, period_s
        self._seen: dict[int, psutil.Process] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name='load')
        self.samples: list[LoadSample] = []

    def __enter__(self) -> LoadMonitor:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        self._measure()  # a processor's share is that since the call before
        begun = time.monotonic()
        while not self._stop.wait(self._period_s):
            measured = self._measure()
            if measured is None:
                return
            self.samples.append(LoadSample(time.monotonic() - begun, *measured))

    def _measure(self) -> tuple[float, float] | None:
        """Return processor (percent of a core) and memory (MB); None when it has ended."""
        try:
            root = self._seen.get(self._pid) or psutil.Process(self._pid)
            family = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return None
        # Each keeps the time of its last measurement, so they are kept as well.
        loads = [_load_of(self._seen.setdefault(each.pid, each)) for each in family]
        if loads[0] is None:
            return None
        percents, bytes_held = zip(*(load for load in loads if load is not None), strict=True)
        return sum(percents), sum(bytes_held) / 1e6


def _load_of(process: psutil.Process) -> tuple[float, int] | None:
    """Return processor and bytes of memory; None of what has just ended, as a child may."""
    try:
        return process.cpu_percent(), process.memory_info().rss
    except psutil.NoSuchProcess:
        return None
