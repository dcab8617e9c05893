"""Reads what is left of damaged storage files, message by message, without their index."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import lz4.frame

# Not in its documented interface; the version of rosbags is pinned, and tests cover each kind.
from rosbags.rosbag2.storage_mcap import decompress, zstd

from smoke_ros.ros.bag_files import (
    PACKED_SUFFIX,
    STORAGE_SUFFIXES,
    is_packed,
    unpack_file,
    unpack_message,
    unpacked_path,
)

MCAP_MAGIC: Final = b'\x89MCAP0\r\n'
#: Kinds of MCAP records.
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 3, 4, 5, 6, 15
#: Of a chunk at which a file ends, the most that is read; they are of 1 MB, as a rule.
LARGEST_CUT_CHUNK = 1 << 28
_DECOMPRESS_BEGUN: dict[str, Callable[[bytes], bytes]] = {
    '': bytes,
    'lz4': lambda data: lz4.frame.LZ4FrameDecompressor().decompress(data),
    'zstd': lambda data: zstd.ZstdDecompressor().decompress(data),
}
#: Lost rows in a row after which an SQLite file is given up.
MOST_LOST_ROWS = 1000


@dataclass(frozen=True)
class SalvagedMessage:
    """A message of a damaged file."""

    topic: str
    type_name: str
    stamp_ns: int
    data: bytes


def salvage(path: Path, problems: list[str]) -> Iterator[SalvagedMessage]:
    """Read a .mcap or .db3 file from its beginning, in the order of the file.

    One that is compressed is unpacked first, as far as it goes, into a temporary file.
    ``problems`` is told at the end, in sentences, what could not be read. Memory is needed for
    one chunk.
    """
    said: list[str] = []
    if unpacked_path(path).suffix not in STORAGE_SUFFIXES:
        said.append(
            f'expected a file in {" or ".join(STORAGE_SUFFIXES)}, also with {PACKED_SUFFIX} '
            f'behind it, got {path.suffix!r}: give a bag, or one of its files'
        )
    elif is_packed(path):
        with tempfile.TemporaryDirectory() as folder:
            unpacked = Path(folder, path.stem)
            try:
                unpack_file(path, unpacked)
            except ValueError as error:
                problems.append(str(error))
            yield from _scan(unpacked, said)
    else:
        yield from _scan(path, said)
    problems += [f'{path}: {text}' for text in said]


def _scan(path: Path, said: list[str]) -> Iterator[SalvagedMessage]:
    if path.suffix == '.mcap':
        yield from _McapScan(path, said).messages()
    else:
        yield from _scan_sqlite(path, said)


class _McapScan:
    """One pass through an MCAP file."""

    def __init__(self, path: Path, problems: list[str]) -> None:
        self._path, self._problems = path, problems
        self._schemas: dict[int, str] = {}
        #: Topics, and the numbers of their schemas.
        self._channels: dict[int, tuple[str, int]] = {}
        self._has_looked_ahead = False
        self._lost_records = self._nameless = 0

    def messages(self) -> Iterator[SalvagedMessage]:
        """Yield the messages of all chunks that are whole."""
        lost = 0
        with self._path.open('rb') as file:
            if file.read(len(MCAP_MAGIC)) != MCAP_MAGIC:
                self._problems.append('is not an MCAP file')
                return
            for kind, content in self._file_records(file):
                if kind != _CHUNK:
                    yield from self._tried(kind, content)
                    continue
                try:
                    records = list(_split_records(_unpack_chunk(content)))
                except Exception:  # noqa: BLE001, whatever a decompressor makes of damaged bytes
                    lost += 1
                    continue
                for inner_kind, inner in records:
                    yield from self._tried(inner_kind, inner)
        for count, what, why in (
            (lost, 'damaged chunk', ''),
            (self._lost_records, 'damaged message', ''),
            (self._nameless, 'message', ': what names the topic is lost'),
        ):
            if count:
                self._problems.append(f'{count} {what}{"s" if count > 1 else ""} left out{why}')

    def _file_records(self, file: BinaryIO) -> Iterator[tuple[int, bytes]]:
        size = self._path.stat().st_size
        while True:
            at = file.tell()
            head = file.read(9)
            length = struct.unpack('<Q', head[1:])[0] if len(head) == 9 else size
            if len(head) < 9 or at + 9 + length > size:
                saved = 0
                if head[:1] == bytes([_CHUNK]):
                    for kind, content in _split_begun_chunk(file.read(LARGEST_CUT_CHUNK)):
                        saved += kind == _MESSAGE
                        yield kind, content
                but_for = f' but for {saved} messages' if saved else ''
                self._problems.append(
                    f'ends in the middle, what follows byte {at} of {size} is lost{but_for}'
                )
                return
            content = file.read(length)
            if head[0] == _DATA_END:
                return
            yield head[0], content

    def _tried(self, kind: int, content: bytes) -> Iterator[SalvagedMessage]:
        """Read a record; one that is damaged is counted, and costs no other."""
        try:
            message = self._record(kind, content)
        except Exception:  # noqa: BLE001, whatever struct or a decompressor makes of it
            self._lost_records += 1
            return
        if message is not None:
            yield message

    def _record(self, kind: int, content: bytes) -> SalvagedMessage | None:
        if kind == _MESSAGE:
            return self._message(content)
        if kind == _SCHEMA:
            (number,) = struct.unpack_from('<H', content)
            self._schemas[number] = _text(content, 2)[0]
        elif kind == _CHANNEL:
            number, schema = struct.unpack_from('<HH', content)
            self._channels[number] = (_text(content, 4)[0], schema)
        return None

    def _message(self, content: bytes) -> SalvagedMessage | None:
        number, _, stamp_ns, _ = struct.unpack_from('<HIQQ', content)
        if self._channels.get(number, ('', None))[1] not in self._schemas:
            self._look_ahead()
        if number not in self._channels:
            self._nameless += 1
            return None
        topic, schema = self._channels[number]
        type_name = self._schemas.get(schema, '')
        return SalvagedMessage(topic, type_name, stamp_ns, unpack_message(content[22:]))

    def _look_ahead(self) -> None:
        """Learn the names of topics and types that were lost with the chunk they stood in.

        Writers repeat them behind the data, where there is no chunk around them.
        """
        if self._has_looked_ahead:
            return
        self._has_looked_ahead = True
        for kind, content in _definitions(self._path):
            with contextlib.suppress(struct.error, UnicodeDecodeError):  # one that is damaged too
                self._record(kind, content)


def _definitions(path: Path) -> Iterator[tuple[int, bytes]]:
    """Read the records outside of chunks, to the end of the file, that name topics and types."""
    size = path.stat().st_size
    with path.open('rb') as file:
        file.seek(len(MCAP_MAGIC))
        while len(head := file.read(9)) == 9:
            kind, length = struct.unpack('<BQ', head)
            if file.tell() + length > size:
                return
            if kind in (_SCHEMA, _CHANNEL):
                yield kind, file.read(length)
            else:
                file.seek(length, os.SEEK_CUR)


def _unpack_chunk(content: bytes) -> bytes:
    size, checksum = struct.unpack_from('<QI', content, 16)
    compression, packed, _ = _packed_records(content)
    return decompress(packed, compression, size, checksum)


def _packed_records(content: bytes) -> tuple[str, bytes, bool]:
    """Return how a chunk's records are compressed, what there is of them, and if that is all."""
    compression, at = _text(content, 28)
    (length,) = struct.unpack_from('<Q', content, at)
    packed = content[at + 8 : at + 8 + length]
    return compression, packed, len(packed) == length


