import cv2
import numpy as np
import pytest

from smoke_ros.structures import CameraModel
from smoke_ros.synth.lens import Lens

K = np.array([[300.0, 0.0, 161.0], [0.0, 300.0, 118.0], [0.0, 0.0, 1.0]])
CAMERAS = {
    'pincushion': CameraModel(K, 320, 240, 'plumb_bob', (0.15, 0.02, 1e-3, -1e-3, 0.0)),
    'barrel': CameraModel(K, 320, 240, 'plumb_bob', (-0.25, 0.05, 0.0, 0.0, 0.0)),
    'fisheye': CameraModel(K, 320, 240, 'equidistant', (-0.02, 0.003, 0.0, 0.0)),
}


def project_distorted(camera, point):
    D = np.array(camera.D)
    if camera.distortion_model == 'equidistant':
        pixel, _ = cv2.fisheye.projectPoints(point[None, None], np.zeros(3), np.zeros(3), K, D)
    else:
        pixel, _ = cv2.projectPoints(point[None], np.zeros(3), np.zeros(3), K, D)
    return pixel.ravel()


@pytest.mark.parametrize('name', CAMERAS)
def test_a_point_lands_where_the_lens_puts_it(name):
    camera = CAMERAS[name]
    lens = Lens(camera)
    for point in np.array([[-1.6, -1.1, 4.0], [1.7, 0.9, 4.0], [0.3, -0.6, 3.0]]):
        u, v = lens.pinhole.project(point)
        ids = np.zeros((lens.pinhole.height, lens.pinhole.width), np.int32)
        ids[round(v) - 1 : round(v) + 2, round(u) - 1 : round(u) + 2] = 7
        rows, columns = np.nonzero(lens.distorted_ids(ids))
        expected = project_distorted(camera, point)
        np.testing.assert_allclose([columns.mean(), rows.mean()], expected, atol=0.8)


@pytest.mark.parametrize('name', CAMERAS)
def test_every_pixel_is_filled(name):
    lens = Lens(CAMERAS[name])
    light = np.ones((lens.pinhole.height, lens.pinhole.width, 3), np.float32)
    bent = lens.distorted(light)
    assert bent.shape == (240, 320, 3)
    assert (bent == 1.0).all()


def test_lens_without_distortion_changes_nothing():
    camera = CameraModel(K, 320, 240)
    lens = Lens(camera)
    ids = np.arange(320 * 240, dtype=np.int32).reshape(240, 320)
    assert (lens.pinhole.width, lens.pinhole.height) == (320, 240)
    assert (lens.distorted_ids(ids) == ids).all()


def test_too_wide_a_lens_is_refused():
    wide = CameraModel(np.array([[100.0, 0, 160], [0, 100.0, 120], [0, 0, 1]]),
                       320, 240, 'equidistant', (0.0, 0.0, 0.0, 1e-9))  # fmt: skip
    with pytest.raises(ValueError, match='sees more than a pinhole can'):
        Lens(wide)


@pytest.mark.parametrize(
    ('model', 'D'),
    [('plumb_bob', (-0.2, 0.05, 0.0, 0.0, 0.0)), ('equidistant', (0.02, -0.01, 0.0, 0.0))],
)
def test_the_skew_of_a_lens_counts(model, D):
    K = np.array([[200.0, 12.0, 160.0], [0.0, 200.0, 48.0], [0.0, 0.0, 1.0]])
    lens = Lens(CameraModel(K, 320, 96, model, D))
    column, row = 300, 10
    x, y = lens._map[row, column]
    ray = np.linalg.inv(lens.pinhole.K) @ (x, y, 1.0)
    project = cv2.fisheye.projectPoints if model == 'equidistant' else cv2.projectPoints
    bent, _ = project(ray[None, None], np.zeros(3), np.zeros(3), np.eye(3), np.array(D))
    np.testing.assert_allclose((K @ (*bent.ravel(), 1.0))[:2], (column, row), atol=0.02)
