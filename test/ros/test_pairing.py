"""How images and camera infos find each other, without a node."""

import pytest

pytest.importorskip('message_filters')
pytest.importorskip('sensor_msgs')

from sensor_msgs.msg import CameraInfo, Image

from smoke_ros.config.node import NodeConfig
from smoke_ros.ros.pairing import Pairing


class Pairs:
    """A Pairing fed with stamps in milliseconds, and what it says of them."""

    def __init__(self, **options):
        self.delivered, self.lost = [], 0
        self.pairing = Pairing(NodeConfig(**options), self._keep, self._lose)

    def _keep(self, image, info, arrived):
        self.delivered.append((_milliseconds(image), _milliseconds(info), arrived))

    def _lose(self):
        self.lost += 1

    def image(self, stamp_ms, arrived=0.0):
        return self.pairing.add_image(_stamped(Image(), stamp_ms), arrived)

    def info(self, stamp_ms):
        self.pairing.add_info(_stamped(CameraInfo(), stamp_ms))


def _stamped(message, stamp_ms):
    message.header.stamp.sec, rest = divmod(stamp_ms, 1000)
    message.header.stamp.nanosec = rest * 1_000_000
    return message


def _milliseconds(message):
    return message.header.stamp.sec * 1000 + message.header.stamp.nanosec // 1_000_000


def test_an_image_is_delivered_with_its_camera_info_and_its_time_of_arrival():
    pairs = Pairs(sync='exact')
    assert not pairs.image(1000, arrived=5.0)
    assert pairs.delivered == []
    pairs.info(1000)
    pairs.info(2000)
    pairs.image(2000, arrived=6.0)
    assert pairs.delivered == [(1000, 1000, 5.0), (2000, 2000, 6.0)]


def test_images_before_the_first_pair_are_not_lost_those_after_are():
    pairs = Pairs(sync='exact')
    for stamp in (1000, 2000):
        pairs.image(stamp)
    pairs.info(2000)
    assert pairs.lost == 0
    for stamp in (3000, 4000, 5000):
        pairs.image(stamp)
    pairs.info(5000)
    assert pairs.lost == 2
    assert [image for image, _, _ in pairs.delivered] == [2000, 5000]


def test_an_image_that_was_left_out_is_not_delivered_later():
    pairs = Pairs(sync='approximate', sync_slop=0.1)
    for add, stamp in (
        (pairs.image, 0), (pairs.info, 0), (pairs.image, 1000), (pairs.image, 1033),
        (pairs.info, 1020), (pairs.image, 1067), (pairs.info, 1053), (pairs.info, 1087),
    ):  # fmt: skip
        add(stamp)
    assert [pair[:2] for pair in pairs.delivered] == [(0, 0), (1033, 1020), (1067, 1053)]
    assert pairs.lost == 1


def test_the_image_that_has_waited_longest_is_dropped_from_a_full_queue():
    pairs = Pairs(sync='exact', sync_queue=2)
    assert [pairs.image(stamp) for stamp in (1000, 2000, 3000)] == [False, False, True]
    for stamp in (1000, 2000, 3000):
        pairs.info(stamp)
    assert [image for image, _, _ in pairs.delivered] == [2000, 3000]


@pytest.mark.parametrize(('behind', 'lags'), [(2, False), (3, True)])
def test_what_lags_by_more_than_the_queue_holds(behind, lags):
    for late in ('images', 'camera infos'):
        pairs = Pairs(sync='exact', sync_queue=3)
        first, second = pairs.info, pairs.image
        if late == 'camera infos':
            first, second = second, first
        for number in range(9):
            first(1000 * number)
            if number >= behind:
                second(1000 * (number - behind))
        assert bool(pairs.delivered) is not lags
        assert pairs.pairing.lag().startswith(late if lags else '')
        assert ('set sync_queue higher' in pairs.pairing.lag()) is lags


@pytest.mark.parametrize('offset_ms', [-1_000_000, 100, 1_000_000])
def test_another_clock_is_no_lag(offset_ms):
    pairs = Pairs(sync='exact', sync_queue=3)
    for number in range(9):
        pairs.info(2_000_000 + offset_ms + 1000 * number)
        pairs.image(2_000_000 + 1000 * number)
    assert pairs.delivered == []
    assert pairs.pairing.lag() == ''


def test_an_image_without_camera_info_among_quicker_ones_is_no_lag():
    pairs = Pairs(sync='exact', sync_queue=3)
    pairs.info(900)
    pairs.image(1000)
    for stamp in range(1050, 3000, 100):
        pairs.info(stamp)
    assert pairs.pairing.lag() == ''
