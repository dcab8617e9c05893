"""Which engine runs, what stands in for it, and what is said of it."""

import logging
import sys

import numpy as np
import pytest
import torch
from label_network import encode_boxes, label_model

from smoke_ros import coder
from smoke_ros.checkpoint import TrainingRecord
from smoke_ros.config.detector import DetectorConfig
from smoke_ros.config.engine import EngineConfig
from smoke_ros.config.model import ModelConfig
from smoke_ros.detector import Detector
from smoke_ros.engines import choose_engine
from smoke_ros.engines.selection import resolve_precision
from smoke_ros.models import LoadedModel
from smoke_ros.network.smoke import build_network

CPU = torch.device('cpu')
MODEL = ModelConfig(input_width=128, input_height=64)


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    return build_network(MODEL).eval()


def test_eager_runs_where_it_is_asked_for(network, caplog):
    caplog.set_level(logging.INFO)
    choice = choose_engine(network, MODEL, CPU, EngineConfig(engine='eager'))
    assert (choice.engine.name, choice.engine.precision) == ('eager', 'float32')
    assert choice.fallback == ''
    assert choice.summary == 'eager, float32'
    assert 'engine eager on cpu: runs eager, float32' in caplog.text


def test_peaks_are_those_of_the_maps(network):
    engine = choose_engine(network, MODEL, CPU, EngineConfig(engine='eager')).engine
    images = torch.randn(2, 3, 64, 128)
    found = engine.peaks(images, 7).numpy()
    expected = coder.select_peaks(*engine(images), 7).numpy()
    for name in ('scores', 'class_ids', 'keypoints_feat', 'regression'):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_an_engine_for_a_gpu_is_replaced_on_a_cpu_with_a_warning(network, caplog, monkeypatch):
    monkeypatch.setitem(sys.modules, 'smoke_ros.engines.compiled_cpu', None)
    choice = choose_engine(network, MODEL, CPU, EngineConfig(engine='cuda_graph'))
    assert choice.engine.name == 'eager'
    assert choice.fallback.startswith('cuda_graph cannot run: ')
    assert 'compiled cannot run: ' in choice.fallback
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert 'engine cuda_graph on cpu: runs eager, float32; cuda_graph cannot' in record.message


def test_auto_says_what_it_could_not_use_without_a_warning(network, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setitem(sys.modules, 'smoke_ros.engines.compiled_cpu', None)
    choice = choose_engine(network, MODEL, CPU, EngineConfig())
    assert choice.engine.name == 'eager'
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert 'engine auto on cpu: runs eager, float32; compiled cannot run' in record.message


def test_a_network_of_another_kind_runs_in_plain_pytorch():
    maps = encode_boxes(ModelConfig(), None, None, [])
    detector = Detector(label_model(*maps))
    assert detector.engine.name == 'eager'
    assert 'networks of LabelNetwork' in detector.engine_summary


def test_the_detector_takes_the_engine_of_its_configuration(network):
    loaded = LoadedModel('fresh', network, MODEL, TrainingRecord(), '')
    detector = Detector(loaded, config=DetectorConfig(engine='eager', precision='bfloat16'))
    assert detector.engine_summary == 'eager, bfloat16'
    heatmap = torch.full((1, 3, 16, 32), 0.5)
    detector.network = lambda _: (heatmap, torch.zeros(1, 8, 16, 32))
    assert detector.network(torch.zeros(1, 3, 64, 128))[0] is heatmap
    assert detector.engine_summary == 'function, float32'


@pytest.mark.parametrize(
    ('engine', 'device', 'precision'),
    [('eager', 'cuda', 'float32'), ('cuda_graph', 'cuda', 'float16'), ('onnx', 'cpu', 'float32')],
)
def test_automatic_precision(engine, device, precision):
    assert resolve_precision('auto', engine, torch.device(device)) == precision
    assert resolve_precision('bfloat16', engine, torch.device(device)) == 'bfloat16'


def test_an_unknown_engine_is_refused():
    with pytest.raises(ValueError, match="engine must be one of 'auto', 'eager'"):
        EngineConfig(engine='onxx')
