"""ONNX files: sound, the same figures in ONNX Runtime as in PyTorch, and telling all of it."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from small_network import MODEL, small_model

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')

from smoke_ros import coder, export_command
from smoke_ros.checkpoint import TrainingRecord
from smoke_ros.cli import main
from smoke_ros.config.model import ModelConfig
from smoke_ros.detector import Detector, DetectorConfig
from smoke_ros.engines import onnx_export
from smoke_ros.engines.errors import EngineUnavailableError
from smoke_ros.engines.onnx_export import ExportOptions, export_onnx
from smoke_ros.models import LoadedModel
from smoke_ros.network.smoke import build_network
from smoke_ros.structures import CameraModel

ROOT = Path(__file__).resolve().parents[2]
STANDARD = {'', 'ai.onnx'}


def export(tmp_path_factory, **options):
    path = tmp_path_factory.mktemp('onnx') / 'small.onnx'
    export_onnx(small_model(), ExportOptions(**options), path)
    return path


@pytest.fixture(scope='module')
def maps_file(tmp_path_factory):
    return export(tmp_path_factory, batch=None)


@pytest.fixture(scope='module')
def boxes_file(tmp_path_factory):
    return export(tmp_path_factory, decodes=True)


def run(path, *inputs):
    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    names = [node.name for node in session.get_inputs()]
    return session.run(None, {n: np.asarray(v) for n, v in zip(names, inputs, strict=True)})


@pytest.mark.parametrize('batch', [1, 3])
def test_maps_agree_with_pytorch_for_any_batch(maps_file, batch):
    images = torch.randn(batch, 3, 64, 128)
    heatmap, regression = run(maps_file, images)
    expected = small_model().network(images)
    assert heatmap.shape == (batch, 3, 16, 32)
    np.testing.assert_allclose(heatmap, expected[0], atol=1e-4)
    np.testing.assert_allclose(regression, expected[1], atol=1e-3)


def test_only_the_standards_operators(maps_file):
    proto = onnx.load(maps_file)
    onnx.checker.check_model(proto, full_check=True)
    assert {node.domain for node in proto.graph.node} <= STANDARD
    assert not proto.functions
    assert 'GridSample' in {node.op_type for node in proto.graph.node}
    assert {entry.domain: entry.version for entry in proto.opset_import} == {'': 18}


def test_the_file_says_what_it_takes(maps_file):
    said = {entry.key: entry.value for entry in onnx.load(maps_file).metadata_props}
    assert (said['model'], said['trained_on']) == ('small', 'nothing at all')
    assert said['weights_sha256'] == 'ab' * 32
    assert 'smoke_ros' in said['versions']
    read = {name: json.loads(said[name]) for name in ('classes', 'mean', 'std', 'input_width')}
    assert read['classes'] == list(MODEL.classes)
    assert read['mean'] == list(MODEL.mean)
    assert read['input_width'] == 128
    assert json.loads(said['depth_reference_m']) == list(MODEL.depth_reference)
    assert json.loads(said['channel_order']) == 'rgb'
    assert json.loads(said['decoded']) is False
    assert json.loads(said['depth_spread']) is False
    assert json.loads(said['score_tolerance_m']) == 0.0


def test_boxes_are_those_of_the_library(boxes_file):
    torch.manual_seed(1)
    images = torch.randn(1, 3, 64, 128)
    K = np.array([[700.0, 0.5, 600.0], [0.0, 710.0, 180.0], [0.0, 0.0, 1.0]])
    affine = np.array([[38.8, 0.0, 0.3], [0.0, 38.8, -4.0], [0.0, 0.0, 1.0]])
    offset, scale = np.array([44.9, 0.2, 0.003]), 1.2
    arrays = [np.asarray(a, np.float32)[None] for a in (K, affine, offset, scale)]
    scores, ids, boxes = run(boxes_file, images, *arrays)

    peaks = coder.select_peaks(*small_model().network(images), MODEL.top_k).numpy()
    camera = CameraModel(K, 1242, 375, projection_offset=tuple(offset))
    model = dataclasses.replace(MODEL, uses_projection_offset=True)
    expected = coder.decode_boxes(
        peaks.regression[0], peaks.class_ids[0], peaks.keypoints_feat[0],
        model, camera, affine, scale,
    )  # fmt: skip
    np.testing.assert_allclose(scores[0], peaks.scores[0], atol=1e-5)
    np.testing.assert_array_equal(ids[0], peaks.class_ids[0])
    np.testing.assert_allclose(boxes[0, :, :3], expected.locations, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(boxes[0, :, 3:6], expected.dimensions, atol=1e-3)
    np.testing.assert_allclose(np.cos(boxes[0, :, 6] - expected.rotation_y), 1.0, atol=1e-5)


def test_scores_of_boxes_count_how_likely_their_depth_is_right(tmp_path):
    model = dataclasses.replace(MODEL, depth_spread=True, score_tolerance=2.0)
    loaded = small_model(model)
    path = tmp_path / 'spread.onnx'
    export_onnx(loaded, ExportOptions(decodes=True), path)
    torch.manual_seed(1)
    images = torch.randn(1, 3, 64, 128)
    arrays = [np.eye(3), np.diag([4.0, 4.0, 1.0]), np.zeros(3), np.float32(1.0)]
    scores, ids, boxes = run(path, images, *(np.asarray(a, np.float32)[None] for a in arrays))

    peaks = coder.select_peaks(*loaded.network(images), model.top_k).numpy()
    expected = coder.decode_boxes(
        peaks.regression[0], peaks.class_ids[0], peaks.keypoints_feat[0], model,
        CameraModel(np.eye(3), 128, 64), np.diag([4.0, 4.0, 1.0]),
    )  # fmt: skip
    certain = peaks.scores[0] * expected.certainty
    order = np.argsort(-certain, kind='stable')
    assert not np.array_equal(order, np.arange(len(order)))
    np.testing.assert_allclose(scores[0], certain[order], atol=1e-5)
    np.testing.assert_array_equal(ids[0], peaks.class_ids[0][order])
    np.testing.assert_allclose(boxes[0, :, 2], expected.locations[order, 2], rtol=1e-3, atol=1e-3)


def test_half_is_half_and_finite(tmp_path_factory):
    path = export(tmp_path_factory, half=True)
    kinds = {tensor.data_type for tensor in onnx.load(path).graph.initializer}
    assert onnx.TensorProto.FLOAT16 in kinds
    images = torch.randn(1, 3, 64, 128)
    heatmap, regression = run(path, images)
    expected = small_model().network(images)
    assert heatmap.dtype == np.float32
    assert np.isfinite(heatmap).all()
    assert np.isfinite(regression).all()
    np.testing.assert_allclose(heatmap, expected[0], atol=0.02)


@pytest.mark.slow
def test_the_whole_network(tmp_path):
    model = ModelConfig(input_width=256, input_height=96)
    torch.manual_seed(0)
    network = build_network(model).eval().requires_grad_(False)
    loaded = LoadedModel('dla34', network, model, TrainingRecord(), '')
    export_onnx(loaded, ExportOptions(), tmp_path / 'dla34.onnx')
    images = torch.randn(1, 3, 96, 256)
    expected = network(images)
    for found, wanted in zip(run(tmp_path / 'dla34.onnx', images), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-3)


def test_the_command_writes_a_file_that_the_example_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(export_command, 'load_model', lambda name: small_model())
    path = tmp_path / 'out' / 'boxes.onnx'
    assert main(['export', 'small', '--with-decode', '--out', str(path)]) == 0
    assert [p.name for p in path.parent.iterdir()] == ['boxes.onnx']

    image = np.random.default_rng(0).integers(0, 255, (375, 1242, 3), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / 'road.png'), image)
    script = str(ROOT / 'examples' / 'onnx_inference.py')
    found = subprocess.run(
        [sys.executable, script, str(path), str(tmp_path / 'road.png'),
         '721.5', '721.5', '621', '187.5', '0.0'],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    lines = found.stdout.splitlines()
    assert len(lines) == MODEL.top_k
    detector = Detector(small_model(), config=DetectorConfig(engine='eager'))
    K = [[721.5, 0, 621], [0, 721.5, 187.5], [0, 0, 1]]
    camera = CameraModel.from_intrinsics(K, 1242, 375)
    best = detector.detect(image, camera, score_threshold=0.0)[0]
    name, score, _, x, y, z, *_ = lines[0].split()
    assert (name, float(score)) == (best.class_name, pytest.approx(best.score, abs=0.02))
    assert (float(x), float(y), float(z)) == pytest.approx(best.location, rel=0.1, abs=0.3)


def test_a_missing_package_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(onnx_export.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(EngineUnavailableError, match='onnx and onnxscript: pip install'):
        export_onnx(small_model(), ExportOptions(), tmp_path / 'a.onnx')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--batch', '0'], 'batch must be 1 to 1024'),
        (['--batch', 'many'], "expected a number or dynamic, got 'many'"),
        (['--input-width', '100'], 'input_width must be a multiple of 32'),
    ],
)
def test_wrong_arguments_are_refused(arguments, words, capsys, monkeypatch):
    monkeypatch.setattr(export_command, 'load_model', lambda name: small_model())
    try:
        code = main(['export', 'small', *arguments])
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert words in capsys.readouterr().err
