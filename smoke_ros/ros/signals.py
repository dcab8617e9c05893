"""SIGINT and SIGTERM; imports nothing that takes time."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

#: After which an interrupt that was swallowed comes once more, seconds.
AGAIN_S = 0.01


class StopSignals:
    """Turns the first SIGINT or SIGTERM into a KeyboardInterrupt, where one is welcome.

    To be made before rclpy.init(), whose own handlers shut ROS down, wake a waiting executor and
    then call these: so a node stops at once, also in the middle of loading a model, and cleaning
    up is not cut short by the signals that an impatient launcher sends after the first. One that
    comes where none is welcome ends the next block that welcomes it.
    """

    def __init__(self) -> None:
        self._raises = self._has_come = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)
        self._report_ignored, sys.unraisablehook = sys.unraisablehook, self._repeat_ignored

    @contextlib.contextmanager
    def raising(self) -> Iterator[None]:
        """Let a signal end the block by a KeyboardInterrupt; later ones are ignored."""
        self._raises = True
        try:
            if self._has_come:
                raise KeyboardInterrupt
            with self.restoring():
                yield
        finally:
            self._raises = False

    @contextlib.contextmanager
    def restoring(self) -> Iterator[None]:
        """Make a KeyboardInterrupt of what a library made of it; any error will do once one came.

        pybind11, which rclpy and PyTorch use, answers an interrupt in the middle of converting an
        argument with a RuntimeError. Works as a decorator too.
        """
        try:
            yield
        except Exception as error:
            if self._has_come:
                raise KeyboardInterrupt from error
            raise

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._has_come = True
        if self._raises:
            self._raises = False
            raise KeyboardInterrupt

    def _repeat_ignored(self, ignored: UnraisableHookArgs) -> None:
        """Let an interrupt come again that came while an object was cleaned up.

        Python ignores what is raised by a ``__del__``, and prints it as if something were wrong.
        """
        if not self._has_come or not issubclass(ignored.exc_type, KeyboardInterrupt):
            self._report_ignored(ignored)
            return
        self._raises = True
        threading.Timer(AGAIN_S, os.kill, (os.getpid(), signal.SIGINT)).start()
