import re

import cv2
import numpy as np
import pytest

from smoke_ros.calibration import Calibration, camera_from_calibration, read_camera

K = np.array([[800.0, 0, 640], [0, 810, 360], [0, 0, 1]])
P = np.array([[700.0, 0, 630, -80], [0, 700, 350, 0], [0, 0, 1, 0]])
D = (-0.3, 0.1, 0.0, 0.0, 0.0)


def calibration(**changes):
    return Calibration(**{'width': 1280, 'height': 720, 'K': K, 'D': D,
                          'distortion_model': 'plumb_bob', 'P': P, **changes})  # fmt: skip


def test_a_raw_image_has_k_and_the_distortion():
    camera = camera_from_calibration(calibration(), rectified=False)
    np.testing.assert_array_equal(camera.K, K)
    assert camera.D == D


def test_a_rectified_image_has_the_left_of_p_and_no_distortion():
    camera = camera_from_calibration(calibration(), rectified=True)
    np.testing.assert_array_equal(camera.K, P[:, :3])
    assert not camera.has_distortion
    assert camera.projection_offset == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ('model', 'D'), [('plumb_bob', (0.1, 0.0, 0.0, 0.0)), ('equidistant', (0.0,) * 4)]
)
def test_a_rectified_image_without_p_is_refused_where_the_lens_bends(model, D):
    bent = calibration(distortion_model=model, D=D, P=np.zeros((3, 4)))
    with pytest.raises(ValueError, match='publish P'):
        camera_from_calibration(bent, rectified=True)


def test_region_of_interest_and_binning():
    camera = camera_from_calibration(
        calibration(roi=(100, 50, 600, 400), binning=(2, 4)), rectified=False
    )
    assert (camera.width, camera.height) == (300, 100)
    np.testing.assert_allclose(camera.K, [[400, 0, 270], [0, 202.5, 77.5], [0, 0, 1]])


def test_an_empty_region_and_no_binning_is_the_whole_image():
    camera = camera_from_calibration(calibration(binning=(0, 0)), rectified=False)
    assert (camera.width, camera.height) == (1280, 720)


def test_an_image_of_another_size_is_scaled_for():
    camera = camera_from_calibration(calibration(), rectified=True, image_size=(640, 360))
    np.testing.assert_allclose(camera.K, [[350, 0, 315], [0, 350, 175], [0, 0, 1]])
    with pytest.raises(ValueError, match='aspect'):
        camera_from_calibration(calibration(), rectified=True, image_size=(640, 480))


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_intrinsics_that_are_not_finite_are_refused(value):
    broken = K.copy()
    broken[0, 2] = value
    with pytest.raises(ValueError, match='K must be finite'):
        camera_from_calibration(calibration(K=broken), rectified=False)


def test_an_empty_p_is_refused_only_where_it_matters():
    empty = np.zeros((3, 4))
    with pytest.raises(ValueError, match=r'no projection matrix \(P\[0\] = 0\)'):
        camera_from_calibration(calibration(P=empty), rectified=True)
    plain = camera_from_calibration(calibration(P=empty, D=()), rectified=True)
    np.testing.assert_array_equal(plain.K, K)


YAML = """\
image_width: 1280
image_height: 720
camera_name: front
camera_matrix: {rows: 3, cols: 3, data: [800, 0, 640, 0, 810, 360, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [-0.3, 0.1, 0, 0, 0]}
rectification_matrix: {rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}
projection_matrix: {rows: 3, cols: 4, data: [700, 0, 630, -80, 0, 700, 350, 0, 0, 0, 1, 0]}
"""


@pytest.mark.parametrize('name', ['camera.yaml', 'camera.yml', 'CAMERA.YAML'])
def test_a_ros_calibration_file(tmp_path, name):
    path = tmp_path / name
    path.write_text(YAML)
    raw = read_camera(path, (1280, 720))
    np.testing.assert_array_equal(raw.K, K)
    assert raw.D == D
    rectified = read_camera(path, (640, 360), rectified=True)
    np.testing.assert_allclose(rectified.K[0], (350, 0, 315))


