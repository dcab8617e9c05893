import json

import pytest

from smoke_ros.evaluation.run_info import (
    RUN_INFO_FILE,
    RunInfo,
    leakage_warnings,
    read_run_info,
    write_run_info,
)

INFO = RunInfo('smoke-dla34', 'ab12', 'KITTI object train', ('000001', '000002', '000003'))


def test_what_is_written_is_read(tmp_path):
    write_run_info(tmp_path, INFO)
    assert read_run_info(tmp_path) == INFO
    assert not list(tmp_path.glob('*.txt'))


def test_a_folder_without_it(tmp_path):
    assert read_run_info(tmp_path) is None


def test_only_the_model_is_needed(tmp_path):
    (tmp_path / RUN_INFO_FILE).write_text('{"model": "mine"}')
    assert read_run_info(tmp_path) == RunInfo('mine')


@pytest.mark.parametrize(
    'text',
    [
        '{"model": ',
        '[]',
        '{}',
        '{"model": "a", "extra": 1}',
        '{"model": 3}',
        '{"model": "a", "training_frames": [3]}',
        '{"model": "a", "training_frames": "000001"}',
        '{"model": "a", "other_frames": "no"}',
    ],
)
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / RUN_INFO_FILE).write_text(text)
    with pytest.raises(ValueError, match=f'{RUN_INFO_FILE}: expected'):
        read_run_info(tmp_path)


def test_frames_that_were_trained_on_are_counted():
    [warning] = leakage_warnings(INFO, ['000002', '000003', '000004', '000005'])
    assert warning.startswith(
        '2 of the 4 frames have names of frames that smoke-dla34 was trained'
    )
    assert 'KITTI object train' in warning
    assert leakage_warnings(INFO, ['000004']) == []


def test_unknown_training_frames_are_said_to_be_unknown():
    [warning] = leakage_warnings(RunInfo('m', trained_on='KITTI object trainval'), ['000001'])
    assert 'which frames is not known' in warning
    assert leakage_warnings(RunInfo('m', trained_on='nothing (random weights)'), ['1']) == []
    assert leakage_warnings(RunInfo('m'), ['000001']) == []


def test_frames_of_initial_weights_that_are_not_known_are_told_of(tmp_path):
    trained_on = 'mine (3 images); started from official: KITTI object trainval'
    info = RunInfo('mine', '', trained_on, ('000001',), other_frames=True)
    write_run_info(tmp_path, info)
    assert read_run_info(tmp_path) == info
    [warning] = leakage_warnings(info, ['000002'])
    assert 'KITTI object trainval; which other frames is not known' in warning
    [warning] = leakage_warnings(info, ['000001'])
    assert warning.startswith('1 of the 1 frames')


def test_the_file_is_plain_json(tmp_path):
    write_run_info(tmp_path, INFO)
    values = json.loads((tmp_path / RUN_INFO_FILE).read_text())
    assert values['weights_sha256'] == 'ab12'
    assert values['training_frames'] == ['000001', '000002', '000003']
