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
        self._root, self._period_s = psutil.Process(pid), period_s
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
            processes = [self._root, *self._root.children(recursive=True)]
            # Each keeps the time of its last measurement, so they are kept as well.
            known = [self._seen.setdefault(process.pid, process) for process in processes]
            percent = sum(process.cpu_percent() for process in known)
            memory = sum(process.memory_info().rss for process in known)
        except psutil.NoSuchProcess:
            return None
        return percent, memory / 1e6
