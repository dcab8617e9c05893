"""Plays a bag over DDS at its own pace."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import ReliabilityPolicy

from smoke_ros.ros.bags import BagMessage, BagTopic

#: Messages of a topic that wait for a busy subscription, where all are to be delivered.
RELIABLE_DEPTH = 20

#: Between two messages; longer ones are no pause, but a clock that was set.
LONGEST_GAP_S = 3600.0


def check_rate(rate: float) -> None:
    """Raise a ValueError for a rate at which nothing can be played."""
    if not 0.0 < rate < math.inf:
        raise ValueError(f'rate must be above 0 and finite, got {rate:g}')


@dataclass(frozen=True)
class PlayReport:
    """What was played, and how well the pace was kept."""

    #: Messages by topic.
    messages: Mapping[str, int]
    duration_s: float
    #: How far a message was behind its time, at most.
    worst_delay_s: float


class Recording(Protocol):
    """What is played: an open bag, or a part of one."""

    @property
    def topics(self) -> Mapping[str, BagTopic]:
        """By name."""
        ...

    def messages(self, topics: Collection[str]) -> Iterator[BagMessage]:
        """Read the messages of some topics, in the order they were received."""
        ...


class Player:
    """Publishes a recording's messages, byte for byte, under their recorded names.

    Parameters
    ----------
    node
        What the publishers belong to; it need not be spun.
    recording
        Where they come from.
    topics
        Only these are played; all by default.
    reliable
        Offer to deliver everything, also where the recorded publisher did not: large images get
        lost between processes otherwise, as soon as the machine is busy. It takes a subscription
        that asks for it.

    Raises
    ------
    ValueError
        If a topic's type is not installed, or is another one than was recorded.
    """

    def __init__(
        self,
        node: Node,
        recording: Recording,
        topics: Collection[str] | None = None,
        *,
        reliable: bool = False,
    ) -> None:
        self._node = node
        self._recording = recording
        self._publishers: dict[str, Publisher] = {}
        for name in recording.topics if topics is None else topics:
            topic = recording.topics[name]
            qos = copy.copy(topic.qos)
            if reliable:
                qos.reliability = ReliabilityPolicy.RELIABLE
                qos.depth = max(qos.depth, RELIABLE_DEPTH)
            self._publishers[name] = node.create_publisher(topic.message_class(), name, qos)

    def subscribers(self, topic: str) -> int:
        """Return how many subscriptions a topic has now."""
        return int(self._publishers[topic].get_subscription_count())

    def play(
        self,
        rate: float,
        on_message: Callable[[BagMessage], None] | None = None,
        on_begin: Callable[[int], None] | None = None,
    ) -> PlayReport:
        """Play the bag once.

        Parameters
        ----------
        rate
            1 for the recorded pace, 2 for twice as fast.
        on_message
            Called after each message.
        on_begin
            Called with the first message's time, in ns, when it is about to be played.

        Raises
        ------
        ValueError
            If the bag is damaged, or its clock was set by hours while it was recorded: what was
            stored before has been played then.
        """
        check_rate(rate)
        counts = dict.fromkeys(self._publishers, 0)
        first_ns, last_ns, begun, worst = None, 0, time.monotonic(), 0.0
        for message in self._recording.messages(self._publishers):
            if first_ns is None:
                if on_begin is not None:
                    on_begin(message.stamp_ns)
                first_ns, begun = message.stamp_ns, time.monotonic()
                last_ns = first_ns
            _check_gap(last_ns, message)
            last_ns = message.stamp_ns
            due = begun + (message.stamp_ns - first_ns) * 1e-9 / rate
            time.sleep(max(0.0, due - time.monotonic()))
            self._publishers[message.topic].publish(message.data)
            worst = max(worst, time.monotonic() - due)
            counts[message.topic] += 1
            if on_message is not None:
                on_message(message)
        return PlayReport(counts, time.monotonic() - begun, worst)

    def close(self) -> None:
        """Take the publishers down."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)
        self._publishers.clear()


def _check_gap(last_ns: int, message: BagMessage) -> None:
    gap_s = (message.stamp_ns - last_ns) * 1e-9
    if gap_s > LONGEST_GAP_S:
        raise ValueError(
            f'the recording has no message for {gap_s / 3600.0:.1f} h before one on '
            f'{message.topic}: its clock was set meanwhile, or it paused; play the parts before '
            'and behind by themselves (--start, --duration)'
        )
