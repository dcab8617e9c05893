"""Ending between two steps when the process is asked to end."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import TypeVar

from smoke_ros.training.processes import Processes

T = TypeVar('T')

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Which signal has asked to end, if any has."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._earlier: dict[signal.Signals, object] = {}

    def is_asked(self, processes: Processes) -> bool:
        """Return whether any process was asked to end; each of them has to call this."""
        return processes.any(self.signal is not None)

    def until(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items until a signal has come, which may have ended those who make them too."""
        try:
            for item in items:
                yield item
                if self.signal is not None:
                    return
        except RuntimeError:
            if self.signal is None:
                raise

    def _catch(self, number: int, _: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        # Whoever asks twice does not want to wait for the step and the checkpoint.
        self._restore()

    def _install(self) -> None:
        self._earlier = {number: signal.signal(number, self._catch) for number in _SIGNALS}

    def _restore(self) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._earlier = {}


@contextlib.contextmanager
def catch_signals() -> Iterator[Interruption]:
    """Note Ctrl-C and SIGTERM instead of dying of them; the second one is as fatal as ever."""
    interruption = Interruption()
    interruption._install()
    try:
        yield interruption
    finally:
        interruption._restore()
