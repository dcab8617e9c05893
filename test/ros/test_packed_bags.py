"""Files that are compressed as a whole, as rosbag2 does with one when it begins the next."""

import shutil

import pytest

pytest.importorskip('rclpy')

from rosbags.rosbag2.storage_mcap import zstd
from spoilt_bags import COUNT, STORAGES, join, read, spoil_chunk, write

from smoke_ros.ros.tolerant_bag import TolerantBag


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    (tmp_path / 'temporary').mkdir()
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path / 'temporary'))
    yield
    assert list((tmp_path / 'temporary').iterdir()) == []


def make(tmp_path, storage, last='file'):
    """Make a bag of two files, the second compressed or not."""
    files = [
        write(tmp_path / 'drive_0', storage, 'file'),
        write(tmp_path / 'drive_1', storage, last, first=COUNT, first_ns=1000 + COUNT),
    ]
    return join(tmp_path / 'drive', files)


@pytest.mark.parametrize('storage', STORAGES)
def test_a_recording_that_was_cut_off_has_no_metadata(tmp_path, storage):
    bag = make(tmp_path, storage, last='')
    (bag / 'metadata.yaml').unlink()
    numbers, problems = read(bag)
    assert numbers == list(range(2 * COUNT))
    assert len(problems) == 1 and 'has no metadata.yaml' in problems[0]


@pytest.mark.parametrize('storage', STORAGES)
def test_the_second_is_cut_off(tmp_path, storage):
    bag = make(tmp_path, storage)
    (file,) = bag.glob('drive_1.*')
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    numbers, problems = read(bag)
    assert numbers == list(range(len(numbers)))
    assert COUNT + COUNT // 4 <= len(numbers) < 2 * COUNT
    assert 'cannot read the bag' in problems[0]
    assert all(text.startswith(f'{file}: ') for text in problems[1:]) and len(problems) > 2
    assert 'its compression is damaged' in problems[1]


def test_who_reads_no_further_leaves_no_temporary_files(tmp_path):
    bag = make(tmp_path, 'mcap')
    (bag / 'metadata.yaml').unlink()
    with TolerantBag(bag) as opened:
        next(opened.messages(['/image']))
        assert list((tmp_path / 'temporary').iterdir()) == []


def test_a_chunk_in_it_is_spoilt(tmp_path):
    inner = write(tmp_path / 'inner', 'mcap', 'zstd')
    spoil_chunk(inner, 0.4)
    file = tmp_path / 'alone.mcap.zstd'
    file.write_bytes(zstd.compress(inner.read_bytes()))
    numbers, problems = read(file)
    assert COUNT // 2 <= len(numbers) < COUNT
    assert 'alone.mcap.zstd is damaged after' in problems[0]
    assert problems[1] == f'{file}: 1 damaged chunk left out'


def test_one_whose_compression_was_interrupted_is_still_there_uncompressed(tmp_path):
    whole = write(tmp_path / 'whole', 'mcap')
    (tmp_path / 'cut').mkdir()
    shutil.copy(whole, tmp_path / 'cut/drive_0.mcap')
    compressed = zstd.compress(whole.read_bytes())
    (tmp_path / 'cut/drive_0.mcap.zstd').write_bytes(compressed[: len(compressed) // 2])
    numbers, problems = read(tmp_path / 'cut')
    assert numbers == list(range(COUNT)) and len(problems) == 1


def test_one_that_is_none(tmp_path):
    (tmp_path / 'a.mcap.zstd').write_bytes(b'nothing of the kind')
    with pytest.raises(ValueError, match=r'a\.mcap\.zstd: .*a\.mcap\.zstd: is not an MCAP'):
        read(tmp_path / 'a.mcap.zstd')
    (tmp_path / 'a.bag').write_bytes(b'nothing of the kind')
    with pytest.raises(ValueError, match=r'a\.bag: expected a file in \.mcap or .* got .\.bag'):
        read(tmp_path / 'a.bag')
