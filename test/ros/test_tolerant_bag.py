"""Bags that are damaged in each of the ways in which recordings are."""

import contextlib
import shutil
import sqlite3

import pytest

pytest.importorskip('rclpy')

from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from spoilt_bags import COUNT, MAGIC, STORAGES, join, read, read_numbers, spoil_chunk, write

from smoke_ros.ros.bag_frames import BagFrames, Selection
from smoke_ros.ros.bags import BagWriter
from smoke_ros.ros.camera_topics import CameraTopics
from smoke_ros.ros.qos import RELIABLE
from smoke_ros.ros.tolerant_bag import TolerantBag


@pytest.mark.parametrize('storage', STORAGES)
@pytest.mark.parametrize('compression', ['', 'messages', 'file'])
def test_a_whole_bag_has_no_problems_nor_has_its_file_alone(tmp_path, storage, compression):
    file = write(tmp_path / 'bag', storage, compression)
    for path in (tmp_path / 'bag', file):
        assert read(path) == (list(range(COUNT)), [])


@pytest.mark.parametrize('storage', STORAGES)
def test_the_stamps_of_compressed_messages_are_read_from_a_file_alone(tmp_path, storage):
    file = write(tmp_path / 'bag', storage, 'messages')
    with TolerantBag(file) as bag:
        frames = BagFrames(bag, [CameraTopics('/image', False, None, None)], Selection())
        assert [frame.stamp_ns for frame in frames] == [1000 + n for n in range(COUNT)]


@pytest.mark.parametrize(
    ('storage', 'compression'),
    [
        ('mcap', ''), ('mcap', 'zstd'), ('mcap', 'lz4'), ('mcap', 'file'),
        ('sqlite3', ''), ('sqlite3', 'messages'), ('sqlite3', 'file'),
    ],
)  # fmt: skip
def test_a_recording_that_was_cut_off(tmp_path, storage, compression):
    file = write(tmp_path / 'bag', storage, compression)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    for path in (tmp_path / 'bag', file):
        numbers, problems = read(path)
        assert numbers == list(range(len(numbers))) and COUNT // 4 <= len(numbers) < COUNT
        assert problems and all(str(path) in problem for problem in problems)
        assert 'lost' in problems[-1]


