"""The node from outside, under its usual name: its topics, and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray

from smoke_ros.config.node import NODE_NAME

#: Before the names of what it publishes; config/smoke.rviz shows these topics.
NODE = f'/{NODE_NAME}'

DETECTIONS = f'{NODE}/detections'
MARKERS = f'{NODE}/markers'
VISION_INFO = f'{NODE}/vision_info'
LABEL_INFO = f'{NODE}/label_info'
#: Every node's.
DIAGNOSTICS = '/diagnostics'


@dataclass(frozen=True)
class NodeStatus:
    """What the node says of one camera's detections; see :mod:`smoke_ros.ros.diagnostics`.

    Attributes
    ----------
    level
        One of DiagnosticStatus's.
    message
        The one sentence that matters most.
    values
        State, counts and times, by name.
    """

    level: bytes
    message: str
    values: Mapping[str, str]


def read_status(message: DiagnosticArray) -> NodeStatus | None:
    """Return the status of the node's first camera; None where another node published."""
    for status in message.status:
        values = {pair.key: pair.value for pair in status.values}
        # Others publish here as well, and a node may be named as one likes: its counts tell it.
        if 'frames_in' in values:
            return NodeStatus(status.level, status.message, values)
    return None
