import errno
import os
import stat
from pathlib import Path

import pytest

from smoke_ros.files import (
    check_target,
    list_files,
    read_text,
    replacing,
    write_text_atomically,
)


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / 'new' / 'a.txt'
    with replacing(path) as temporary:
        temporary.write_text('half')
        assert not path.exists()
        assert temporary.suffix == '.txt'
    assert path.read_text() == 'half'
    assert [p.name for p in path.parent.iterdir()] == ['a.txt']


def test_after_an_error_the_old_file_stands(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    with pytest.raises(RuntimeError, match='no'), replacing(path) as temporary:
        temporary.write_text('new')
        raise RuntimeError('no')
    assert path.read_text() == 'old'
    assert [p.name for p in tmp_path.iterdir()] == ['a.txt']


def test_a_full_disk_is_said_with_the_file(tmp_path):
    with (
        pytest.raises(OSError, match=r'No space left on device.*a\.txt'),
        replacing(tmp_path / 'a.txt'),
    ):
        raise OSError(errno.ENOSPC, 'No space left on device')
    with pytest.raises(OSError, match=r'^of our own$'), replacing(tmp_path / 'a.txt'):
        raise OSError('of our own')
    assert not list(tmp_path.iterdir())


def test_others_may_read_what_is_written(tmp_path, monkeypatch):
    # The umask is every thread's: setting it for a moment opens what others write then.
    monkeypatch.setattr(os, 'umask', lambda mask: pytest.fail(f'umask set to {mask:o}'))
    plain = tmp_path / 'plain.txt'
    plain.write_text('x')
    write_text_atomically(tmp_path / 'atomic.txt', 'x')
    modes = [stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ('plain.txt', 'atomic.txt')]
    assert modes[0] == modes[1]


def test_hidden_files_are_nobodys(tmp_path):
    for name in ('b.txt', 'a.TXT', '.c.txt.x1y2z3.txt', '._a.txt', 'd.png'):
        (tmp_path / name).touch()
    assert [path.name for path in list_files(tmp_path, ('.txt',))] == ['a.TXT', 'b.txt']
    assert list_files(tmp_path / 'absent', ('.txt',)) == []


def test_text_is_read_and_binary_data_named(tmp_path):
    path = tmp_path / 'a.txt'
    path.write_bytes(b'\xef\xbb\xbfa\xc3\xa9\n')
    assert read_text(path) == 'aé\n'
    path.write_bytes(b'\x89PNG\xff')
    with pytest.raises(ValueError, match=r'a\.txt: expected text, got binary data'):
        read_text(path)


def test_a_link_stays_one(tmp_path):
    (tmp_path / 'real.txt').write_text('old')
    (tmp_path / 'latest.txt').symlink_to('real.txt')
    write_text_atomically(tmp_path / 'latest.txt', 'new')
    assert (tmp_path / 'latest.txt').is_symlink()
    assert (tmp_path / 'real.txt').read_text() == 'new'


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    for place, what in ((tmp_path / 'pipe', 'a device or a pipe'), (tmp_path, 'a folder')):
        with pytest.raises(OSError, match=what):
            check_target(place)
        with pytest.raises(OSError, match=what):
            write_text_atomically(place, 'new')
    with pytest.raises(OSError, match='/dev/null is a device'):
        check_target(Path('/dev/null'))
    assert [path.name for path in tmp_path.iterdir()] == ['pipe']
