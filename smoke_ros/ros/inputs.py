"""The subscriptions of one camera: images, each with the camera info that belongs to it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from rclpy.node import Node
from rclpy.qos import QoSProfile, qos_policy_name_from_kind
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from smoke_ros.config.node import NodeConfig
from smoke_ros.ros.pairing import ImageMessage, Pairing
from smoke_ros.ros.qos import camera_info_profile, image_profile, mismatch_text
from smoke_ros.ros.stamps import stamp_ns
from smoke_ros.ros.throttled_log import ThrottledLog

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # before ROS 2 Iron
    from rclpy.qos_event import SubscriptionEventCallbacks

#: A stamp that lies further back than this is a clock that was set back, a bag that starts anew or
#: a simulation that was reset; one that lies less far back is a frame that came out of order.
CLOCK_RESET_NS = 1_000_000_000

#: A topic on which nothing has come for this long is silent.
SILENCE_S = 5.0
#: An image that has waited this long for its camera info will not get one.
PAIRING_S = 0.5
#: Why an image is left out where nothing better is known.
NO_CAMERA_INFO = 'no camera info came for it'


class CameraInputs:
    """Subscribes to a camera and passes on images with their camera info.

    Parameters
    ----------
    node
        The node that subscribes to the relative names ``image`` and ``camera_info``.
    folder
        Stands before the two, '' or ending in a slash.
    config
        Transport, quality of service and synchronisation.
    log
        For warnings.
    arrived
        Called with every image, before it is known whether there is a camera info for it.
    deliver
        Called with an image, its camera info (None where a calibration file stands for it) and
        when the image arrived (a monotonic time in seconds).
    refuse
        Called with the reason where an image cannot be used, and what kind of reason that is.

    Raises
    ------
    ValueError
        If images and camera infos have one topic.
    """

    def __init__(
        self,
        node: Node,
        config: NodeConfig,
        log: ThrottledLog,
        *,
        folder: str = '',
        arrived: Callable[[], None],
        deliver: Callable[[ImageMessage, CameraInfo | None, float], None],
        refuse: Callable[[str, str], None],
    ) -> None:
        self._node = node
        self._config = config
        self._log = log
        self._arrived = arrived
        self._deliver = deliver
        self._refuse = refuse
        self.image_topic = node.resolve_topic_name(f'{folder}image')
        self.camera_info_topic = node.resolve_topic_name(f'{folder}camera_info')
        self._needs_camera_info = not config.camera_info_url
        if self._needs_camera_info and self.image_topic == self.camera_info_topic:
            raise ValueError(
                f'image and camera_info are one topic, {self.image_topic}; remap camera_info to '
                "the camera's, or set camera_info_url"
            )
        self._latest_info: CameraInfo | None = None
        self._newest_stamp_ns: dict[str, int] = {}
        self._last_heard: dict[str, float] = {}
        #: What publishers of a topic do not offer, by topic.
        self._mismatches: dict[str, str] = {}
        self._reset_pairing()
        self._started = time.monotonic()
        #: When the first image came that has found no camera info, if there is one.
        self._unpaired_since: float | None = None
        compressed = config.image_transport == 'compressed'
        self._image_type = CompressedImage if compressed else Image
        # By relative names: what is resolved already would be remapped once more.
        self._image_name, info_name = f'{folder}image', f'{folder}camera_info'
        self._subscriptions: list[Subscription] = []
        self._subscribe(
            self._image_type, self._image_name, self.image_topic, self._on_image,
            image_profile(config),
        )  # fmt: skip
        if self._needs_camera_info:
            self._subscribe(
                CameraInfo, info_name, self.camera_info_topic, self._on_camera_info,
                camera_info_profile(config),
            )  # fmt: skip

    def close(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    @property
    def is_silent(self) -> bool:
        """Whether no image has come for a while."""
        now = time.monotonic()
        return now - self._last_heard.get(self.image_topic, self._started) >= SILENCE_S

    def problem(self) -> str:
        """Say in a sentence why no frames come; '' where they do."""
        if self.is_silent:
            return self._missing_images()
        now = time.monotonic()
        if self._unpaired_since is None or now - self._unpaired_since < PAIRING_S:
            return ''
        info_silent = now - self._last_heard.get(self.camera_info_topic, -math.inf) >= SILENCE_S
        if self._latest_info is not None and info_silent:
            return (
                f'camera info on {self.camera_info_topic} came, but comes no more: set sync to '
                'latest if it is published once only'
            )
        if self._config.sync == 'latest' or info_silent:
            return self._mismatches.get(self.camera_info_topic) or (
                f'waiting for camera info on {self.camera_info_topic}: images arrive, but nothing '
                "can be placed without it; publish it, remap 'camera_info' or set camera_info_url "
                '(of one that is published once, before: set qos_durability to transient_local '
                'and sync to latest)'
            )
        if lag := self._pairing.lag():
            return lag
        if self._config.sync == 'exact':
            return (
                'images and camera infos arrive, but no two have the same stamp: set sync to '
                'approximate or latest'
            )
        return (
            'images and camera infos arrive, but no two have stamps within '
            f'{self._config.sync_slop:g} s: set sync_slop higher, to half the time between two '
            'images at most, or sync to latest'
        )

    def _subscribe(
        self, message_type: type, name: str, topic: str, callback: Callable[..., None],
        profile: QoSProfile,
    ) -> None:  # fmt: skip
        def report_mismatch(event: object) -> None:
            policy = qos_policy_name_from_kind(event.last_policy_kind)  # type: ignore[attr-defined]
            self._mismatches[topic] = mismatch_text(topic, policy)
            self._log.warning(f'qos of {topic}', self._mismatches[topic])

        subscription = self._node.create_subscription(
            message_type,
            name,
            callback,
            profile,
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=report_mismatch),
        )
        self._subscriptions.append(subscription)

    def _reset_pairing(self) -> None:
        """Forget all messages that wait for their counterpart."""
        self._pairing = Pairing(
            self._config, self._pass_on, lambda: self._refuse(NO_CAMERA_INFO, 'camera info')
        )

    def _heard(self, topic: str) -> float:
        """Note that something came, from a publisher that offers what is asked for; say when."""
        self._mismatches.pop(topic, None)
        now = self._last_heard[topic] = time.monotonic()
        return now

    def _on_image(self, message: ImageMessage) -> None:
        now = self._heard(self.image_topic)
        self._arrived()
        try:
            in_order = self._is_in_order(self.image_topic, message)
        except ValueError as error:
            self._refuse(str(error), 'stamp')
            return
        if not in_order:
            self._refuse('it is older than the one before it', 'order')
            return
        if self._unpaired_since is None:
            self._unpaired_since = now
        if not self._needs_camera_info:
            self._pass_on(message, None, now)
        elif self._config.sync != 'latest':
            if self._pairing.add_image(message, now):
                # Of one kind with what the diagnostics say of it: one line in the log is enough.
                self._refuse(self.problem() or NO_CAMERA_INFO, 'input')
        elif self._latest_info is not None:
            self._pass_on(message, self._latest_info, now)

    def _on_camera_info(self, message: CameraInfo) -> None:
        topic = self.camera_info_topic
        self._heard(topic)
        try:
            self._is_in_order(topic, message)
        except ValueError as error:
            self._log.warning(f'stamp of {topic}', f'camera info on {topic} left out: {error}')
            return
        self._latest_info = message
        if self._config.sync != 'latest':
            self._pairing.add_info(message)

    def _pass_on(self, image: ImageMessage, info: CameraInfo | None, arrived: float) -> None:
        self._unpaired_since = None
        self._deliver(image, info, arrived)

    def _is_in_order(self, topic: str, message: ImageMessage | CameraInfo) -> bool:
        """Return whether a message comes in order, going by the stamp of the one before it.

        Where time starts anew, what waits for its counterpart would stand in the way of everything
        that is still to come.
        """
        stamp = message.header.stamp
        if stamp.sec < 0 or stamp.nanosec >= 1_000_000_000:
            raise ValueError(f'the stamp {stamp.sec} s {stamp.nanosec} ns is not a time')
        now_ns = stamp_ns(stamp)
        before_ns = self._newest_stamp_ns.get(topic, 0)
        self._newest_stamp_ns[topic] = now_ns
        if now_ns >= before_ns:
            return True
        if before_ns - now_ns < CLOCK_RESET_NS:
            return False
        self._pairing.give_up()
        self._reset_pairing()
        # The other topic follows, and must not reset once more what begins here.
        self._newest_stamp_ns = {topic: now_ns}
        self._log.info(
            f'clock of {topic}',
            f'time on {topic} went back by {(before_ns - now_ns) * 1e-9:.1f} s: starting anew',
        )
        return True

    def _missing_images(self) -> str:
        publishers = self._node.get_publishers_info_by_topic(self._image_name)
        if not publishers:
            return f"no images: nothing is published on {self.image_topic}; remap 'image'"
        expected = f'sensor_msgs/msg/{self._image_type.__name__}'
        types = {publisher.topic_type for publisher in publishers}
        if expected not in types:
            remedy = 'set image_transport to match'
            if self._config.image_transport == 'compressed':
                # For image_transport, a camera has one name, that of its raw images.
                remedy = f"remap 'image' to {self.image_topic}/compressed, or {remedy}"
            return (
                f'no images: {self.image_topic} carries {", ".join(sorted(types))}, expected '
                f'{expected}; {remedy}'
            )
        return self._mismatches.get(self.image_topic, f'no images arrive on {self.image_topic}')
