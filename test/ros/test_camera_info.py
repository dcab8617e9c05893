import numpy as np
import pytest

pytest.importorskip('sensor_msgs')

from sensor_msgs.msg import RegionOfInterest

from smoke_ros.ros import camera_info
from smoke_ros.ros.camera_info import (
    CameraSource,
    calibration_from_message,
    calibration_from_url,
    is_rectified,
)


@pytest.mark.parametrize(
    ('setting', 'topic', 'expected'),
    [
        ('auto', '/camera/image_raw', False),
        ('auto', '/camera/image_rect_color', True),
        ('auto', '/rectified/image', True),
        ('auto', '/camera/image_rect', True),
        ('auto', '/direct/image_raw', False),
        ('auto', '/camera/image_unrectified', False),
        ('auto', '/front_corrected/image_raw', False),
        ('raw', '/camera/image_rect', False),
        ('rectified', '/camera/image_raw', True),
    ],
)
def test_is_rectified(setting, topic, expected):
    assert is_rectified(setting, topic) is expected


def test_every_field_is_taken_over(make):
    roi = RegionOfInterest(x_offset=4, y_offset=6, width=40, height=20)
    info = make.camera_info(
        k=[float(n) for n in range(9)], r=[float(n) for n in range(9)],
        p=[float(n) for n in range(12)], d=[0.1, 0.2, 0.3, 0.4, 0.5],
        binning_x=2, binning_y=4, roi=roi,
    )  # fmt: skip
    calibration = calibration_from_message(info)
    np.testing.assert_array_equal(calibration.K, np.arange(9.0).reshape(3, 3))
    np.testing.assert_array_equal(calibration.R, np.arange(9.0).reshape(3, 3))
    np.testing.assert_array_equal(calibration.P, np.arange(12.0).reshape(3, 4))
    assert calibration.D == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert (calibration.width, calibration.height) == (64, 48)
    assert (calibration.roi, calibration.binning) == ((4, 6, 40, 20), (2, 4))
    assert calibration.distortion_model == 'plumb_bob'


def test_raw_images_go_by_k_and_d_rectified_ones_by_p(make):
    p = [30.0, 0.0, 32.0, -9.0, 0.0, 30.0, 24.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    info = make.camera_info(p=p, d=[0.1, 0.0, 0.0, 0.0, 0.0])
    raw = CameraSource(rectified=False).camera(info, (64, 48))
    assert (raw.K[0, 0], raw.has_distortion) == (50.0, True)
    rectified = CameraSource(rectified=True).camera(info, (64, 48))
    assert (rectified.K[0, 0], rectified.has_distortion) == (30.0, False)


def test_the_camera_is_made_once_for_equal_messages(make, monkeypatch):
    calls = []
    make_camera = camera_info.camera_from_calibration
    monkeypatch.setattr(
        camera_info,
        'camera_from_calibration',
        lambda *args, **named: calls.append(1) or make_camera(*args, **named),
    )
    source = CameraSource(rectified=False)
    first = source.camera(make.camera_info(1.0), (64, 48))
    assert source.camera(make.camera_info(2.0), (64, 48)) is first
    assert len(calls) == 1
    changed = make.camera_info(3.0, k=[60.0, 0.0, 32.0, 0.0, 60.0, 24.0, 0.0, 0.0, 1.0])
    assert source.camera(changed, (64, 48)).K[0, 0] == 60.0
    assert source.camera(changed, (128, 96)).K[0, 0] == 120.0
    assert len(calls) == 3


def test_a_refused_camera_is_refused_again(make):
    source = CameraSource(rectified=False)
    source.camera(make.camera_info(), (64, 48))
    for _ in range(2):
        with pytest.raises(ValueError, match='not calibrated'):
            source.camera(make.camera_info(k=[0.0] * 9), (64, 48))
    assert source.camera(make.camera_info(), (64, 48)).K[0, 0] == 50.0


@pytest.fixture
def yaml_file(make, tmp_path):
    path = tmp_path / 'config' / 'camera.yaml'
    path.parent.mkdir()
    path.write_text(make.calibration_yaml(fx=70.0), encoding='utf-8')
    return path


@pytest.mark.parametrize('prefix', ['', 'file://'])
def test_paths_and_file_urls(yaml_file, prefix):
    assert calibration_from_url(f'{prefix}{yaml_file}').K[0, 0] == 70.0


def test_package_urls(yaml_file, tmp_path, monkeypatch):
    monkeypatch.setattr(camera_info, 'get_package_share_directory', lambda name: tmp_path / name)
    (tmp_path / 'rig').symlink_to(tmp_path)
    assert calibration_from_url('package://rig/config/camera.yaml').K[0, 0] == 70.0


@pytest.mark.parametrize(
    ('url', 'error', 'words'),
    [
        ('/nowhere/camera.yaml', FileNotFoundError, '/nowhere/camera.yaml'),
        ('file:///nowhere/camera.yaml', FileNotFoundError, '/nowhere/camera.yaml'),
        ('package://no_such_package/a.yaml', FileNotFoundError, "no package 'no_such_package'"),
        ('http://host/a.yaml', ValueError, 'must be a path, file:// or package://, got'),
    ],
)
def test_what_cannot_be_read(url, error, words):
    with pytest.raises(error, match=words):
        calibration_from_url(url)


def test_a_fixed_calibration_needs_no_message(yaml_file):
    source = CameraSource(rectified=False, fixed=calibration_from_url(str(yaml_file)))
    assert source.camera(None, (64, 48)).K[0, 0] == 70.0
    assert source.camera(None, (32, 24)).K[0, 0] == 35.0


def test_the_camera_follows_p_and_the_region_of_interest(make):
    p = [60.0, 0.0, 32.0, 0.0, 0.0, 60.0, 24.0, 0.0, 0.0, 0.0, 1.0, 0.0]
    source = CameraSource(rectified=True)
    assert source.camera(make.camera_info(), (64, 48)).K[0, 0] == 50.0
    assert source.camera(make.camera_info(p=p), (64, 48)).K[0, 0] == 60.0
    for left in (8, 16):
        roi = RegionOfInterest(x_offset=left, width=32, height=24)
        assert source.camera(make.camera_info(roi=roi), (32, 24)).K[0, 2] == 32.0 - left


def test_the_distortion_model_is_the_messages(make):
    info = make.camera_info(distortion_model='equidistant', d=[0.1, 0.0, 0.0, 0.0])
    camera = CameraSource(rectified=False).camera(info, (64, 48))
    assert camera.distortion_model == 'equidistant'
