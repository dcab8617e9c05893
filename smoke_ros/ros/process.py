"""A node as a process: spinning, and the library's log."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions, install_signal_handlers

from smoke_ros.ros.signals import StopSignals
from smoke_ros.ros.throttled_log import ThrottledLog

ERROR_PERIOD_S = 5.0


def init(args: Sequence[str] | None) -> SingleThreadedExecutor:
    """Start ROS and return what runs a node's callbacks.

    It is made before ROS takes heed of signals: an executor that one interrupts on its way cannot
    be deleted without a traceback.
    """
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    executor = SingleThreadedExecutor()
    install_signal_handlers()
    return executor


def spin(node: Node, executor: SingleThreadedExecutor, signals: StopSignals) -> None:
    """Run a node's callbacks until ROS is shut down; an error in one costs only that call.

    Raises
    ------
    KeyboardInterrupt
        If a signal came.
    """
    log = ThrottledLog(node.get_logger(), ERROR_PERIOD_S)
    executor.add_node(node)
    while rclpy.ok():
        try:
            with signals.restoring():
                executor.spin_once()
        except ExternalShutdownException:
            return
        except Exception as error:  # noqa: BLE001, rclpy ends the program over any of them
            if rclpy.ok():
                log.error('callback', f'a callback failed: {type(error).__name__}: {error}')


def pass_log_on(logger: RcutilsLogger) -> None:
    """Pass the library's log on to a node's, with what is only told (INFO).

    That is where an engine says that it is being built, which takes minutes.
    """
    library = logging.getLogger('smoke_ros')
    library.setLevel(logging.INFO)
    library.addHandler(RosLogHandler(logger))


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
