"""Files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Collection, Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to, and move it there at the end.

    Where the block raises, nothing is left behind and an older file stays as it was. A link stays
    one: what it leads to is replaced.

    Raises
    ------
    OSError
        If there is something that is no file, such as a device or a pipe, or a folder.
    """
    path = path.resolve()
    _refuse_other_than_files(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f'.{path.name}.{secrets.token_hex(4)}{path.suffix}')
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)  # of a full disk, Python says no more than that it is
        raise
    finally:
        temporary.unlink(missing_ok=True)


def check_target(path: Path) -> None:
    """Check, before any work is done for it, that a file can be written.

    Raises
    ------
    OSError
        If a folder, or another thing that is no file, is in its place, or there is no folder that
        it could be written into.
    """
    path = path.resolve()
    _refuse_other_than_files(path)
    above = next(folder for folder in path.parents if folder.exists())
    if not above.is_dir():
        raise NotADirectoryError(f'{path} cannot be written: {above} is no folder')
    if not os.access(above, os.W_OK):
        raise PermissionError(f'{path} cannot be written: {above} is read-only')


def _refuse_other_than_files(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f'{path} is a folder, expected the name of a file to write')
    if path.exists() and not path.is_file():
        raise OSError(f'{path} is a device or a pipe, expected the name of a file to write')


def check_targets(targets: Collection[Path], inputs: Collection[Path]) -> None:
    """Check, before any work, that files can be written, each of its own and over no input.

    Raises
    ------
    ValueError
        If one would be written over an input, or twice.
    OSError
        As :func:`check_target`.
    """
    read, written = {path.resolve() for path in inputs}, set[Path]()
    for path in targets:
        check_target(path)
        place = path.resolve()
        if place in read:
            raise ValueError(f'{path} is read from and would be written over: give another place')
        if place in written:
            raise ValueError(f'{path} would be written twice: give results places of their own')
        written.add(place)


def list_files(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """List the files of a folder that have one of some suffixes, by name.

    Hidden ones are left out: they are what a killed process left of :func:`replacing`, or another
    system's notes.
    """
    return sorted(
        path for path in folder.glob('*')
        if path.suffix.lower() in suffixes and not path.name.startswith('.')
    )  # fmt: skip


def sha256(path: Path | str) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open('rb') as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def read_text(path: Path) -> str:
    """Read a UTF-8 text file, with or without a byte order mark.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no text.
    """
    try:
        return path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'{path}: expected text, got binary data') from error


def write_text_atomically(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding='utf-8')
