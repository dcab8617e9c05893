import cv2
import numpy as np
import pytest

from smoke_ros.calibration import format_camera_yaml, read_camera
from smoke_ros.data.kitti import write_calibration, write_objects
from smoke_ros.structures import CameraModel

pytest.importorskip('rclpy')

from smoke_ros.ros.bags import BagReader
from smoke_ros.ros.synth_drive import write_bag

K = [[300.0, 0.0, 160.0], [0.0, 301.0, 50.0], [0.0, 0.0, 1.0]]


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / 'drive'
    (folder / 'image_2').mkdir(parents=True)
    for index in range(4):
        name = f'{index:06d}'
        cv2.imwrite(str(folder / 'image_2' / f'{name}.jpg'), np.full((100, 320, 3), 90, np.uint8))
        write_calibration(
            folder / 'calib' / f'{name}.txt', CameraModel.from_intrinsics(K, 320, 100)
        )
        write_objects(folder / 'label_2' / f'{name}.txt', [])
    return folder


def test_bag_has_pictures_cameras_and_truth_at_the_rate(frames):
    counts = write_bag(frames, frames / 'bag', rate_hz=20.0)
    assert counts['/camera_2/image_rect/compressed'] == 4
    assert counts['/camera_2/camera_info'] == counts['/camera_2/ground_truth'] == 4
    with BagReader(frames / 'bag') as bag:
        assert bag.duration_s == pytest.approx(3 / 20, abs=1e-3)
    write_bag(frames, frames / 'bag', rate_hz=20.0)  # replaces the older one


def test_distorted_camera_is_in_the_bag(frames):
    camera = CameraModel(np.array(K), 320, 100, 'plumb_bob', (0.1, -0.02, 0.001, 0.0, 0.0))
    (frames / 'camera.yaml').write_text(format_camera_yaml(camera))
    counts = write_bag(frames, frames / 'bag', 10.0, frames / 'camera.yaml')
    assert counts['/camera_2/image_raw/compressed'] == 4
    topic = '/camera_2/camera_info'
    with BagReader(frames / 'bag') as bag:
        message = next(iter(bag.messages([topic])))
        info = message.decode(bag.topics[topic].message_class())
    assert list(info.d) == list(camera.D)
    np.testing.assert_allclose(np.reshape(info.k, (3, 3)), K)


def test_fisheye_survives_the_calibration_file(tmp_path):
    camera = CameraModel(np.array(K), 320, 100, 'equidistant', (0.1, -0.02, 0.001, 0.002))
    (tmp_path / 'camera.yaml').write_text(format_camera_yaml(camera))
    assert read_camera(tmp_path / 'camera.yaml', (320, 100)).key == camera.key
