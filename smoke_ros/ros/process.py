"""A node as a process: signals, spinning, and the library's log."""

from __future__ import annotations

import contextlib
import logging
import signal
from collections.abc import Iterator
from types import FrameType

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node

from smoke_ros.ros.throttled_log import ThrottledLog

ERROR_PERIOD_S = 5.0


class StopSignals:
    """Turns the first SIGINT or SIGTERM into a KeyboardInterrupt, where one is welcome.

    To be made before rclpy.init(), whose own handlers shut ROS down, wake a waiting executor and
    then call these: so a node stops at once, also in the middle of loading a model, and cleaning
    up is not cut short by the signals that an impatient launcher sends after the first.
    """

    def __init__(self) -> None:
        self._raises = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    @contextlib.contextmanager
    def raising(self) -> Iterator[None]:
        """Let a signal end the block by a KeyboardInterrupt; later ones are ignored."""
        self._raises = True
        try:
            yield
        finally:
            self._raises = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._raises:
            self._raises = False
            raise KeyboardInterrupt


def spin(node: Node) -> None:
    """Run a node's callbacks until ROS is shut down; an error in one costs only that call."""
    log = ThrottledLog(node.get_logger(), ERROR_PERIOD_S)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    while rclpy.ok():
        try:
            executor.spin_once()
        except ExternalShutdownException:
            return
        except Exception as error:  # noqa: BLE001, rclpy ends the program over any of them
            if rclpy.ok():
                log.error('callback', f'a callback failed: {type(error).__name__}: {error}')


class RosLogHandler(logging.Handler):
    """Passes the library's log on to a node's."""

    def __init__(self, logger: RcutilsLogger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record at the level that it has."""
        # rclpy insists on one level per calling line.
        if record.levelno >= logging.ERROR:
            self._logger.error(record.getMessage())
        elif record.levelno >= logging.WARNING:
            self._logger.warning(record.getMessage())
        else:
            self._logger.info(record.getMessage())
