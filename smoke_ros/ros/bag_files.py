"""The files of a bag: what they are called, and how rosbag2 compresses them and their messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

# Not in its documented interface; the version of rosbags is pinned, and tests cover each use.
from rosbags.rosbag2.storage_mcap import zstd

STORAGE_SUFFIXES = ('.mcap', '.db3')
#: Of a file that is compressed as a whole, behind that of its storage.
PACKED_SUFFIX: Final = '.zstd'
ZSTD_MAGIC: Final = b'\x28\xb5\x2f\xfd'
_BLOCK = 1 << 20


def bag_name(bag: Path) -> str:
    """Return what a bag is called: its folder, or its file without suffixes.

    What follows the last dot of a folder is no suffix: folders are called ``2026.05.01``.
    """
    path = bag.resolve()
    return unpacked_path(path).stem if path.is_file() else path.name


def is_packed(path: Path) -> bool:
    """Return whether a file is compressed as a whole."""
    return path.suffix == PACKED_SUFFIX


def unpacked_path(path: Path) -> Path:
    """Return what a file was called before it was compressed."""
    return path.with_suffix('') if is_packed(path) else path


def storage_files(folder: Path) -> list[Path]:
    """List a bag's files in the order in which they were recorded, drive_10 behind drive_9.

    Of a file that is there both ways only the uncompressed one is listed: rosbag2 removes it once
    it is compressed, so that the other one was cut off.
    """
    found = {path for path in folder.iterdir() if unpacked_path(path).suffix in STORAGE_SUFFIXES}
    listed = [path for path in found if not is_packed(path) or unpacked_path(path) not in found]
    return sorted(listed, key=_numbers)


def _numbers(path: Path) -> tuple[list[int], str]:
    stem = unpacked_path(path).stem
    return [int(digits) for digits in re.findall(r'\d+', stem)] or [0], stem


def unpack_file(packed: Path, unpacked: Path) -> None:
    """Decompress a file, a block at a time.

    Raises
    ------
    ValueError
        If it is damaged; what lies before the damage was written then.
    """
    with packed.open('rb') as source, unpacked.open('wb') as target:
        try:
            with zstd.open(source) as stream:
                # Unlike read, read1 hands out what it has before it comes upon damage.
                while block := stream.read1(_BLOCK):
                    target.write(block)
        except (EOFError, zstd.ZstdError) as error:
            raise ValueError(
                f'{packed}: its compression is damaged, what follows byte {target.tell()} of its '
                f'content is lost: {error}'
            ) from error


def unpack_message(data: bytes) -> bytes:
    """Undo rosbag2's compression of a single message, of which its file itself does not tell.

    No message begins as compressed data does: its first byte is 0.

    Raises
    ------
    zstd.ZstdError
        If it is damaged.
    """
    return zstd.decompress(data) if data.startswith(ZSTD_MAGIC) else data
