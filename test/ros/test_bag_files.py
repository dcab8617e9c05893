import shutil
import tracemalloc

import pytest

pytest.importorskip('rosbags')

from rosbags.rosbag2.storage_mcap import zstd

from smoke_ros.ros.bag_files import (
    bag_name,
    storage_files,
    unpack_file,
    unpack_message,
    unpacked_path,
)


def test_a_folder_is_called_by_its_whole_name_and_a_file_without_its_suffixes(tmp_path):
    (tmp_path / '2026.05.01').mkdir()
    assert bag_name(tmp_path / '2026.05.01') == '2026.05.01'
    for suffixes in ('.mcap', '.db3', '.mcap.zstd', '.db3.zstd'):
        file = tmp_path / f'2026.05.02{suffixes}'
        file.touch()
        assert bag_name(file) == '2026.05.02'
    assert bag_name(tmp_path / 'not.there') == 'not.there'


def test_a_bag_is_called_as_the_folder_that_a_path_leads_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert bag_name(tmp_path.relative_to(tmp_path)) == tmp_path.name


def test_files_are_listed_as_they_were_recorded(tmp_path):
    names = ['a_2.db3', 'a_9.db3.zstd', 'a_10.db3', 'a_11.db3.zstd']
    for name in (*names, 'a_2.db3.zstd', 'metadata.yaml', 'a_2.db3-wal', 'notes.zstd'):
        (tmp_path / name).touch()
    assert [file.name for file in storage_files(tmp_path)] == names
    assert unpacked_path(tmp_path / 'a_9.db3.zstd') == tmp_path / 'a_9.db3'
    assert unpacked_path(tmp_path / 'a_2.db3') == tmp_path / 'a_2.db3'


@pytest.mark.parametrize('data', [b'', b'abc', b'\x00\x01\x00\x00' + bytes(100_000)])
def test_a_message_comes_back_whether_it_is_compressed_or_not(data):
    assert unpack_message(data) == data
    assert unpack_message(zstd.compress(data)) == data


class TestUnpackingFiles:
    def test_all_of_a_whole_one(self, tmp_path):
        for name, data in (('one', b'drive'), ('none', b'')):
            (tmp_path / f'{name}.zstd').write_bytes(zstd.compress(data))
            unpack_file(tmp_path / f'{name}.zstd', tmp_path / name)
            assert (tmp_path / name).read_bytes() == data
        with (tmp_path / 'two.zstd').open('wb') as out, (tmp_path / 'one.zstd').open('rb') as one:
            shutil.copyfileobj(one, out)
            one.seek(0)
            shutil.copyfileobj(one, out)
        unpack_file(tmp_path / 'two.zstd', tmp_path / 'two')
        assert (tmp_path / 'two').read_bytes() == b'drivedrive'

    def test_what_there_is_of_one_that_was_cut_off(self, tmp_path):
        data = bytes(range(256)) * 8000
        parts = [data[at : at + 50_000] for at in range(0, len(data), 50_000)]
        packed = b''.join(zstd.compress(part) for part in parts)
        (tmp_path / 'a.zstd').write_bytes(packed[: len(packed) // 2])
        with pytest.raises(ValueError, match=r'a\.zstd: its compression is damaged, what fol'):
            unpack_file(tmp_path / 'a.zstd', tmp_path / 'a')
        begun = (tmp_path / 'a').read_bytes()
        assert data.startswith(begun) and len(begun) >= len(data) * 0.4

    def test_one_that_is_none(self, tmp_path):
        (tmp_path / 'a.zstd').write_bytes(b'nothing of the kind')
        with pytest.raises(ValueError, match='what follows byte 0 of its content is lost'):
            unpack_file(tmp_path / 'a.zstd', tmp_path / 'a')
        assert (tmp_path / 'a').read_bytes() == b''

    def test_memory_does_not_grow_with_the_file(self, tmp_path):
        (tmp_path / 'a.zstd').write_bytes(zstd.compress(bytes(50_000_000)))
        tracemalloc.start()
        unpack_file(tmp_path / 'a.zstd', tmp_path / 'a')
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 6_000_000 and (tmp_path / 'a').stat().st_size == 50_000_000
