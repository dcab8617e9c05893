"""The engine of CUDA graphs: on a CPU all but the capture itself; on a GPU parity, too."""

import numpy as np
import pytest
import torch
from small_network import MODEL, small_model, small_network
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from smoke_ros import coder
from smoke_ros.detector import Detector, DetectorConfig
from smoke_ros.engines.cuda_graph import MOST_GRAPHS, CudaGraphEngine, pack, unpack
from smoke_ros.engines.eager import EagerEngine
from smoke_ros.engines.engine import ImageEngine
from smoke_ros.engines.image_preparation import WarpTables
from smoke_ros.models import load_model
from smoke_ros.preprocess import InputGeometry
from smoke_ros.structures import CameraModel

CPU = torch.device('cpu')
SIZES = [(320, 96), (200, 150)]


@pytest.fixture
def engine():
    return CudaGraphEngine(small_network(), MODEL, CPU, 'float32')


def make_image(size, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)


def make_camera(size, **kwargs):
    width, height = size
    K = [[300.0, 0, width / 2], [0, 300.0, height / 2], [0, 0, 1]]
    return CameraModel(np.array(K), width, height, **kwargs)


def assert_same_peaks(found, expected, atol=1e-3):
    found, expected = found.numpy(), expected.numpy()
    np.testing.assert_allclose(found.scores, expected.scores, atol=atol)
    np.testing.assert_array_equal(found.class_ids, expected.class_ids)
    np.testing.assert_array_equal(found.keypoints_feat, expected.keypoints_feat)
    np.testing.assert_allclose(found.regression, expected.regression, atol=10 * atol)


