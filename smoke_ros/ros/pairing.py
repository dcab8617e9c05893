"""Images and the camera infos that belong to them, found by their stamps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TypeAlias

import message_filters
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from smoke_ros.config.node import NodeConfig
from smoke_ros.ros.stamps import stamp_ns

ImageMessage: TypeAlias = Image | CompressedImage


class Pairing:
    """Finds for each image the camera info with its stamp, or nearly so.

    Parameters
    ----------
    config
        How near, and how many of both wait for their counterpart.
    deliver
        Called with an image, its camera info and when the image arrived; images come in order.
    lose
        Called for an image that got none while the one after it did, or time started anew.
    """

    def __init__(
        self,
        config: NodeConfig,
        deliver: Callable[[ImageMessage, CameraInfo, float], None],
        lose: Callable[[], None],
    ) -> None:
        self._deliver = deliver
        self._lose = lose
        self._queue = config.sync_queue
        self._images = message_filters.SimpleFilter()
        self._infos = message_filters.SimpleFilter()
        filters = [self._images, self._infos]
        if config.sync == 'approximate':
            synchroniser = message_filters.ApproximateTimeSynchronizer(
                filters, config.sync_queue, config.sync_slop
            )
        else:
            synchroniser = message_filters.TimeSynchronizer(filters, config.sync_queue)
        synchroniser.registerCallback(self._pair)
        self._image_stamps, self._info_stamps = _Stamps(self._queue), _Stamps(self._queue)
        self._images_lag = self._infos_lag = False
        #: Stamps of the images that wait for their camera info, and when each arrived.
        self._waiting: dict[int, float] = {}
        self._has_paired = False

    def add_image(self, image: ImageMessage, arrived: float) -> bool:
        """Take an image; return whether the one that had waited longest was dropped for it."""
        stamp = stamp_ns(image.header.stamp)
        self._image_stamps.add(stamp)
        self._images_lag = self._image_stamps.lag(self._info_stamps)
        self._waiting[stamp] = arrived
        # The synchroniser drops as many of its own accord, but does not tell.
        drops = len(self._waiting) > self._queue
        if drops:
            del self._waiting[next(iter(self._waiting))]
        self._images.signalMessage(image)
        return drops

    def add_info(self, info: CameraInfo) -> None:
        """Take a camera info."""
        self._info_stamps.add(stamp_ns(info.header.stamp))
        self._infos_lag = self._info_stamps.lag(self._image_stamps)
        self._infos.signalMessage(info)

    def give_up(self) -> None:
        """Lose the images that wait: time starts anew, and nothing comes for them any more."""
        self._leave_out(list(self._waiting))

    def lag(self) -> str:
        """Say which of the two come so late that the others wait no more; '' where neither do."""
        if not (self._images_lag or self._infos_lag):
            return ''
        late, early = 'images', 'camera infos'
        if self._infos_lag:
            late, early = early, late
        return (
            f'{late} come later than their {early}, of which only {self._queue} wait for them: '
            'set sync_queue higher'
        )

    def _pair(self, image: ImageMessage, info: CameraInfo) -> None:
        stamp = stamp_ns(image.header.stamp)
        arrived = self._waiting.pop(stamp, None)
        if arrived is None:
            return  # Left out before: the approximate synchroniser keeps what it has passed over.
        # Camera infos come in order: nothing comes any more for the images before this one.
        self._leave_out([each for each in self._waiting if each < stamp])
        self._has_paired = True
        self._deliver(image, info, arrived)

    def _leave_out(self, stamps: Iterable[int]) -> None:
        for stamp in stamps:
            del self._waiting[stamp]
            if self._has_paired:  # Before, the camera info may not have been there yet.
                self._lose()


class _Stamps:
    """The first stamp of a topic and the last ones, in nanoseconds."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._first = 0
        self._last: deque[int] = deque(maxlen=count)

    def add(self, stamp: int) -> None:
        if not self._last:
            self._first = stamp
        self._last.append(stamp)

    def lag(self, others: _Stamps) -> bool:
        """Return whether the others were at the newest stamp too, but too long ago to be kept.

        Stamps of another clock than the others' lie before all of theirs or after.
        """
        if len(others._last) < others._count:
            return False
        return others._first <= self._last[-1] < others._last[0]
