import math

import cv2
import numpy as np
import pytest

from smoke_ros.data.drives import (
    FIRST_STAMP_NS,
    check_calibration,
    find_drive,
    read_drive_calibration,
    read_labels,
    read_timestamps,
)
from smoke_ros.errors import KittiFormatError

P2 = '721.5 0 609.5 44.85728 0 721.5 172.8 0.2163791 0 0 1 0.002745884'


def write_images(folder, *names):
    folder.mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(folder / f'{name}.png'), np.zeros((4, 6, 3), np.uint8))


class TestKinds:
    def test_object_frames(self, tmp_path):
        write_images(tmp_path / 'training/image_2', '000007', '000003')
        (tmp_path / 'training/label_2').mkdir()
        (tmp_path / 'training/label_2/000003.txt').write_text('')
        (tmp_path / 'training/calib').mkdir()
        (camera,) = find_drive(tmp_path, rate_hz=2.0)
        first, second = camera.images
        assert camera.number == 2
        assert [first.path.stem, second.path.stem] == ['000003', '000007']
        assert [first.stamp_ns, second.stamp_ns] == [FIRST_STAMP_NS, FIRST_STAMP_NS + 5 * 10**8]
        assert first.labels.name == '000003.txt' and second.labels is None
        assert first.calibration == tmp_path / 'training/calib/000003.txt'

    def test_a_raw_drive_with_stamps_of_which_one_image_is_missing(self, tmp_path):
        drive = tmp_path / '2011_09_26/drive_0001_sync'
        write_images(drive / 'image_03/data', '0000000000', '0000000002')
        (drive / 'image_03/timestamps.txt').write_text(
            '2011-09-26 13:02:25.5\n2011-09-26 13:02:25.6\n2011-09-26 13:02:25.7\n'
        )
        (tmp_path / '2011_09_26/calib_cam_to_cam.txt').write_text('')
        (camera,) = find_drive(drive, rate_hz=10.0, cameras=(3,))
        first, second = camera.images
        assert second.stamp_ns - first.stamp_ns == 2 * 10**8
        assert first.calibration == tmp_path / '2011_09_26/calib_cam_to_cam.txt'
        with pytest.raises(FileNotFoundError, match='the drive has image_03'):
            find_drive(drive, rate_hz=10.0, cameras=(2,))

    def test_plain_images(self, tmp_path):
        write_images(tmp_path / 'pictures', 'b', 'a')
        (camera,) = find_drive(tmp_path / 'pictures', rate_hz=10.0)
        assert camera.number is None
        assert [image.path.stem for image in camera.images] == ['a', 'b']
        assert camera.images[0].calibration is None

    def test_what_cannot_be_used(self, tmp_path):
        with pytest.raises(FileNotFoundError, match='absent: no such folder'):
            find_drive(tmp_path / 'absent', rate_hz=10.0)
        with pytest.raises(FileNotFoundError, match='no image'):
            find_drive(tmp_path, rate_hz=10.0)
        for rate in (0.0, -1.0, 1e-12, 1e12, math.inf, math.nan):
            with pytest.raises(ValueError, match=r'rate must be from 0\.0001 to 1e'):
                find_drive(tmp_path, rate_hz=rate)


def test_timestamps_are_utc_to_the_nanosecond(tmp_path):
    path = tmp_path / 'timestamps.txt'
    path.write_text('1970-01-01 00:00:02.000000003\n\n1970-01-02 00:00:00\n')
    assert read_timestamps(path) == [2_000_000_003, 86_400 * 10**9]
    path.write_text('1970-01-01 00:00:02\nnoon\n')
    with pytest.raises(KittiFormatError, match=r"timestamps\.txt:2: expected a time .*'noon'"):
        read_timestamps(path)


class TestCalibration:
    @pytest.mark.parametrize('key', ['P2', 'P_rect_02'])
    def test_boxes_project_to_where_they_did(self, tmp_path, key):
        path = tmp_path / 'calib.txt'
        path.write_text(f'{key}: {P2}\n')
        label = tmp_path / 'label.txt'
        label.write_text('Car 0 0 0 0 0 1 1 1.5 1.6 3.9 2 1.65 20 0\n')
        calibration, offset = read_drive_calibration(path, None, (1242, 375))
        (item,) = read_labels(label, offset)
        before = np.reshape(P2.split(), (3, 4)).astype(float) @ (2.0, 1.65 - 0.75, 20.0, 1.0)
        after = calibration.K @ item.location
        np.testing.assert_allclose(after[:2] / after[2], before[:2] / before[2])
        assert item.location[0] == pytest.approx(2.0 + 0.0598, abs=1e-3)
        np.testing.assert_array_equal(calibration.P[:, 3], 0.0)

    def test_a_region_without_a_box_stays_where_it_is(self, tmp_path):
        label = tmp_path / 'label.txt'
        line = 'DontCare -1 -1 -10 1 2 3 4 -1 -1 -1 -1000 -1000 -1000 -10\n'
        label.write_text(line)
        (item,) = read_labels(label, (0.06, 0.0, 0.0))
        assert item.location == (-1000.0, -1000.0, -1000.0)

    def test_what_is_missing_is_named(self, tmp_path):
        path = tmp_path / 'calib.txt'
        path.write_text(f'P_rect_00: {P2}\n')
        with pytest.raises(KittiFormatError, match='expected a line P_rect_02:'):
            read_drive_calibration(path, 2, (6, 4))
        path.write_text('P_rect_02: 1 2 3\n')
        with pytest.raises(KittiFormatError, match='P_rect_02 must be 12 numbers'):
            read_drive_calibration(path, 2, (6, 4))

    @pytest.mark.parametrize('key', ['P2', 'P_rect_02'])
    def test_what_is_no_cameras_is_named(self, tmp_path, key):
        path = tmp_path / 'calib.txt'
        path.write_text(f'{key}:' + 12 * ' 0')
        with pytest.raises(KittiFormatError, match=r'calib\.txt: .* not calibrated'):
            read_drive_calibration(path, 2, (6, 4))

    @pytest.mark.parametrize(
        ('name', 'content', 'words'),
        [
            ('camera.yaml', 'image_width: 64', 'image_height'),
            ('camera.txt', 'P2: 1 2 3', 'P2 must have 12 numbers'),
        ],
    )
    def test_a_file_that_is_none_is_refused_before_any_frame(self, tmp_path, name, content, words):
        (tmp_path / name).write_text(content)
        with pytest.raises(ValueError, match=f'{name}.*{words}'):
            check_calibration(tmp_path / name)

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r'camera\.txt: no such calibration file'):
            check_calibration(tmp_path / 'camera.txt')
