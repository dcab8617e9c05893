"""A data set in KITTI's layout, small and made up."""

from pathlib import Path

import cv2
import numpy as np
import pytest

CALIBRATION = 'P2: 200 0 128 5 0 200 40 0 0 0 1 0\n'
LABELS = (
    'Car 0.00 0 0.1 130 30 190 60 1.5 1.7 4.0 2.0 1.25 15.0 1.9',
    'Cyclist 0.00 0 0.1 40 30 80 70 1.8 0.6 1.8 -4.0 1.6 12.0 -2.8\n'
    'Van 0.00 0 0.1 100 30 120 60 2.0 1.9 5.0 0.0 1.5 25.0 0.2\n'
    'DontCare -1 -1 -10 5 5 60 40 -1 -1 -1 -1000 -1000 -1000 -10',
    '',
    'Car 0.00 0 0.1 130 30 190 60 1.6 1.8 4.2 -2.0 1.25 25.0 1.9\n'
    'Pedestrian 0.00 0 0.1 100 30 120 60 1.8 0.6 0.8 1.0 1.5 9.0 0.2',
)


@pytest.fixture
def kitti_root(tmp_path) -> Path:
    """Return a folder with training/ of four frames, a.png to d.png, and two ImageSets."""
    folder = tmp_path / 'training'
    for name in ('image_2', 'label_2', 'calib'):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for frame, label in zip('abcd', LABELS, strict=True):
        image = rng.integers(0, 256, (96, 256, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'image_2/{frame}.png'), image)
        (folder / f'label_2/{frame}.txt').write_text(label)
        (folder / f'calib/{frame}.txt').write_text(CALIBRATION)
    (tmp_path / 'ImageSets').mkdir()
    (tmp_path / 'ImageSets/train.txt').write_text('b\nd\n')
    (tmp_path / 'ImageSets/odd.txt').write_text('a\nzzz\n')
    return tmp_path
