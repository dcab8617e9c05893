"""message_filters as the node uses it: the stand-in without a ROS, else the real package."""

import threading
from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy')

from builtin_interfaces.msg import Time as TimeMessage
from message_filters import (
    ApproximateTimeSynchronizer,
    Cache,
    SimpleFilter,
    Subscriber,
    TimeSynchronizer,
)
from rclpy.time import Time
from std_msgs.msg import Header, String

MS = 1_000_000  # nanoseconds


def stamped(nanoseconds, name=''):
    stamp = TimeMessage(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)
    return SimpleNamespace(header=Header(stamp=stamp), name=name)


class Inputs:
    """Two or more filters to feed by hand, and what a synchroniser behind them puts out."""

    def __init__(self, make, count=2):
        self.filters = [SimpleFilter() for _ in range(count)]
        self.outputs = []
        self.synchronizer = make(self.filters)
        self.synchronizer.registerCallback(lambda *messages: self.outputs.append(messages))

    def feed(self, index, nanoseconds):
        message = stamped(nanoseconds)
        self.filters[index].signalMessage(message)
        return message

    @property
    def stamps(self):
        return [
            tuple(Time.from_msg(message.header.stamp).nanoseconds for message in messages)
            for messages in self.outputs
        ]


def exact(queue_size=10, count=2):
    return Inputs(lambda filters: TimeSynchronizer(filters, queue_size), count)


def approximate(queue_size=10, slop=0.01, count=2, **options):
    return Inputs(
        lambda filters: ApproximateTimeSynchronizer(filters, queue_size, slop, **options), count
    )


def test_callbacks_come_in_order_with_their_own_arguments():
    source, calls = SimpleFilter(), []
    first = source.registerCallback(lambda *a: calls.append(('first', *a)), 'x', 1)
    second = source.registerCallback(lambda *a: calls.append(('second', *a)))
    source.signalMessage('message', 'other')
    assert first != second
    assert calls == [('first', 'message', 'other', 'x', 1), ('second', 'message', 'other')]


def test_exact_stamps_are_matched_whatever_comes_first():
    inputs = exact()
    image = inputs.feed(0, 5 * MS)
    assert inputs.outputs == []
    info = inputs.feed(1, 5 * MS)
    assert inputs.outputs == [(image, info)]
    info = inputs.feed(1, 6 * MS)
    image = inputs.feed(0, 6 * MS)
    assert inputs.outputs[1:] == [(image, info)]


def test_exact_does_not_take_a_neighbour():
    inputs = exact()
    inputs.feed(0, 5 * MS)
    inputs.feed(1, 5 * MS + 1)
    assert inputs.outputs == []


def test_exact_puts_out_each_set_once():
    inputs = exact()
    for index in (0, 1, 1, 0):
        inputs.feed(index, MS)
    # The second pair of the same stamp is a new set; the first was used up.
    assert inputs.stamps == [(MS, MS), (MS, MS)]


def test_exact_of_three_waits_for_the_last():
    inputs = exact(count=3)
    inputs.feed(2, MS)
    inputs.feed(0, MS)
    assert inputs.outputs == []
    inputs.feed(1, MS)
    assert inputs.stamps == [(MS, MS, MS)]


def test_exact_matches_out_of_order_and_forgets_the_oldest_beyond_the_queue():
    inputs = exact(queue_size=2)
    for stamp in (3, 1, 2):
        inputs.feed(0, stamp * MS)
    inputs.feed(1, 1 * MS)  # forgotten by the other queue, though it did not come first
    inputs.feed(1, 3 * MS)
    inputs.feed(1, 2 * MS)
    assert inputs.stamps == [(3 * MS, 3 * MS), (2 * MS, 2 * MS)]


def test_approximate_takes_what_lies_within_the_slop():
    inputs = approximate(slop=0.01)
    image = inputs.feed(0, 100 * MS)
    info = inputs.feed(1, 109 * MS)
    assert inputs.outputs == [(image, info)]


@pytest.mark.parametrize('offset', [10 * MS, -10 * MS, 11 * MS])
def test_approximate_leaves_what_is_a_whole_slop_away(offset):
    inputs = approximate(slop=0.01)
    inputs.feed(0, 100 * MS)
    inputs.feed(1, 100 * MS + offset)
    assert inputs.outputs == []


def test_approximate_takes_the_nearest_of_what_is_there():
    inputs = approximate(slop=0.05)
    for stamp in (90, 98, 105, 120):
        inputs.feed(0, stamp * MS)
    inputs.feed(1, 100 * MS)
    assert inputs.stamps == [(98 * MS, 100 * MS)]
    inputs.feed(1, 101 * MS)
    assert inputs.stamps[1:] == [(105 * MS, 101 * MS)]