def _split_begun_chunk(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Split what there is of a chunk that was cut off; the checksum is that of all of it."""
    try:
        compression, begun, is_whole = _packed_records(content)
        # Where the file is whole and only says that it is not, the checksum counts.
        data = _unpack_chunk(content) if is_whole else _DECOMPRESS_BEGUN[compression](begun)
    except Exception:  # noqa: BLE001, whatever a decompressor makes of damaged bytes
        return
    with contextlib.suppress(ValueError, struct.error):  # the record in which it ends
        yield from _split_records(data)


def _split_records(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from('<BQ', data, at)
        at += 9
        if at + length > len(data):
            raise ValueError('a record reaches beyond its chunk')
        yield kind, data[at : at + length]
        at += length


def _text(content: bytes, at: int) -> tuple[str, int]:
    """Return the text at an offset, and where it ends."""
    (length,) = struct.unpack_from('<I', content, at)
    end = at + 4 + length
    return content[at + 4 : end].decode(), end


def has_write_ahead_log(path: Path) -> bool:
    """Return whether a cut-off recording left messages of a .db3 file in a log beside it."""
    log = path.with_name(f'{path.name}-wal')
    return log.is_file() and log.stat().st_size > 0


def _scan_sqlite(path: Path, problems: list[str]) -> Iterator[SalvagedMessage]:
    # What a recording that was cut off has not yet moved from its log into the file counts too.
    mode = 'mode=ro' if has_write_ahead_log(path) else 'immutable=1'
    database = sqlite3.connect(f'{path.absolute().as_uri()}?{mode}', uri=True)
    try:
        # Without it SQLite refuses a file that is shorter than it was.
        database.execute('PRAGMA writable_schema = ON')
        topics = {
            row[0]: (row[1], row[2])
            for row in database.execute('SELECT id, name, type FROM topics')
        }
        yield from _rows(database, topics, problems)
    except sqlite3.Error as error:
        problems.append(f'nothing can be read: {error}')
    finally:
        database.close()


def _rows(
    database: sqlite3.Connection, topics: dict[int, tuple[str, str]], problems: list[str]
) -> Iterator[SalvagedMessage]:
    number = lost = 0
    # Since the last row that was read: those that could not be, and those that are not there.
    failed = missing = 0
    reason = ''
    query = 'SELECT topic_id, timestamp, data FROM messages WHERE id = ?'
    while failed + missing < MOST_LOST_ROWS:
        number += 1
        try:
            row = database.execute(query, (number,)).fetchone()
        except sqlite3.Error as error:
            failed, reason = failed + 1, str(error)
            continue
        if row is None:
            # The end, or the row of a spoilt page that SQLite passes over without a word.
            missing += 1
            continue
        if missing:
            reason = reason or 'rows are missing'
        lost += failed + missing
        failed = missing = 0
        if row[0] not in topics:
            lost, reason = lost + 1, 'what names the topic is lost'
            continue
        try:
            data = unpack_message(row[2])
        except Exception as error:  # noqa: BLE001, whatever the decompressor makes of it
            lost, reason = lost + 1, str(error)
            continue
        yield SalvagedMessage(*topics[row[0]], row[1], data)
    if lost or failed:
        what = f'{lost} messages' if lost else 'no message'
        # Of rows that are not there, none is known to be lost at the end.
        end = f', and all behind number {number - failed - missing}' if failed else ''
        problems.append(f'{what} between others lost{end}: {reason}')
