"""A stand-in for the Python half of ROS 2's message_filters, for machines without ROS.

It has the names and the behaviour of the Jazzy package that a subscriber to several topics needs:
filters are chained by callbacks, and synchronisers match messages by the stamp in their header.
Set-up installs it only where there is no ROS, so the real package is never hidden.
"""

import itertools
import threading

from rclpy.clock import ROSClock
from rclpy.duration import Duration
from rclpy.logging import get_logger
from rclpy.time import Time

__all__ = [
    'ApproximateTimeSynchronizer',
    'Cache',
    'SimpleFilter',
    'Subscriber',
    'TimeSynchronizer',
]


def _stamp_of(message, allow_headerless):
    """Return a message's stamp as a Time; now, or None with a warning, where it has none."""
    stamp = getattr(getattr(message, 'header', None), 'stamp', None)
    if stamp is not None:
        return stamp if isinstance(stamp, Time) else Time.from_msg(stamp)
    if allow_headerless:
        return ROSClock().now()
    get_logger('message_filters').warning(
        f'dropped a {type(message).__name__}: expected header.stamp, got a message without one; '
        'pass allow_headerless=True to stamp such messages with the time of arrival'
    )
    return None


class SimpleFilter:
    """Something that puts out messages: the base of all filters."""

    def __init__(self):
        self.callbacks = {}

    def registerCallback(self, cb, *args):
        """Call cb(*messages, *args) at each output; return the number of the connection."""
        connection = len(self.callbacks)
        self.callbacks[connection] = (cb, args)
        return connection

    def signalMessage(self, *msg):
        """Hand messages to every registered callback, in the order of registration."""
        for callback, arguments in list(self.callbacks.values()):
            callback(*msg, *arguments)


class Subscriber(SimpleFilter):
    """A subscription as the first filter of a chain: Subscriber(node, msg_type, topic, **kwargs).

    The keyword arguments are those of Node.create_subscription; qos_profile is 10 by default.
    Attributes that a filter lacks are looked up in the subscription, as the real package does.
    """

    def __init__(self, node, msg_type, topic, **kwargs):
        super().__init__()
        self.node = node
        self.topic = topic
        kwargs.setdefault('qos_profile', 10)
        self.sub = node.create_subscription(msg_type, topic, self.callback, **kwargs)

    def callback(self, msg):
        """Pass a message on to the filters behind this one."""
        self.signalMessage(msg)

    def getTopic(self):
        """Return the topic as it was given, before remapping."""
        return self.topic

    def __getattr__(self, key):
        # Only reached for unknown names; 'sub' itself is unknown until the subscription exists.
        if key == 'sub':
            raise AttributeError(key)
        return getattr(self.sub, key)


class Cache(SimpleFilter):
    """Keeps the newest messages, in the order in which they came, and passes each one on."""

    def __init__(self, f, cache_size=1, allow_headerless=False):
        super().__init__()
        self.cache_size = cache_size
        self.allow_headerless = allow_headerless
        self.cache_msgs = []
        self.cache_times = []
        self.connectInput(f)

    def connectInput(self, f):
        """Take messages from another filter."""
        self.incoming_connection = f.registerCallback(self.add)

    def add(self, msg):
        """Store a message, forget the oldest where there are too many, and pass it on."""
        stamp = _stamp_of(msg, self.allow_headerless)
        if stamp is None:
            return
        self.cache_msgs = [*self.cache_msgs, msg][-self.cache_size :]
        self.cache_times = [*self.cache_times, stamp][-self.cache_size :]
        self.signalMessage(msg)

    def _select(self, accepts):
        pairs = zip(self.cache_msgs, self.cache_times, strict=True)
        return [message for message, stamp in pairs if accepts(stamp)]

    def getInterval(self, from_stamp, to_stamp):
        """Return the messages stamped within an interval, both ends included."""
        if from_stamp > to_stamp:
            raise ValueError(f'expected from_stamp <= to_stamp, got {from_stamp} > {to_stamp}')
        return self._select(lambda stamp: from_stamp <= stamp <= to_stamp)

    def getElemAfterTime(self, stamp):
        """Return the first message stamped at or after a time, or None."""
        return next(iter(self._select(lambda other: other >= stamp)), None)

    def getElemBeforeTime(self, stamp):
        """Return the last message stamped at or before a time, or None."""
        return next(reversed(self._select(lambda other: other <= stamp)), None)

    def getLastestTime(self):
        """Return the stamp of the message that came last, or None."""
        return self.cache_times[-1] if self.cache_times else None

    def getOldestTime(self):
        """Return the stamp of the message that came first, or None."""
        return self.cache_times[0] if self.cache_times else None

    def getLast(self):
        """Return the first message that is as new as the last one, or None."""
        latest = self.getLastestTime()
        return None if latest is None else self.getElemAfterTime(latest)


