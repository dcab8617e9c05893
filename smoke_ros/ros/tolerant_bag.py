"""Reads a bag as far as it can be read: what is damaged is reported, and left out."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from types import TracebackType

from rclpy.qos import QoSProfile

from smoke_ros.ros.bag_qos import DEPTH
from smoke_ros.ros.bags import BagMessage, BagReader, BagTopic
from smoke_ros.ros.salvage import salvage

logger = logging.getLogger(__name__)

STORAGE_SUFFIXES = ('.mcap', '.db3')


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
        last_ns, at_last = -1, 0
        try:
            for message in self._reader.messages(topics):
                same = message.stamp_ns == last_ns
                last_ns, at_last = message.stamp_ns, at_last + 1 if same else 1
                yield message
        except ValueError as error:
            self.note(str(error))
            yield from _behind(self._salvaged(topics, self.problems), last_ns, at_last)

    def _salvaged(self, topics: Collection[str], problems: list[str]) -> Iterator[BagMessage]:
        for file in self._files():
            said: list[str] = []
            for message in salvage(file, said):
                if message.topic in topics:
                    yield BagMessage(message.topic, message.stamp_ns, message.data)
            problems += [text for text in said if text not in problems]

    def _files(self) -> list[Path]:
        if not self.path.is_dir():
            return [self.path]
        found = [path for path in self.path.iterdir() if path.suffix in STORAGE_SUFFIXES]
        # drive_10 comes behind drive_9.
        return sorted(found, key=lambda p: [int(n) for n in re.findall(r'\d+', p.stem)] or [0])

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


def _behind(messages: Iterator[BagMessage], last_ns: int, at_last: int) -> Iterator[BagMessage]:
    """Leave out what was read before: all up to a time, and some of that time."""
    for message in messages:
        if message.stamp_ns > last_ns:
            yield message
        elif message.stamp_ns == last_ns:
            at_last -= 1
            if at_last < 0:
                yield message
