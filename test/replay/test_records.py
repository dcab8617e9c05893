"""The files that a replay leaves, and what a kill may do to them."""

import json

import numpy as np
import pytest

from smoke_ros.data.kitti import KittiObject
from smoke_ros.replay.records import (
    FrameAppender,
    FrameRecord,
    LoadSample,
    RunRecord,
    read_frames,
    read_run,
    thumbnail_path,
    write_run,
)
from smoke_ros.structures import CameraModel, Detection3D

DETECTION = Detection3D(
    location=(1.5, 0.25, 20.0), dimensions=(4.0, 1.5, 1.75), rotation_y=0.5,
    class_name='Car', score=0.75, bbox_xyxy_px=(10.0, 20.0, 110.0, 70.0),
)  # fmt: skip
LABEL = KittiObject(
    location=(1.0, 0.25, 21.0), dimensions=(4.0, 1.5, 1.75), rotation_y=0.25,
    class_name='Car', truncation=0.25, occlusion=1, observation_angle=0.125,
    bbox_xyxy_px=(12.0, 20.0, 112.0, 70.0),
)  # fmt: skip


def full_record(index=0):
    return FrameRecord(
        bag='drive', topic='/camera/image', index=index, stamp_ns=1_700_000_000_123_456_789,
        width=640, height=480, K=((500.0, 0.0, 320.0), (0.0, 500.0, 240.0), (0.0, 0.0, 1.0)),
        detections=(DETECTION,), ground_truth=(LABEL,), stages_ms={'network': 12.5},
        latency_ms=40.25,
    )  # fmt: skip


def test_frame_survives_json():
    record = full_record()
    assert FrameRecord.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_frame_without_labels_differs_from_one_without_objects():
    unlabelled = FrameRecord('drive', '/image', 0, 0)
    empty = FrameRecord('drive', '/image', 0, 0, ground_truth=())
    assert FrameRecord.from_json(unlabelled.to_json()).ground_truth is None
    assert FrameRecord.from_json(empty.to_json()).ground_truth == ()


def test_line_holds_the_fields_of_detect_json():
    detection = full_record().to_json()['detections'][0]
    assert detection['class'] == 'Car'
    assert detection['dimensions'] == {'length': 4.0, 'height': 1.5, 'width': 1.75}
    assert detection['alpha'] == pytest.approx(0.5 - np.arctan2(1.5, 20.0))


def test_label_needs_no_alpha_and_no_occlusion():
    values = full_record().to_json()
    for name in ('alpha', 'truncation', 'occlusion'):
        del values['ground_truth'][0][name]
    label = FrameRecord.from_json(values).ground_truth[0]
    assert label.observation_angle == pytest.approx(0.25 - np.arctan2(1.0, 21.0))
    assert (label.truncation, label.occlusion) == (-1.0, -1)


def test_camera_comes_back():
    camera = CameraModel.from_intrinsics([[500, 0, 320], [0, 400, 240], [0, 0, 1]], 640, 480)
    record = FrameRecord.of_camera(camera, bag='drive', topic='/image', index=0, stamp_ns=0)
    assert record.camera().key == camera.key
    assert FrameRecord('drive', '/image', 0, 0).camera() is None


def test_unknown_status_is_refused():
    with pytest.raises(ValueError, match='processed, dropped, failed'):
        FrameRecord('drive', '/image', 0, 0, status='lost')


def test_frames_are_read_in_order(tmp_path):
    path = tmp_path / 'run' / 'frames.jsonl'
    with FrameAppender(path) as frames:
        for index in range(3):
            frames.append(full_record(index))
    assert list(read_frames(path)) == [full_record(index) for index in range(3)]


@pytest.mark.parametrize('cut', [1, 10, 200])
def test_half_a_line_is_left_out_and_written_over(tmp_path, cut):
    path = tmp_path / 'frames.jsonl'
    with FrameAppender(path) as frames:
        frames.append(full_record(0))
        frames.append(full_record(1))
    path.write_bytes(path.read_bytes()[:-cut])
    assert [record.index for record in read_frames(path)] == [0]
    with FrameAppender(path) as frames:
        frames.append(full_record(2))
    assert [record.index for record in read_frames(path)] == [0, 2]


def test_half_a_first_line_that_is_long_is_cut(tmp_path):
    path = tmp_path / 'frames.jsonl'
    path.write_bytes(b'x' * 200_000)
    FrameAppender(path).close()
    assert path.read_bytes() == b''


def test_damaged_line_is_named(tmp_path):
    path = tmp_path / 'frames.jsonl'
    with FrameAppender(path) as frames:
        frames.append(full_record())
    path.write_text(path.read_text() + '{"bag": "drive"}\n' + path.read_text())
    with pytest.raises(ValueError, match=r'frames.jsonl:2: expected a frame \(KeyError'):
        list(read_frames(path))


def test_run_survives_the_file(tmp_path):
    record = RunRecord(
        mode='live', smoke_ros='0.1.0', model={'name': 'tiny', 'sha256': 'ab'}, device='cpu',
        bags=('drive',), topics=('/image',), started='2026-01-01T00:00:00+00:00',
        versions={'python': '3.12'}, options={'rate': 1.0}, counts={'processed': 3},
        problems=('a chunk is damaged',), load=(LoadSample(0.5, 120.0, 800.0),),
    )  # fmt: skip
    write_run(tmp_path, record)
    assert read_run(tmp_path) == record


@pytest.mark.parametrize('text', ['{', '[]', '{"mode": "offline"}', '{"mode": "x", "a": 1}'])
def test_damaged_run_is_named(tmp_path, text):
    (tmp_path / 'run.json').write_text(text)
    with pytest.raises(ValueError, match=r'run\.json: expected the record of a replay'):
        read_run(tmp_path)


def test_thumbnails_of_topics_lie_apart(tmp_path):
    path = thumbnail_path(tmp_path, '/front/image', 7)
    assert path == tmp_path / 'thumbnails' / '_front_image' / '000007.jpg'
