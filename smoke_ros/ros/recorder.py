"""Records what is published into a bag."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from smoke_ros.ros.bags import BagWriter
from smoke_ros.ros.message_types import MessageClass


class Recorder:
    """Stores the messages of chosen topics, byte for byte, with the time of their arrival.

    Parameters
    ----------
    node
        What the subscriptions belong to; it has to be spun.
    writer
        An open bag.

    Attributes
    ----------
    counts
        Messages so far, by topic.
    """

    def __init__(self, node: Node, writer: BagWriter) -> None:
        self._node = node
        self._writer = writer
        self._subscriptions: list[Subscription] = []
        self.counts: dict[str, int] = {}

    def record(
        self,
        topic: str,
        message_class: MessageClass,
        qos: QoSProfile,
        on_message: Callable[[bytes], None] | None = None,
    ) -> None:
        """Record a topic.

        Parameters
        ----------
        topic
            Its name, as it is stored too.
        message_class
            Its type.
        qos
            What its publisher offers: asked for here, and stored.
        on_message
            Is given each serialized message after it was stored.
        """
        self._writer.add_topic(topic, message_class, qos)
        self.counts[topic] = 0

        def store(data: bytes) -> None:
            self._writer.write(topic, data, time.time_ns())
            self.counts[topic] += 1
            if on_message is not None:
                on_message(data)

        self._subscriptions.append(
            self._node.create_subscription(message_class, topic, store, qos, raw=True)
        )

    def close(self) -> None:
        """Stop to record; the bag is still to be closed."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()