def test_approximate_does_not_wait_for_a_better_match():
    inputs = approximate(slop=0.05)
    inputs.feed(0, 100 * MS)
    inputs.feed(1, 130 * MS)
    inputs.feed(1, 100 * MS)
    assert inputs.stamps == [(100 * MS, 130 * MS)]


def test_approximate_uses_each_message_once():
    inputs = approximate(slop=0.05)
    inputs.feed(0, 100 * MS)
    inputs.feed(1, 101 * MS)
    inputs.feed(1, 102 * MS)
    assert inputs.stamps == [(100 * MS, 101 * MS)]


def test_approximate_of_three_bounds_the_span_of_the_whole_set():
    inputs = approximate(slop=0.01, count=3)
    inputs.feed(0, 92 * MS)
    inputs.feed(1, 108 * MS)
    inputs.feed(2, 100 * MS)  # near both, but those are 16 ms apart
    assert inputs.outputs == []
    inputs.feed(1, 101 * MS)
    assert inputs.stamps == [(92 * MS, 101 * MS, 100 * MS)]


def test_approximate_matches_out_of_order_within_the_queue():
    inputs = approximate(queue_size=2, slop=0.01)
    for stamp in (300, 100, 200):
        inputs.feed(0, stamp * MS)
    inputs.feed(1, 101 * MS)
    assert inputs.outputs == []
    inputs.feed(1, 301 * MS)
    inputs.feed(1, 201 * MS)
    assert inputs.stamps == [(300 * MS, 301 * MS), (200 * MS, 201 * MS)]


def test_a_message_older_than_a_full_queue_is_not_matched():
    inputs = approximate(queue_size=1, slop=0.05)
    inputs.feed(1, 500 * MS)
    inputs.feed(0, 100 * MS)
    inputs.feed(1, 99 * MS)  # older than what its full queue keeps, so it is the one to go
    assert inputs.outputs == []


def test_headerless_messages_are_dropped_unless_they_may_be_stamped_on_arrival():
    strict = approximate()
    strict.filters[0].signalMessage(String(data='a'))
    assert strict.synchronizer.queues == [{}, {}]
    lenient = approximate(slop=5.0, allow_headerless=True)
    for source in lenient.filters:
        source.signalMessage(String(data='a'))
    assert lenient.outputs == [(String(data='a'), String(data='a'))]


def test_messages_from_several_threads_are_all_matched_once():
    inputs = exact(queue_size=1000)
    count = 200

    def feed(index):
        for stamp in range(count):
            inputs.feed(index, stamp)

    threads = [threading.Thread(target=feed, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(inputs.stamps) == [(stamp, stamp) for stamp in range(count)]


def test_cache_keeps_the_newest_and_answers_by_time():
    source = SimpleFilter()
    cache, passed = Cache(source, 3), []
    cache.registerCallback(passed.append)
    assert cache.getLast() is None
    messages = [stamped(stamp * MS) for stamp in (1, 2, 3, 4)]
    for message in messages:
        source.signalMessage(message)
    at = [Time(nanoseconds=stamp * MS, clock_type=cache.getOldestTime().clock_type)
          for stamp in range(6)]  # fmt: skip
    assert passed == messages
    assert cache.getLast() is messages[3]
    assert cache.getOldestTime() == at[2]
    assert cache.getLastestTime() == at[4]
    assert cache.getInterval(at[0], at[3]) == messages[1:3]
    assert cache.getElemAfterTime(at[3]) is messages[2]
    assert cache.getElemBeforeTime(at[3]) is messages[2]
    assert cache.getElemAfterTime(at[5]) is None
    assert cache.getElemBeforeTime(at[1]) is None


def test_subscribers_synchronise_real_messages(ros_context, spin_until):
    import rclpy
    from rclpy.qos import qos_profile_sensor_data
    from sensor_msgs.msg import CameraInfo, Image

    node = rclpy.create_node('node')
    subscribers = [
        Subscriber(node, Image, 'image', qos_profile=qos_profile_sensor_data),
        Subscriber(node, CameraInfo, 'camera_info'),
    ]
    assert [subscriber.getTopic() for subscriber in subscribers] == ['image', 'camera_info']
    assert subscribers[0].topic_name == '/image'  # from the subscription inside
    outputs = []
    synchronizer = TimeSynchronizer(subscribers, 5)
    synchronizer.registerCallback(lambda *messages: outputs.append(messages))
    images = node.create_publisher(Image, 'image', 5)
    infos = node.create_publisher(CameraInfo, 'camera_info', 5)
    both = lambda: images.get_subscription_count() and infos.get_subscription_count()  # noqa: E731
    assert spin_until(both, node)
    header = stamped(7 * MS).header
    images.publish(Image(header=header, width=4, height=3))
    infos.publish(CameraInfo(header=header, width=4, height=3))
    assert spin_until(lambda: outputs, node)
    image, info = outputs[0]
    assert (type(image), type(info)) == (Image, CameraInfo)
    assert image.header == info.header == header
    node.destroy_node()
