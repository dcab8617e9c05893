"""The whole detector against the outputs of the authors' and of mmdetection3d's network."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from reference_weights import save_checkpoint_of

from smoke_ros.data.kitti import read_calibration
from smoke_ros.detector import Detector, DetectorConfig
from smoke_ros.preprocess import normalise, warp_image

HEATMAP_TOLERANCE = 1e-4
REGRESSION_TOLERANCE = 1e-3
FRAMES = ('000003', '000004')


@pytest.fixture(scope='module')
def reference(shared_dir):
    return shared_dir / 'reference'


@pytest.fixture(scope='module', params=['eager', 'compiled'])
def config(request):
    if request.param == 'compiled':
        pytest.importorskip('numba')
    return DetectorConfig(engine=request.param)


@pytest.fixture(scope='module')
def official(reference, tmp_path_factory, config):
    path = tmp_path_factory.mktemp('weights') / 'any_name.bin'
    detector = Detector.from_model(save_checkpoint_of(reference, 'official', path), config=config)
    assert detector.engine.name == config.engine
    return detector


@pytest.fixture(scope='module')
def outputs(reference):
    return np.load(reference / 'official_seed1.npz')


def read_frame(shared_dir, frame):
    folder = shared_dir / 'kitti/object/training'
    image = np.array(Image.open(folder / f'image_2/{frame}.png'))[..., ::-1].copy()
    height, width = image.shape[:2]
    return image, read_calibration(folder / f'calib/{frame}.txt', width, height)


def warp_by_pillow(image, geometry):
    """Warp as the authors do: by the inverse, in float32, of a float32 matrix."""
    inverse = np.linalg.inv(geometry.input_from_image.astype(np.float32))
    picture = Image.fromarray(np.ascontiguousarray(image[..., ::-1]))
    warped = picture.transform(
        (geometry.width, geometry.height), Image.AFFINE, inverse.flatten()[:6], Image.BILINEAR
    )
    return np.array(warped)[..., ::-1].copy()


@pytest.fixture(scope='module', params=FRAMES)
def pillow_frame(request, shared_dir, official):
    """A frame, its camera and the network's input made as the authors make it."""
    image, camera = read_frame(shared_dir, request.param)
    warped = warp_by_pillow(image, official.camera_setup(camera).geometry)
    return request.param, image, camera, normalise(warped, official.model)


def test_the_input_is_the_authors(pillow_frame, outputs):
    frame, _, _, tensor = pillow_frame
    sample = tensor[0, :, ::37, ::53].numpy()
    np.testing.assert_allclose(sample, outputs[f'{frame}/input_sample'], atol=1e-5)


def test_own_preprocessing_stays_within_one_grey_level_of_pillows(pillow_frame, official):
    _, image, camera, _ = pillow_frame
    geometry = official.camera_setup(camera).geometry
    ours = warp_image(image, geometry).astype(int)
    assert np.abs(ours - warp_by_pillow(image, geometry)).max() <= 1


def test_the_feature_affine_is_the_authors(pillow_frame, official, outputs):
    frame, _, camera, _ = pillow_frame
    affine = official.camera_setup(camera).geometry.feature_from_image
    np.testing.assert_allclose(affine, outputs[f'{frame}/trans_mat'], atol=1e-6)


def test_official_outputs_and_detections(pillow_frame, official, outputs, monkeypatch):
    frame, image, camera, tensor = pillow_frame
    heatmap, regression = official.network(tensor)
    assert_close(heatmap, outputs[f'{frame}/heatmap'], HEATMAP_TOLERANCE)
    assert_close(regression, outputs[f'{frame}/regression'], REGRESSION_TOLERANCE)

    monkeypatch.setattr(official, 'preprocess', lambda *_: tensor)
    monkeypatch.setattr(official, 'network', lambda _: (heatmap, regression))
    found = official.detect(image, camera, score_threshold=0.0)
    expected = outputs[f'{frame}/detections']
    assert len(found) == len(expected) == 50
    for detection, row in zip(found, expected, strict=True):
        assert_same_detection(detection, row, official.model.classes)


def assert_same_detection(detection, row, classes):
    x, y, z = detection.location
    length, height, width = detection.dimensions
    assert detection.class_name == classes[int(row[0])]
    assert detection.score == pytest.approx(row[13], abs=HEATMAP_TOLERANCE)
    np.testing.assert_allclose((height, width, length), row[6:9], atol=1e-2)
    np.testing.assert_allclose((x, y + height / 2, z), row[9:12], atol=1e-2)
    for angle, expected in ((detection.alpha, row[1]), (detection.rotation_y, row[12])):
        assert np.cos(angle - expected) > np.cos(1e-3)
    # Pixels move with the box: a centimetre at the nearest depth in the file is 0.4 px.
    np.testing.assert_allclose(detection.bbox_xyxy_px, row[2:6], atol=0.5)


def assert_close(output, expected, tolerance):
    found = output[0, :, ::6, ::8].numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < tolerance


def test_mmdet3d_outputs(reference, tmp_path, config):
    path = save_checkpoint_of(reference, 'mmdet3d', tmp_path / 'model_final.pth')
    detector = Detector.from_model(path, config=config)
    assert detector.model.classes == ('Pedestrian', 'Cyclist', 'Car')
    assert detector.model.channel_order == 'rgb'
    expected = np.load(reference / 'mmdet3d_seed1.npz')
    coarse = torch.from_numpy(expected['input_coarse'])
    tensor = F.interpolate(coarse, (384, 1280), mode='bilinear', align_corners=False)
    heatmap, regression = detector.network(tensor)
    assert_close(heatmap, expected['heatmap'], HEATMAP_TOLERANCE)
    assert_close(regression, expected['regression'], REGRESSION_TOLERANCE)


@pytest.mark.gpu
def test_cuda_gives_what_the_cpu_gives(reference, tmp_path):
    path = save_checkpoint_of(reference, 'mmdet3d', tmp_path / 'weights.pth')
    expected = np.load(reference / 'mmdet3d_seed1.npz')
    coarse = torch.from_numpy(expected['input_coarse'])
    tensor = F.interpolate(coarse, (384, 1280), mode='bilinear', align_corners=False)
    heatmap, regression = Detector.from_model(path, device='cuda').network(tensor)
    assert_close(heatmap.cpu(), expected['heatmap'], HEATMAP_TOLERANCE)
    assert_close(regression.cpu(), expected['regression'], REGRESSION_TOLERANCE)
