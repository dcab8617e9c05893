"""What is to be said at camera rate, said once in a while."""

from __future__ import annotations

import threading
import time

from rclpy.impl.rcutils_logger import RcutilsLogger


class ThrottledLog:
    """A log in which every kind of message has its own clock.

    rclpy's own throttling goes by the line of code that logs, so that two reasons for refusing a
    frame would hide each other, and by a clock that may be simulated, and stand still.
    """

    def __init__(self, logger: RcutilsLogger, period: float) -> None:
        self._logger = logger
        self._period = period
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def info(self, kind: str, text: str) -> None:
        """Tell, as :meth:`warning`."""
        if (line := self._due(kind, text)) is not None:
            self._logger.info(line)

    def warning(self, kind: str, text: str) -> None:
        """Warn, unless the same kind of warning was given less than a period ago."""
        if (line := self._due(kind, text)) is not None:
            self._logger.warning(line)

    def error(self, kind: str, text: str) -> None:
        """Report an error, as :meth:`warning`."""
        if (line := self._due(kind, text)) is not None:
            self._logger.error(line)

    def _due(self, kind: str, text: str) -> str | None:
        now = time.monotonic()
        with self._lock:
            if kind in self._last and now - self._last[kind] < self._period:
                self._held_back[kind] = self._held_back.get(kind, 0) + 1
                return None
            self._last[kind] = now
            held_back = self._held_back.pop(kind, 0)
        return f'{text} ({held_back} more of this kind since the last time)' if held_back else text
