"""Bags: rosbag2 recordings, written and read without rosbag2.

Messages are rclpy's own and are turned into bytes by rclpy; the package rosbags stores the bytes,
as MCAP or SQLite. A bag says of each of its types what it looks like, so that other programs can
read it. One message at a time is held in memory, and one chunk of the file.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.interfaces import Connection, ConnectionExtRosbag2
from rosbags.rosbag2 import Reader, ReaderError, StoragePlugin, Writer

from smoke_ros.ros.bag_files import is_packed, unpack_file, unpack_message
from smoke_ros.ros.bag_qos import bag_qos, profile_from_bag
from smoke_ros.ros.message_types import MessageClass, describe, message_class, type_name
from smoke_ros.ros.salvage import has_write_ahead_log

#: The storages of rosbag2, by the names it gives them.
STORAGES = {'mcap': StoragePlugin.MCAP, 'sqlite3': StoragePlugin.SQLITE3}

#: The latest bag format whose metadata ROS 2 Humble's rosbag2 reads; later ones read it as well.
FORMAT_VERSION: Final = 8

#: Bags that an error names, of those in a folder that is none.
MOST_NAMED = 3


class BagWriter:
    """Writes a bag, whole or not at all.

    To be used with ``with``. The folder appears under its name when the block ends well; where it
    raises, nothing is left. (Of a process that was killed, a hidden folder ``.NAME.*`` remains.)

    Parameters
    ----------
    path
        The bag's folder.
    storage
        'mcap' or 'sqlite3'.
    overwrite
        Whether a bag that is there already may be replaced.

    Raises
    ------
    FileExistsError
        If there is something at ``path`` that may not be replaced.
    """

    def __init__(
        self, path: Path | str, storage: str = 'mcap', *, overwrite: bool = False
    ) -> None:
        if storage not in STORAGES:
            raise ValueError(f'storage must be one of {", ".join(STORAGES)}, got {storage!r}')
        self.path = Path(path)
        if self.path.exists() and not (overwrite and _is_bag(self.path)):
            raise FileExistsError(
                f'{self.path} exists already' + ('' if not overwrite else ' and is not a bag')
            )
        self._storage = STORAGES[storage]
        self._folder: Path | None = None
        self._writer: Writer | None = None
        self._connections: dict[str, Connection] = {}
        self._classes: dict[str, MessageClass] = {}

    def __enter__(self) -> BagWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(dir=self.path.parent, prefix=f'.{self.path.name}.')
        self._folder = Path(folder)
        # rosbags names the file after its folder, which therefore has its later name already.
        self._writer = Writer(
            self._folder / self.path.name, version=FORMAT_VERSION, storage_plugin=self._storage
        )
        self._writer.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._folder is not None and self._writer is not None
        try:
            if kind is None:
                self._writer.close()
                self._put_in_place(self._folder / self.path.name)
            else:
                self._writer.abort()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def add_topic(self, topic: str, message_class: MessageClass, qos: QoSProfile) -> None:
        """Announce a topic and the quality of service that its publisher offers."""
        assert self._writer is not None, 'the bag is not open'
        description = describe(message_class)
        self._connections[topic] = self._writer.add_connection(
            topic,
            description.name,
            msgdef=description.definition,
            rihs01=description.hash,
            offered_qos_profiles=[bag_qos(qos)],
        )
        self._classes[topic] = message_class

    def write(self, topic: str, message: Any, stamp_ns: int) -> None:
        """Store a message, or the bytes of one.

        Parameters
        ----------
        topic
            One that was announced.
        message
            Of the topic's class, or serialized already.
        stamp_ns
            When it was received, in nanoseconds.

        Raises
        ------
        ValueError, TypeError
            If the topic was not announced, or is of another type.
        """
        assert self._writer is not None, 'the bag is not open'
        if topic not in self._connections:
            raise ValueError(f'topic {topic} was not added; there are {list(self._connections)}')
        if not isinstance(message, bytes):
            expected = self._classes[topic]
            if not isinstance(message, expected):
                raise TypeError(
                    f'messages on {topic} must be {type_name(expected)}, got {type(message)}'
                )
            message = serialize_message(message)
        self._writer.write(self._connections[topic], stamp_ns, message)

    def _put_in_place(self, finished: Path) -> None:
        assert self._folder is not None
        if self.path.exists():
            self.path.replace(self._folder / 'replaced')
        finished.replace(self.path)


@dataclass(frozen=True)
class BagTopic:
    """A topic of a bag."""

    name: str
    type_name: str
    message_count: int
    #: What to offer when it is played.
    qos: QoSProfile
    #: REP-2011's hash of the recorded type; '' where the bag has none.
    type_hash: str

    def message_class(self) -> MessageClass:
        """Return the class of the topic's messages.

        Raises
        ------
        ValueError
            If it is not installed, or is not what was recorded.
        """
        found = message_class(self.type_name)
        if self.type_hash and describe(found).hash != self.type_hash:
            raise ValueError(
                f'topic {self.name}: {self.type_name} was recorded with another definition than '
                'is installed here; use the ROS distribution that it was recorded with'
            )
        return found


@dataclass(frozen=True)
class BagMessage:
    """A message as it lies in a bag."""

    topic: str
    #: When it was received, in nanoseconds.
    stamp_ns: int
    #: The serialized message.
    data: bytes

    def decode(self, message_class: MessageClass) -> Any:
        """Return the message.

        Raises
        ------
        ValueError
            If the bytes are not a message of that class.
        """
        try:
            return deserialize_message(self.data, message_class)
        except Exception as error:  # rclpy raises RMWError, or what its C code does
            raise ValueError(
                f'the message on {self.topic} at {self.stamp_ns} ns, {len(self.data)} bytes, is '
                f'not a {type_name(message_class)}: {error}'
            ) from error


class BagReader:
    """Reads a bag: a folder with metadata.yaml, or one .mcap or .db3 file, also compressed.

    To be used with ``with``.

    Attributes
    ----------
    topics
        By name.
    message_count
        Of all topics.
    duration_s
        From the first message to the last.
    first_ns
        When the first message was received, in nanoseconds.

    Raises
    ------
    FileNotFoundError
        If there is no bag.
    ValueError
        If it is damaged, or of a kind that cannot be read.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f'no bag at {self.path}')
        if self.path.is_dir() and not (self.path / 'metadata.yaml').exists():
            raise FileNotFoundError(_why_no_bag(self.path))
        self.topics: dict[str, BagTopic] = {}
        self.message_count = 0
        self.duration_s = 0.0
        self.first_ns = 0
        self._reader: Reader | None = None
        self._opened = contextlib.ExitStack()

    def __enter__(self) -> BagReader:
        files = sorted(self.path.glob('*.db3')) if self.path.is_dir() else [self.path]
        for file in files:
            if has_write_ahead_log(file):
                raise ValueError(
                    f'cannot read the bag {self.path}: its recording was cut off, and its end '
                    f'lies in {file.name}-wal, to be read message by message'
                )
        try:
            with contextlib.ExitStack() as stack:
                self._reader = stack.enter_context(Reader(_readable(self.path, stack)))
                self._opened = stack.pop_all()
        except Exception as error:  # rosbags lets through what damage leads to
            raise ValueError(f'cannot read the bag {self.path}: {_reason(error)}') from error
        self.topics = _topics(self._reader.connections)
        self.message_count = self._reader.message_count
        self.duration_s = max(0, self._reader.duration - 1) * 1e-9
        self.first_ns = self._reader.start_time if self.message_count else 0
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._opened.close()

    def messages(self, topics: Collection[str] | None = None) -> Iterator[BagMessage]:
        """Read messages in the order they were received.

        Parameters
        ----------
        topics
            Only these; all by default.

        Raises
        ------
        ValueError
            If a topic is not in the bag; if the bag is damaged, saying how much was read.
        """
        assert self._reader is not None, 'the bag is not open'
        unknown = sorted(set(topics or ()) - set(self.topics))
        if unknown:
            known = ', '.join(self.topics)
            raise ValueError(f'{self.path} has no topic {", ".join(unknown)}; there are {known}')
        wanted = [
            connection
            for connection in self._reader.connections
            if topics is None or connection.topic in topics
        ]
        if wanted:
            yield from self._stored(wanted)

    def _stored(self, connections: list[Connection]) -> Iterator[BagMessage]:
        assert self._reader is not None
        expected = sum(connection.msgcount for connection in connections)
        stored = self._reader.messages(connections)
        for count in itertools.count():
            try:
                connection, stamp_ns, data = next(stored)
                data = unpack_message(bytes(data))  # a file does not tell that its messages are
            except StopIteration:
                if count >= expected:
                    return
                reason = 'the rest is missing'
            except Exception as error:  # noqa: BLE001, rosbags lets through what damage leads to
                reason = _reason(error)
            else:
                yield BagMessage(connection.topic, stamp_ns, data)
                continue
            raise ValueError(
                f'the bag {self.path} is damaged after {count} of {expected} messages: {reason}'
            )


