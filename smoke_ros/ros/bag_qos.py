"""Quality of service in a bag, and what to play and to record with."""

from __future__ import annotations

from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSProfile,
    ReliabilityPolicy,
)
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)

#: Queue length where a bag does not tell one.
DEPTH = 10


def bag_qos(profile: QoSProfile) -> Qos:
    """Return a profile as a bag keeps it; rclpy's policies have the same numbers."""
    return Qos(
        history=QosHistory(int(profile.history)),
        depth=profile.depth,
        reliability=QosReliability(int(profile.reliability)),
        durability=QosDurability(int(profile.durability)),
        deadline=_bag_time(profile.deadline),
        lifespan=_bag_time(profile.lifespan),
        liveliness=QosLiveliness(int(profile.liveliness)),
        liveliness_lease_duration=_bag_time(profile.liveliness_lease_duration),
        avoid_ros_namespace_conventions=profile.avoid_ros_namespace_conventions,
    )


def profile_from_bag(offered: list[Qos]) -> QoSProfile:
    """Return the profile to offer when a topic is played: as it was recorded.

    Of several recorded publishers the first counts. What a bag leaves open, as real ones do with
    the history, becomes reliable, volatile and :data:`DEPTH` deep. Deadlines and lifespans are
    left out: they are about the time between messages, which playing changes.
    """
    if not offered:
        return QoSProfile(depth=DEPTH)
    qos = offered[0]
    reliability, durability = ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE
    if qos.reliability == QosReliability.BEST_EFFORT:
        reliability = ReliabilityPolicy.BEST_EFFORT
    if qos.durability == QosDurability.TRANSIENT_LOCAL:
        durability = DurabilityPolicy.TRANSIENT_LOCAL
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=qos.depth or DEPTH,
        reliability=reliability,
        durability=durability,
        liveliness=LivelinessPolicy.AUTOMATIC,
    )


def _bag_time(duration: Duration) -> QosTime:
    seconds, nanoseconds = divmod(duration.nanoseconds, 10**9)
    return QosTime(seconds, nanoseconds)
