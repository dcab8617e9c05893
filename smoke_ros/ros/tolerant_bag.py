"""Reads a bag as far as it can be read: what is damaged is reported, and left out."""

from __future__ import annotations

import logging
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType

from rclpy.qos import QoSProfile

from smoke_ros.ros.bag_files import storage_files
from smoke_ros.ros.bag_qos import DEPTH
from smoke_ros.ros.bags import BagMessage, BagReader, BagTopic
from smoke_ros.ros.salvage import salvage

logger = logging.getLogger(__name__)


class TolerantBag:
    """A bag that is read in spite of damage. To be used with ``with``.

    Attributes
    ----------
    path
        Of the bag.
    topics
        By name.
    message_count, first_ns, duration_s
        Of all topics, when the first was received, and how long after it the last; of what can be
        read.
    problems
        Sentences on what could not be read; they are complete when all was read.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    ValueError
        If nothing at all can be read of it.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.topics: dict[str, BagTopic] = {}
        self.message_count, self.first_ns, self.duration_s = 0, 0, 0.0
        self.problems: list[str] = []
        self._reader: BagReader | None = None
        self._warnings: set[str] = set()

    def __enter__(self) -> TolerantBag:
        if not self.path.exists():
            raise FileNotFoundError(f'no bag at {self.path}')
        try:
            self._reader = BagReader(self.path).__enter__()
        except (ValueError, FileNotFoundError) as error:
            self._reader = None
            self.problems.append(str(error))
            self._survey()
        else:
            self.topics = self._reader.topics
            self.message_count = self._reader.message_count
            self.first_ns = self._reader.first_ns
            self.duration_s = self._reader.duration_s
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._reader is not None:
            self._reader.__exit__(kind, error, trace)

    def messages(self, topics: Collection[str]) -> Iterator[BagMessage]:
        """Read the messages of some topics, in the order they were received.

        Behind damage, and in a bag without a usable index, the order is that of the files.
        """
        if self._reader is None:
            yield from self._salvaged(topics, [])
            return
        read = _ReadMessages()
        try:
            for message in self._reader.messages(topics):
                read.add(message)
                yield message
        except ValueError as error:
            self.note(str(error))
            yield from read.others(self._salvaged(topics, self.problems))

    def _salvaged(self, topics: Collection[str], problems: list[str]) -> Iterator[BagMessage]:
        for file in self._files():
            said: list[str] = []
            for message in salvage(file, said):
                if message.topic in topics:
                    yield BagMessage(message.topic, message.stamp_ns, message.data)
            problems += [text for text in said if text not in problems]

    def _files(self) -> list[Path]:
        return storage_files(self.path) if self.path.is_dir() else [self.path]

    def _survey(self) -> None:
        """Find out what there is by reading all of it once."""
        counts: dict[str, int] = {}
        types: dict[str, str] = {}
        first_ns, last_ns = None, 0
        for file in self._files():
            for message in salvage(file, self.problems):
                counts[message.topic] = counts.get(message.topic, 0) + 1
                types[message.topic] = message.type_name
                first_ns = min(message.stamp_ns, first_ns or message.stamp_ns)
                last_ns = max(message.stamp_ns, last_ns)
        if first_ns is None:
            raise ValueError('; '.join(self.problems))
        self.first_ns, self.message_count = first_ns, sum(counts.values())
        self.duration_s = (last_ns - first_ns) * 1e-9
        self.topics = {
            name: BagTopic(name, types[name], counts[name], QoSProfile(depth=DEPTH), '')
            for name in sorted(types)
        }

    def note(self, problem: str) -> None:
        """Add a problem, once."""
        if problem not in self.problems:
            self.problems.append(problem)

    def warn(self, text: str) -> None:
        """Log what is odd and no problem, once, however often the bag is read."""
        if text not in self._warnings:
            self._warnings.add(text)
            logger.warning('%s: %s', self.path, text)


class _ReadMessages:
    """Which messages were read, for leaving them out later; 8 bytes for each until then.

    Each is known by its topic and by when it was received. How many there are of each kind is all
    that counts, not in which order they come: an index has the messages of a file in the order of
    their times, the file itself in that of the recording, and a clock that was set back between
    two files leads back in time in both. Of messages that agree in both, the earlier in the file
    is read first either way.
    """

    def __init__(self) -> None:
        self._stamps: defaultdict[str, array[int]] = defaultdict(lambda: array('Q'))

    def add(self, message: BagMessage) -> None:
        """Note a message."""
        self._stamps[message.topic].append(_unsigned(message.stamp_ns))

    def others(self, messages: Iterator[BagMessage]) -> Iterator[BagMessage]:
        """Leave out as many messages of each topic and time as were noted."""
        noted = {topic: Counter(stamps) for topic, stamps in self._stamps.items()}
        for message in messages:
            counts, stamp = noted.get(message.topic, Counter()), _unsigned(message.stamp_ns)
            if counts[stamp]:
                counts[stamp] -= 1
            else:
                yield message


def _unsigned(stamp_ns: int) -> int:
    """Return a time as an MCAP file stores it; what is damaged may be before 1970."""
    return stamp_ns & (1 << 64) - 1