@pytest.mark.parametrize(('compression', 'width'), [('', 10), ('zstd', 300), ('lz4', 300)])
def test_of_a_chunk_that_was_cut_off_what_is_there_is_read(tmp_path, compression, width):
    file = write(tmp_path / 'bag', 'mcap', compression, width)  # all in one chunk
    file.write_bytes(file.read_bytes()[: 300 * width * COUNT * 2 // 3])
    numbers, problems = read(tmp_path / 'bag')
    assert numbers == list(range(len(numbers))) and COUNT // 4 <= len(numbers) < COUNT
    assert f'is lost but for {len(numbers)} messages' in problems[-1]


@pytest.mark.parametrize('storage', STORAGES)
def test_a_recorder_that_was_killed_leaves_no_metadata(tmp_path, storage):
    write(tmp_path / 'bag', storage)
    (tmp_path / 'bag/metadata.yaml').unlink()
    numbers, (problem,) = read(tmp_path / 'bag')
    assert numbers == list(range(COUNT))
    assert 'has no metadata.yaml' in problem


@pytest.mark.parametrize('compression', ['', 'zstd', 'lz4'])
def test_a_spoilt_chunk_is_left_out_and_reading_goes_on(tmp_path, compression):
    file = write(tmp_path / 'bag', 'mcap', compression)
    spoil_chunk(file, 0.25, compression)
    numbers, problems = read(tmp_path / 'bag')
    assert numbers == sorted(set(numbers)) and 0 < len(numbers) < COUNT
    assert numbers[0] == 0 and numbers[-1] == COUNT - 1
    assert 'damaged after' in problems[0] and '1 damaged chunk left out' in problems[1]


@pytest.mark.parametrize('compression', ['', 'zstd', 'lz4'])
def test_a_spoilt_first_chunk_costs_no_other(tmp_path, compression):
    """It has the names of the topics, which stand again behind the data."""
    file = write(tmp_path / 'bag', 'mcap', compression)
    spoil_chunk(file, 0, compression)
    for path in (tmp_path / 'bag', file):
        numbers, problems = read(path)
        assert numbers == list(range(COUNT - len(numbers), COUNT)) and len(numbers) >= COUNT // 2
        assert problems[1:] == [f'{file}: 1 damaged chunk left out']


def test_messages_of_a_topic_without_a_name_are_counted(tmp_path):
    file = write(tmp_path / 'bag', 'mcap', 'zstd')
    spoil_chunk(file, 0)
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 3 // 4])
    counted = r'[3-9] messages left out: what names the topic is lost'
    with pytest.raises(ValueError, match=counted):
        read(file)


@pytest.mark.parametrize('storage', STORAGES)
def test_a_spoilt_message_of_many_that_are_compressed_costs_only_itself(tmp_path, storage):
    file = write(tmp_path / 'bag', storage, 'messages')
    data = bytearray(file.read_bytes())
    starts = [at for at in range(len(data)) if data.startswith(MAGIC['zstd'], at)]
    assert len(starts) == COUNT
    at = starts[COUNT // 2]
    data[at + 6 : at + 10] = b'\xff' * 4
    file.write_bytes(data)
    for path in (tmp_path / 'bag', file):
        numbers, problems = read(path)
        assert numbers == sorted(set(numbers)) and len(numbers) == COUNT - 1
        assert '1 ' in problems[-1] and 'message' in problems[-1]


def test_a_page_of_sqlite_that_is_spoilt_costs_what_lies_on_it(tmp_path):
    file = write(tmp_path / 'bag', 'sqlite3')
    data = bytearray(file.read_bytes())
    # Rows begin on pages of this kind; what does not fit there goes on on others.
    leaves = [at for at in range(0, len(data), 4096) if data[at] == 0x0D]
    data[leaves[-2] : leaves[-2] + 8] = b'\xff' * 8
    file.write_bytes(data)
    numbers, problems = read(tmp_path / 'bag')
    assert numbers == sorted(set(numbers)) and 0 < len(numbers) < COUNT
    assert problems and 'lost' in problems[-1]


def change_rows(file, statement):
    """Change a bag of SQLite, which has no metadata from then on."""
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute(statement)
        database.commit()
    (file.parent / 'metadata.yaml').unlink(missing_ok=True)


@pytest.mark.parametrize(
    ('statement', 'why'),
    [
        ('DELETE FROM messages WHERE id IN (4, 5)', 'rows are missing'),
        (
            'UPDATE messages SET topic_id = 9 WHERE id IN (4, 5)',
            'what names the topic is lost',
        ),
    ],
)
def test_rows_that_are_lost_cost_no_others(tmp_path, statement, why):
    file = write(tmp_path / 'bag', 'sqlite3')
    change_rows(file, statement)
    numbers, problems = read(tmp_path / 'bag')
    assert numbers == [0, 1, 2, *range(5, COUNT)]
    assert problems[-1].endswith(f'2 messages between others lost: {why}')


def test_of_rows_missing_in_the_end_nothing_is_known(tmp_path):
    file = write(tmp_path / 'bag', 'sqlite3')
    change_rows(file, f'DELETE FROM messages WHERE id IN (4, 5, {COUNT})')
    numbers, problems = read(tmp_path / 'bag')
    assert numbers == [0, 1, 2, *range(5, COUNT - 1)]
    assert problems[-1].endswith('2 messages between others lost: rows are missing')


def test_what_a_cut_off_recording_left_in_its_log_is_read(tmp_path):
    """As SQLite's resilient profile of rosbag2 leaves it: the last messages are in a -wal file."""
    file = write(tmp_path / 'bag', 'sqlite3')
    writer = sqlite3.connect(file)
    writer.execute('PRAGMA journal_mode = WAL')
    row = writer.execute('SELECT topic_id, timestamp, data FROM messages LIMIT 1').fetchone()
    image = deserialize_message(row[2], Image)
    image.data[0] = COUNT
    message = serialize_message(image)
    writer.execute(
        'INSERT INTO messages (topic_id, timestamp, data) VALUES (?, ?, ?)',
        (row[0], 1000 + COUNT, message),
    )
    writer.commit()
    # Closing it would move everything into the file: a recorder without power does not.
    (tmp_path / 'cut').mkdir()
    for name in (file.name, f'{file.name}-wal', 'metadata.yaml'):
        shutil.copy(tmp_path / 'bag' / name, tmp_path / 'cut' / name)
    writer.close()
    for path in (tmp_path / 'cut', tmp_path / 'cut' / file.name):
        numbers, problems = read(path)
        assert numbers == list(range(COUNT + 1))
        assert len(problems) == 1 and f'its end lies in {file.name}-wal' in problems[0]


def test_one_damaged_file_of_several(tmp_path):
    file = write(tmp_path / 'bag')
    folder = tmp_path / 'split'
    folder.mkdir()
    shutil.copy(file, folder / 'split_10.mcap')
    (folder / 'split_9.mcap').write_bytes(b'nothing of the kind')
    with TolerantBag(folder) as bag:
        assert bag.topics['/image'].message_count == bag.message_count == COUNT
        assert sum(1 for _ in bag.messages(['/image'])) == COUNT
        assert any('split_9.mcap: is not an MCAP file' in problem for problem in bag.problems)


@pytest.mark.parametrize('share', [0.0, 0.4, 0.6])
@pytest.mark.parametrize('later_ns', [500, 1000, 1003, 2000])
def test_a_clock_that_was_set_back_between_files_repeats_and_costs_nothing(
    tmp_path, share, later_ns
):
    first = write(tmp_path / 'drive_0', 'mcap', 'zstd')
    second = write(tmp_path / 'drive_1', 'mcap', 'zstd', first=100, first_ns=later_ns)
    spoil_chunk(second, share)
    with TolerantBag(join(tmp_path / 'drive', [first, second])) as bag:
        numbers = [message.decode(Image).data[0] for message in bag.messages(['/image'])]
    alone, _ = read_numbers(second)
    assert COUNT // 2 <= len(alone) < COUNT
    assert sorted(numbers) == [*range(COUNT), *alone]


def test_a_clock_that_was_set_back_within_a_file_repeats_and_costs_nothing(tmp_path):
    """An index is in the order of the times, a file in that of the recording."""
    stamps = [1000, 1001, 1001, 1002, 1003, 1001, 1004, 1005, 990, 1001, 1006, 991]
    file = write(tmp_path / 'bag', 'mcap', 'zstd', stamps=stamps)
    spoil_chunk(file, 0.4)
    numbers, problems = read_numbers(tmp_path / 'bag')
    (tmp_path / 'bag/metadata.yaml').unlink()
    assert sorted(numbers) == read_numbers(tmp_path / 'bag')[0]
    assert COUNT // 2 <= len(numbers) < COUNT and len(problems) == 2


def test_nothing_at_all_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match='no bag at'):
        TolerantBag(tmp_path / 'absent').__enter__()
    (tmp_path / 'bag').mkdir()
    with pytest.raises(ValueError, match=r'has no metadata\.yaml'):
        TolerantBag(tmp_path / 'bag').__enter__()
    (tmp_path / 'a.db3').write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'a\.db3: nothing can be read'):
        TolerantBag(tmp_path / 'a.db3').__enter__()


def test_an_empty_bag_is_no_problem(tmp_path):
    with BagWriter(tmp_path / 'bag') as bag:
        bag.add_topic('/image', Image, RELIABLE)
    assert read(tmp_path / 'bag') == ([], [])