class TimeSynchronizer(SimpleFilter):
    """Puts out one message of every input as soon as all of them have the same stamp.

    Each input has a queue of at most queue_size messages, keyed by stamp in nanoseconds; where it
    runs over, the oldest stamp goes. The callback gets a message per input, in the inputs' order.
    """

    def __init__(self, fs, queue_size):
        super().__init__()
        self.queue_size = queue_size
        self.lock = threading.Lock()
        self.connectInput(fs)

    def connectInput(self, fs):
        """Take messages from other filters, one queue for each."""
        filters = list(fs)
        self.queues = [{} for _ in filters]
        self.input_connections = [
            source.registerCallback(self.add, queue, index)
            for index, (source, queue) in enumerate(zip(filters, self.queues, strict=True))
        ]

    def add(self, msg, my_queue, my_queue_index=None):
        """Store a message and put out every set of equal stamps, the oldest first."""
        with self.lock:
            self._store(msg, Time.from_msg(msg.header.stamp).nanoseconds, my_queue)
            for stamp in sorted(set.intersection(*map(set, self.queues))):
                self._put_out([stamp] * len(self.queues))

    def _store(self, message, stamp_ns, queue):
        queue[stamp_ns] = message
        while len(queue) > self.queue_size:
            del queue[min(queue)]

    def _put_out(self, stamps_ns):
        matched = list(zip(self.queues, stamps_ns, strict=True))
        self.signalMessage(*(queue[stamp] for queue, stamp in matched))
        for queue, stamp in matched:
            del queue[stamp]


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """Puts out one message of every input where all their stamps lie within slop seconds.

    A new message is matched at once with the nearest messages of the other queues: a candidate may
    be slop away from it, and the whole set must span less than slop. Nothing waits for a better
    match that could still come.
    """

    def __init__(self, fs, queue_size, slop, allow_headerless=False):
        super().__init__(fs, queue_size)
        self.slop = Duration(seconds=slop)
        self.allow_headerless = allow_headerless

    def add(self, msg, my_queue, my_queue_index=None):
        """Store a message and put out at most one set, one that contains it."""
        stamp = _stamp_of(msg, self.allow_headerless)
        if stamp is None:
            return
        with self.lock:
            self._store(msg, stamp.nanoseconds, my_queue)
            match = self._find_match(stamp.nanoseconds, my_queue_index)
            if match is not None:
                self._put_out(match)

    def _find_match(self, stamp_ns, index):
        """Return one stamp per queue whose span is below the slop, near ones first, or None."""
        slop_ns = self.slop.nanoseconds
        candidates = []
        for number, queue in enumerate(self.queues):
            near = [stamp_ns] if number == index else list(queue)
            near = [stamp for stamp in near if abs(stamp - stamp_ns) <= slop_ns]
            candidates.append(sorted(near, key=lambda stamp: abs(stamp - stamp_ns)))
        for match in itertools.product(*candidates):
            # A message may be older than all that its full queue kept: then it is in none.
            kept = all(s in queue for s, queue in zip(match, self.queues, strict=True))
            if kept and max(match) - min(match) < slop_ns:
                return match
        return None