@pytest.mark.parametrize(
    ('coefficients', 'fisheye', 'model'),
    [
        (D, 0, 'plumb_bob'),
        ((0.1, -0.2, 0, 0, 0.3, 0.2, 0.1, 0.05), 0, 'rational_polynomial'),
        (D[:4], 1, 'equidistant'),
    ],
)
def test_the_file_of_opencvs_calibration_program(tmp_path, coefficients, fisheye, model):
    path = tmp_path / 'out_camera_data.yml'
    file = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    file.write('calibration_time', 'Sun Nov 29 10:00:00 2026')
    file.write('image_width', 1280)
    file.write('image_height', 720)
    file.write('fisheye_model', fisheye)
    file.write('camera_matrix', K)
    file.write('distortion_coefficients', np.reshape(coefficients, (-1, 1)))
    file.release()
    assert path.read_text().startswith('%YAML:1.0')
    camera = read_camera(path, (1280, 720))
    np.testing.assert_array_equal(camera.K, K)
    assert (camera.D, camera.distortion_model) == (coefficients, model)


def test_a_byte_order_mark_is_no_part_of_a_calibration(tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text('\ufeff%YAML:1.0\n---\n' + YAML, encoding='utf-8')
    assert read_camera(path, (1280, 720)).width == 1280


def test_the_xml_of_opencv_is_refused_by_name(tmp_path):
    (tmp_path / 'camera.xml').write_text('<?xml version="1.0"?><opencv_storage/>')
    with pytest.raises(ValueError, match=r'expected YAML: .*write a \.yaml file'):
        read_camera(tmp_path / 'camera.xml', (1242, 375))


def test_a_kitti_calibration_file(tmp_path):
    path = tmp_path / '000000.txt'
    path.write_text(
        'P0: ' + ' '.join(['0'] * 12) + '\nP2: 700 0 600 45 0 700 170 0.2 0 0 1 0.003\n'
    )
    camera = read_camera(path, (1242, 375))
    assert camera.projection_offset == (45.0, 0.2, 0.003)
    assert camera.K[0, 2] == 600


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('[', 'not a YAML file'),
        ('a string', 'expected a camera calibration, got str'),
        (YAML.replace('camera_matrix', 'matrix'), 'no entry camera_matrix'),
        (YAML.replace('[800, ', '['), 'camera_matrix must have 9 numbers'),
        (YAML.replace('800', 'wide'), 'camera_matrix must be numbers'),
        (YAML.replace('image_width: 1280', 'image_width: [1]'), 'image_width must be a number of'),
        (YAML.replace('image_width: 1280', 'image_width: wide'), "of pixels, got 'wide'"),
        (YAML.replace('image_height: 720', 'image_height:'), 'image_height must be a number of'),
        (YAML.replace('image_height: 720', 'image_height: .inf'), 'of pixels, got inf'),
        (re.sub('camera_matrix: .*', 'camera_matrix: 800', YAML), 'camera_matrix must have an'),
        (re.sub('camera_matrix: .*', 'camera_matrix: [1, 2]', YAML), 'camera_matrix must have an'),
        (YAML.replace('800', '0'), 'not calibrated'),
        (YAML.replace('plumb_bob', "''"), 'distortion model must be one of'),
    ],
)
def test_a_malformed_calibration_names_file_and_entry(tmp_path, text, message):
    path = tmp_path / 'camera.yaml'
    path.write_text(text)
    with pytest.raises(ValueError, match=r'camera\.yaml') as caught:
        read_camera(path, (1280, 720))
    assert message in str(caught.value)


def test_a_ros_calibration_file_of_a_fisheye(tmp_path):
    path = tmp_path / 'camera.yaml'
    fisheye = YAML.replace('plumb_bob', 'equidistant').replace('0.1, 0, 0, 0]', '0.1, 0, 0]')
    path.write_text(fisheye)
    camera = read_camera(path, (1280, 720))
    assert (camera.distortion_model, camera.D) == ('equidistant', (-0.3, 0.1, 0.0, 0.0))
