"""The bag's time while it is played, for the node under test (/clock) and for what is measured."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from smoke_ros.ros.qos import RELIABLE
from smoke_ros.ros.stamps import stamp_message

#: Of /clock, in wall time.
PERIOD_S = 0.01


class BagClock:
    """Publishes ``/clock`` from a thread, for as long as a ``with`` block.

    It stands at the bag's beginning until :meth:`start`.

    Parameters
    ----------
    node
        What the publisher belongs to.
    first_ns
        When the bag begins.
    rate
        Seconds of the bag in a second.
    """

    def __init__(self, node: Node, first_ns: int, rate: float) -> None:
        self._node, self._first_ns, self._rate = node, first_ns, rate
        #: Time of the bag in ns, and monotonic time in s, when it began to run.
        self._start: tuple[int, float] | None = None
        self._stop = threading.Event()
        self._publisher = node.create_publisher(Clock, '/clock', RELIABLE)
        self._thread = threading.Thread(target=self._run, name='clock')

    def start(self, now_ns: int) -> None:
        """Let the bag's time run; it is ``now_ns`` now."""
        self._start = (now_ns, time.monotonic())

    def now_ns(self) -> int:
        """Return the bag's time."""
        if self._start is None:
            return self._first_ns
        start_ns, begun = self._start
        return start_ns + round((time.monotonic() - begun) * 1e9 * self._rate)

    def __enter__(self) -> BagClock:
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
        self._node.destroy_publisher(self._publisher)

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            self._publisher.publish(Clock(clock=stamp_message(self.now_ns())))
