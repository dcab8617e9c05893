import pytest

from smoke_ros.data.kitti import write_objects
from smoke_ros.errors import KittiFormatError
from smoke_ros.evaluation.frames import read_frames, read_split
from smoke_ros.evaluation.run_info import RunInfo, write_run_info


@pytest.fixture
def folders(tmp_path, make_object):
    """Three labelled frames and results of them."""
    labels, results = tmp_path / 'label_2', tmp_path / 'results'
    for number in range(3):
        write_objects(labels / f'00000{number}.txt', [make_object(z=10.0 + number)])
        write_objects(results / f'00000{number}.txt', [make_object(z=11.0 + number, score=0.5)])
    return labels, results


def test_frames_in_the_order_of_their_names(folders):
    frames = read_frames(*folders)
    assert frames.names == ('000000', '000001', '000002')
    assert [items[0].location[2] for items in frames.truth] == [10.0, 11.0, 12.0]
    assert [items[0].location[2] for items in frames.detections] == [11.0, 12.0, 13.0]
    assert frames.provenance.split == 'all labelled frames'
    assert frames.provenance.warnings == ()


def test_a_split_chooses_frames(folders, tmp_path):
    split = tmp_path / 'val.txt'
    split.write_text('000002\n\n000000\n')
    frames = read_frames(*folders, split)
    assert frames.names == ('000002', '000000')
    assert frames.provenance.split == str(split)
    assert frames.provenance.warnings == ()


def test_missing_and_superfluous_results_are_counted(folders):
    labels, results = folders
    (results / '000001.txt').rename(results / '000009.txt')
    frames = read_frames(labels, results)
    assert frames.detections[1] == []
    missing, unlabelled = frames.provenance.warnings
    assert missing.startswith('1 of 3 frames have no result file (the first is 000001.txt)')
    assert unlabelled.startswith('1 result files have no label (the first is 000009.txt)')


def test_an_empty_result_file_is_a_frame_without_detections(folders):
    (folders[1] / '000001.txt').write_text('')
    frames = read_frames(*folders)
    assert frames.detections[1] == []
    assert frames.provenance.warnings == ()


def test_labels_as_results_count_as_sure_and_are_said_to(folders):
    labels, _ = folders
    frames = read_frames(labels, labels)
    assert 'the detections have no scores' in frames.provenance.warnings[0]


def test_a_single_result_without_a_score_is_an_error(folders):
    labels, results = folders
    (results / '000001.txt').write_text((labels / '000001.txt').read_text())
    with pytest.raises(KittiFormatError, match=r'000001\.txt:1: expected 16 fields, got 15'):
        read_frames(labels, results)


def test_what_is_missing_is_named(folders, tmp_path):
    labels, results = folders
    with pytest.raises(FileNotFoundError, match='nowhere: expected a folder of label files'):
        read_frames(tmp_path / 'nowhere', results)
    with pytest.raises(FileNotFoundError, match=r'found none; did you mean .*label_2\?'):
        read_frames(tmp_path, results)
    split = tmp_path / 'val.txt'
    split.write_text('000007\n')
    with pytest.raises(FileNotFoundError, match=r'000007\.txt: no label of a frame that'):
        read_frames(labels, results, split)
    for path in results.glob('*.txt'):
        path.rename(path.with_stem('1' + path.stem))
    with pytest.raises(
        FileNotFoundError, match=r'such as 000000\.txt, found none of the 3 frames'
    ):
        read_frames(labels, results)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'expected a frame name on each line, got an empty file'),
        ('000001 000002\n', r':1: expected one frame name'),
        ('000001\n000002\n000001\n', r':3: frame 000001 was named before, in line 1'),
    ],
)
def test_a_split_with_something_wrong(tmp_path, text, message):
    path = tmp_path / 'val.txt'
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_split(path)


def test_frames_trained_on_are_warned_of(folders, tmp_path):
    labels, results = folders
    train = tmp_path / 'train.txt'
    train.write_text('000000\n000001\n000099\n')
    [warning] = read_frames(labels, results, trained_on=train).provenance.warnings
    assert warning.startswith('2 of the 3 frames')
    write_run_info(results, RunInfo('mine', training_frames=('000002',)))
    provenance = read_frames(labels, results).provenance
    assert provenance.run_info == RunInfo('mine', training_frames=('000002',))
    assert provenance.warnings[0].startswith('1 of the 3 frames')
