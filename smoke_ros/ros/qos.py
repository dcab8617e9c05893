"""Quality of service: what the node asks of its inputs, and what it offers."""

from __future__ import annotations

from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSProfile,
    ReliabilityPolicy,
    qos_profile_sensor_data,
)

from smoke_ros.config.node import NodeConfig

#: Detections and markers: nothing is lost on the way.
RELIABLE = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
#: Said once, and told to everybody who asks later.
LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
#: Images to look at: a slow viewer must not hold anything up.
SENSOR_DATA = qos_profile_sensor_data

#: The parameter that has a say in a policy, and its value that every publisher can serve.
_REMEDIES = {
    'RELIABILITY': 'qos_reliability to best_effort',
    'DURABILITY': 'qos_durability to volatile',
}


def image_profile(config: NodeConfig) -> QoSProfile:
    """Return the profile of the image subscriptions."""
    reliability = {
        'best_effort': ReliabilityPolicy.BEST_EFFORT, 'reliable': ReliabilityPolicy.RELIABLE,
    }  # fmt: skip
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=config.qos_depth,
        reliability=reliability[config.qos_reliability],
        durability=DurabilityPolicy.VOLATILE,
    )


def camera_info_profile(config: NodeConfig) -> QoSProfile:
    """Return the profile of the camera_info subscriptions, which alone may be latched.

    Nobody latches images; what asks for that would get none.
    """
    durability = {
        'volatile': DurabilityPolicy.VOLATILE, 'transient_local': DurabilityPolicy.TRANSIENT_LOCAL,
    }  # fmt: skip
    profile = image_profile(config)
    profile.durability = durability[config.qos_durability]
    return profile


def mismatch_text(topic: str, policy: str) -> str:
    """Say that a publisher offers less than is asked for, and which parameter to change.

    ``policy`` is named as rclpy does, for example 'RELIABILITY'.
    """
    remedy = _REMEDIES.get(policy)
    advice = f'set {remedy}' if remedy else 'change the publisher'
    return (
        f'a publisher on {topic} does not offer the {policy.lower()} that is asked for, so '
        f'nothing is received from it: {advice}'
    )
