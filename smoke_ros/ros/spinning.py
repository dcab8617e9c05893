"""A node beside the main thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions


@contextlib.contextmanager
def spinning_node(name: str) -> Iterator[tuple[Node, Callable[[], None]]]:
    """Yield a node whose callbacks run in a thread, and what raises an error of theirs.

    Signals stay Python's: Ctrl-C is a KeyboardInterrupt in the main thread.
    """
    context = Context()
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    node = Node(name, context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    errors: list[Exception] = []

    def spin() -> None:
        try:
            executor.spin()
        except ExternalShutdownException:
            pass
        except Exception as error:  # noqa: BLE001, for the main thread, which has to know
            errors.append(error)

    def check() -> None:
        if errors:
            raise errors[0]

    thread = threading.Thread(target=spin, name=name)
    thread.start()
    try:
        yield node, check
    finally:
        context.try_shutdown()
        thread.join()
        executor.shutdown()
        node.destroy_node()
