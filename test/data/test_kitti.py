import dataclasses
import math

import numpy as np
import pytest

from smoke_ros.data.kitti import (
    KittiObject,
    detection_to_object,
    read_calibration,
    read_objects,
    write_objects,
)
from smoke_ros.errors import KittiFormatError
from smoke_ros.structures import Detection3D

LABEL = 'Car 0.25 1 -1.58 587.01 173.33 614.12 200.12 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59\n'
NOWHERE = 'DontCare -1 -1 -10 503.89 169.71 590.61 190.13 -1 -1 -1 -1000 -1000 -1000 -10\n'


def read(tmp_path, text, **kwargs):
    path = tmp_path / '000007.txt'
    path.write_text(text)
    return read_objects(path, **kwargs)


def test_a_label_by_hand(tmp_path):
    (car,) = read(tmp_path, LABEL)
    assert car == KittiObject(
        location=(-0.65, 1.71 - 1.65 / 2, 46.70), dimensions=(3.64, 1.65, 1.67), rotation_y=-1.59,
        class_name='Car', truncation=0.25, occlusion=1, observation_angle=-1.58,
        bbox_xyxy_px=(587.01, 173.33, 614.12, 200.12),
    )  # fmt: skip
    assert car.alpha == pytest.approx(-1.58, abs=0.01)


def test_a_region_of_no_interest_keeps_its_placeholders(tmp_path):
    (region,) = read(tmp_path, NOWHERE)
    assert region.location == (-1000.0, -1000.0, -1000.0)
    assert region.dimensions == (-1.0, -1.0, -1.0)


def test_an_empty_file_and_blank_lines_have_no_objects(tmp_path):
    assert read(tmp_path, '') == []
    assert len(read(tmp_path, '\n' + LABEL + '\n\n')) == 1


def test_what_is_written_is_read_back(tmp_path):
    objects = read(tmp_path, LABEL + NOWHERE)
    write_objects(tmp_path / 'out' / 'a.txt', objects)
    again = read_objects(tmp_path / 'out' / 'a.txt')
    for found, expected in zip(again, objects, strict=True):
        assert found.location == pytest.approx(expected.location, abs=1e-4)
        assert found.dimensions == expected.dimensions
        assert found.bbox_xyxy_px == expected.bbox_xyxy_px


def test_a_detection_becomes_a_result_line(tmp_path):
    detection = Detection3D(
        (1.0, 0.9, 20.0), (4.0, 1.5, 1.7), -math.pi / 2, 'Car', 0.875, (1.0, 2.0, 3.0, 4.0)
    )
    write_objects(tmp_path / 'a.txt', [detection_to_object(detection)])
    words = (tmp_path / 'a.txt').read_text().split()
    assert words[:3] == ['Car', '-1.00', '-1']
    assert float(words[3]) == pytest.approx(-math.pi / 2 - math.atan2(1, 20), abs=1e-4)
    (result,) = read_objects(tmp_path / 'a.txt', with_score=True)
    assert result.score == pytest.approx(0.875)
    assert result.location == pytest.approx(detection.location, abs=1e-4)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        (LABEL + 'Car 0 0\n', r'000007\.txt:2: expected 15 fields, got 3: alpha is missing'),
        (LABEL.replace('587.01', 'left'), r"000007\.txt:1: field x1 must be a number, got 'left'"),
        (LABEL.replace('46.70', 'nan'), r"000007\.txt:1: field z must be a number, got 'nan'"),
        (LABEL.replace(' 1 ', ' 0.5 '), r"000007\.txt:1: field occluded must be whole, got '0.5'"),
        (LABEL.replace('\n', ' 0.5 7\n'), r'000007\.txt:1: expected 15 fields, got 17'),
    ],
)
def test_a_malformed_line_names_file_line_and_field(tmp_path, text, message):
    with pytest.raises(KittiFormatError, match=message):
        read(tmp_path, text)


def test_headings_in_degrees_are_refused(tmp_path):
    words = LABEL.split()
    words[14] = '-89.4'
    with pytest.raises(
        KittiFormatError, match=r":1: field rotation_y must be in radians.* '-89.4'"
    ):
        read(tmp_path, ' '.join(words))
    words[14] = '6.2'  # counted from 0 to 2 pi
    assert read(tmp_path, ' '.join(words))[0].rotation_y == 6.2


def test_a_class_of_two_words_is_written_as_one(tmp_path):
    (item,) = read(tmp_path, LABEL)
    write_objects(tmp_path / 'a.txt', [dataclasses.replace(item, class_name='traffic cone')])
    assert read_objects(tmp_path / 'a.txt')[0].class_name == 'traffic_cone'


@pytest.mark.parametrize('mark', ['', '\ufeff'])
def test_class_names_of_any_language_are_read_as_they_are_written(tmp_path, mark):
    (item,) = read(tmp_path, LABEL)
    path = tmp_path / 'a.txt'
    write_objects(path, [dataclasses.replace(item, class_name='Fußgänger')])
    path.write_text(mark + path.read_text(encoding='utf-8'), encoding='utf-8')
    assert read_objects(path)[0].class_name == 'Fußgänger'


def test_a_result_needs_a_score(tmp_path):
    with pytest.raises(KittiFormatError, match='expected 16 fields, got 15: score is missing'):
        read(tmp_path, LABEL, with_score=True)


def test_binary_data_is_no_label_file(tmp_path):
    (tmp_path / 'a.txt').write_bytes(b'\x89PNG\xff')
    with pytest.raises(KittiFormatError, match='expected text, got binary data'):
        read_objects(tmp_path / 'a.txt')


def test_a_calibration_file(tmp_path):
    path = tmp_path / 'calib.txt'
    path.write_text('P2: 721 0 609 44 0 722 172 0.2 0 0 1 0.003\nR0_rect: 1\n')
    camera = read_calibration(path, 1242, 375)
    np.testing.assert_allclose(camera.K, [[721, 0, 609], [0, 722, 172], [0, 0, 1]])
    assert camera.projection_offset == (44.0, 0.2, 0.003)


def test_binary_data_is_no_calibration(tmp_path):
    path = tmp_path / 'calib.txt'
    path.write_bytes(b'\x89PNG\xff')
    with pytest.raises(KittiFormatError, match=r'calib\.txt: expected text, got binary data'):
        read_calibration(path, 1242, 375)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('P1: 1', r'calib\.txt: expected a line P2:, found none'),
        ('P2: 1 2', r'calib\.txt:1: P2 must have 12 numbers, got 2'),
        ('P2: a b', r'calib\.txt:1: P2 must be numbers'),
        ('P2:' + 12 * ' 0', r'calib\.txt: the camera is not calibrated'),
        ('P2:' + 12 * ' nan', r'calib\.txt: K must be finite'),
    ],
)
def test_a_malformed_calibration_names_file_and_line(tmp_path, text, message):
    path = tmp_path / 'calib.txt'
    path.write_text(text)
    with pytest.raises(KittiFormatError, match=message):
        read_calibration(path, 1242, 375)