def test_maps_and_peaks_are_eagers_also_when_replayed(engine):
    eager = EagerEngine(small_network(), CPU)
    first = None
    for _ in range(2):
        images = torch.randn(2, 3, 64, 128)
        maps = engine(images)
        for found, expected in zip(maps, eager(images), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
        assert_same_peaks(engine.peaks(images, 6), eager.peaks(images, 6))
        first = first or maps
    assert not torch.equal(first[0], maps[0]), 'an older result was overwritten'


def test_peaks_of_images_are_those_of_the_detector(engine):
    """Two images of different sizes, then others through the same recording."""
    detector = Detector(small_model(), config=DetectorConfig(engine='eager'))
    cameras = [make_camera(size) for size in SIZES]
    geometries = [detector.camera_setup(camera).geometry for camera in cameras]
    for seed in range(2):
        images = [make_image(size, seed) for size in SIZES]
        pairs = zip(images, cameras, strict=True)
        inputs = torch.cat([detector.preprocess(i, c) for i, c in pairs])
        found = engine.peaks_of_images(images, geometries, 6)
        # A grey level here or there is another rounding.
        assert_same_peaks(found, detector.engine.peaks(inputs, 6), atol=5e-3)
    assert len(engine._graphs) == 1


def test_another_geometry_of_the_same_size_is_taken_over(engine):
    image = make_image((320, 96))
    results = []
    for scale in (0.4, 0.8, 0.4):
        geometry = InputGeometry.centred((320, 96), (128, 64), scale)
        results.append(engine.peaks_of_images([image], [geometry], 6).numpy())
    np.testing.assert_array_equal(results[0].scores, results[2].scores)
    assert not np.array_equal(results[0].scores, results[1].scores)


def test_the_detector_hands_it_images(engine):
    config = DetectorConfig(engine='eager', score_threshold=0.0)
    eager, graph = (Detector(small_model(), config=config) for _ in range(2))
    graph.engine = engine
    assert isinstance(engine, ImageEngine)
    assert not isinstance(eager.engine, ImageEngine)
    D = (-0.2, 0.05, 0.0, 0.0, 0.0)
    cameras = [make_camera(SIZES[0]), make_camera(SIZES[1], distortion_model='plumb_bob', D=D)]
    images = [make_image(size) for size in SIZES]
    for found, expected in zip(
        graph.detect_batch(images, cameras), eager.detect_batch(images, cameras), strict=True
    ):
        assert found
        assert found[0].class_name == expected[0].class_name
        assert found[0].score == pytest.approx(expected[0].score, abs=5e-3)
        np.testing.assert_allclose(found[0].location, expected[0].location, rtol=0.05, atol=0.1)


def test_images_in_another_order_take_the_same_recording(engine):
    images = [make_image(size, seed) for seed, size in enumerate(SIZES)]
    geometries = [InputGeometry.centred(size, (128, 64)) for size in SIZES]
    one = engine.peaks_of_images(images, geometries, 6)
    other = engine.peaks_of_images(images[::-1], geometries[::-1], 6)
    assert len(engine._graphs) == 1
    for name in ('scores', 'class_ids', 'keypoints_feat', 'regression'):
        torch.testing.assert_close(getattr(one, name), getattr(other, name).flip(0))


def test_the_recording_that_is_needed_most_is_kept(engine):
    def run(width):
        geometry = InputGeometry.centred((width, 32), (128, 64))
        engine.peaks_of_images([make_image((width, 32))], [geometry], 3)

    run(32)
    kept = next(iter(engine._graphs.values()))
    for width in range(33, 33 + 2 * MOST_GRAPHS):
        run(width)
        run(32)
    assert kept in engine._graphs.values()


def test_few_recordings_are_kept(engine):
    for width in range(32, 32 + 2 * MOST_GRAPHS):
        engine.peaks_of_images(
            [make_image((width, 32))], [InputGeometry.centred((width, 32), (128, 64))], 3
        )
    assert len(engine._graphs) == MOST_GRAPHS


def test_half_precision_is_finite():
    engine = CudaGraphEngine(small_network(), MODEL, CPU, 'float16')
    heatmap, regression = engine(torch.randn(1, 3, 64, 128))
    assert heatmap.dtype == regression.dtype == torch.float32
    assert heatmap.isfinite().all()
    assert regression.isfinite().all()


def test_packing_keeps_every_peak():
    peaks = coder.select_peaks(torch.rand(2, 3, 96, 320), torch.randn(2, 8, 96, 320), 100)
    assert_same_peaks(unpack(pack(peaks)), peaks, atol=0)


class TensorDevices(TorchDispatchMode):
    """Notes on which types of device the tensors lie that operators take and make."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        leaves = tree_leaves((args, kwargs, result))
        self.seen |= {leaf.device.type for leaf in leaves if isinstance(leaf, torch.Tensor)}
        return result


@pytest.mark.parametrize('precision', ['float32', 'float16', 'bfloat16'])
@pytest.mark.parametrize('name', ['random', 'demo'])
def test_what_is_captured_reads_nothing_back_and_stays_on_its_device(name, precision):
    """Meta tensors hold nothing to read and refuse the host's: so would a graph's capture."""
    meta = torch.device('meta')
    loaded = load_model(name)
    engine = CudaGraphEngine(loaded.network, loaded.config, meta, precision)
    size = (loaded.config.input_width, loaded.config.input_height)
    images, tables = [], []
    for width, height in SIZES:
        images.append(torch.zeros(height, width, 3, dtype=torch.uint8, device=meta))
        geometry = InputGeometry.centred((width, height), size)
        tables += WarpTables.of((width, height), geometry, meta).tensors()
    with torch.no_grad(), TensorDevices() as devices:
        (packed,) = engine._peaks_function(len(SIZES), 6)(*images, *tables)
    assert devices.seen == {'meta'}  # a constant made on the host would break the capture
    channels = coder.RegressionLayout.from_config(loaded.config).channels
    assert packed.device == meta and packed.dtype == torch.float32
    assert packed.shape == (len(SIZES), 6, 4 + channels)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
@pytest.mark.parametrize('precision', ['float32', 'float16'])
def test_captured_on_a_gpu(precision):
    device = torch.device('cuda')
    engine = CudaGraphEngine(small_network(), MODEL, device, precision)
    eager = EagerEngine(small_network(), device)
    tolerance = 1e-3 if precision == 'float32' else 0.02
    for _ in range(3):
        images = torch.randn(2, 3, 64, 128, device=device)
        torch.testing.assert_close(engine(images)[0], eager(images)[0], atol=tolerance, rtol=0)
    image = make_image((320, 96))
    geometry = InputGeometry.centred((320, 96), (128, 64))
    first, second = (engine.peaks_of_images([image], [geometry], 6).numpy() for _ in range(2))
    np.testing.assert_array_equal(first.scores, second.scores)