def _readable(path: Path, stack: contextlib.ExitStack) -> Path:
    """Return a bag as rosbags reads it; a file that is compressed is unpacked until the end."""
    if path.is_dir() or not is_packed(path):
        return path
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    unpacked = Path(folder, path.stem)
    unpack_file(path, unpacked)
    return unpacked


def _topics(connections: Collection[Connection]) -> dict[str, BagTopic]:
    """Merge a topic's connections: a bag has one for each quality of service."""
    topics: dict[str, BagTopic] = {}
    for connection in connections:
        assert isinstance(connection.ext, ConnectionExtRosbag2)
        known = topics.get(connection.topic)
        count = connection.msgcount + (known.message_count if known else 0)
        topics[connection.topic] = BagTopic(
            connection.topic,
            connection.msgtype,
            count,
            profile_from_bag(connection.ext.offered_qos_profiles),
            connection.digest,
        )
    return topics


def _why_no_bag(folder: Path) -> str:
    inside = sorted(file.parent for file in folder.glob('*/metadata.yaml'))
    if inside:
        named = ', '.join(map(str, inside[:MOST_NAMED]))
        return f'{folder} has no metadata.yaml: it is no bag, but has some: {named}'
    return (
        f'{folder} has no metadata.yaml: it is no bag, or its recording was cut off; give a '
        '.mcap or .db3 file in it, or let `ros2 bag reindex` repair it'
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ReaderError):
        return str(error)
    return f'{type(error).__name__}: {error}'


def _is_bag(path: Path) -> bool:
    return (path / 'metadata.yaml').is_file()
