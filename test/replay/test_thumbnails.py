"""How many frames are drawn, which ones, and how large."""

import cv2
import numpy as np
import pytest

from smoke_ros.replay.records import FrameRecord
from smoke_ros.replay.thumbnails import BIRDS_EYE_SIZE, Thumbnails, birds_eye_png
from smoke_ros.structures import CameraModel, Detection3D

CAMERA = CameraModel.from_intrinsics([[200, 0, 100], [0, 200, 50], [0, 0, 1]], 200, 100)
MOST = 4


def offer(thumbnails, indices):
    for index in indices:
        record = FrameRecord.of_camera(
            CAMERA, bag='drive', topic='/image', index=index, stamp_ns=index
        )
        thumbnails.offer(record, np.full((100, 200, 3), 90, np.uint8), CAMERA)


def kept(folder):
    return sorted(int(path.stem) for path in (folder / 'thumbnails' / '_image').glob('*.jpg'))


@pytest.mark.parametrize(
    ('frames', 'expected'),
    [(3, [0, 1, 2]), (4, [0, 1, 2, 3]), (5, [0, 2, 4]), (8, [0, 2, 4, 6]), (9, [0, 4, 8]),
     (100, [0, 32, 64, 96])],
)  # fmt: skip
def test_pictures_are_few_and_evenly_spread(tmp_path, frames, expected):
    offer(Thumbnails(tmp_path, '/image', MOST, width=100), range(frames))
    assert kept(tmp_path) == expected


@pytest.mark.parametrize('cut', [1, 4, 5, 6, 37])
def test_interrupted_run_keeps_the_same_pictures(tmp_path, cut):
    offer(Thumbnails(tmp_path, '/image', MOST, width=100), range(cut))
    offer(Thumbnails(tmp_path, '/image', MOST, offered=cut, width=100), range(cut, 50))
    offer(Thumbnails(tmp_path / 'whole', '/image', MOST, width=100), range(50))
    assert kept(tmp_path) == kept(tmp_path / 'whole')


def test_picture_is_scaled_down(tmp_path):
    offer(Thumbnails(tmp_path, '/image', MOST, width=100), [0])
    picture = cv2.imread(str(tmp_path / 'thumbnails' / '_image' / '000000.jpg'))
    assert picture.shape == (50, 100, 3)


def test_view_from_above_shows_the_box():
    car = Detection3D((0.0, 1.0, 40.0), (4.0, 1.5, 1.8), 0.0, 'Car', 0.9, (0.0, 0.0, 9.0, 9.0))

    def picture(detections):
        record = FrameRecord('drive', '/image', 0, 0, detections=detections)
        buffer = np.frombuffer(birds_eye_png(record), np.uint8)
        return cv2.imdecode(buffer, cv2.IMREAD_COLOR)

    empty, with_car = picture(()), picture((car,))
    assert empty.shape == (BIRDS_EYE_SIZE[1], BIRDS_EYE_SIZE[0], 3)
    rows, columns, _ = np.nonzero(empty != with_car)
    # 40 of 80 m ahead is the middle of what lies above the camera's margin.
    assert abs(columns.mean() - 180) < 8
    assert 200 < rows.mean() < 225
