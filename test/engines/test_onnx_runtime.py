"""The engine of ONNX Runtime: parity, the cache, and what it says where it cannot run."""

import sys

import numpy as np
import pytest
import torch
from small_network import MODEL, small_network

from smoke_ros.config.engine import EngineConfig
from smoke_ros.engines import choose_engine
from smoke_ros.engines.eager import EagerEngine
from smoke_ros.engines.engine_cache import engine_file, weights_digest

CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp('cache')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('SMOKE_ROS_CACHE', str(folder))
        yield folder


@pytest.fixture(scope='module')
def engine(cache):
    for name in ('onnx', 'onnxruntime', 'onnxscript'):
        pytest.importorskip(name)
    choice = choose_engine(small_network(), MODEL, CPU, EngineConfig(engine='onnx'))
    assert choice.summary == 'onnx, float32'
    return choice.engine


@pytest.mark.parametrize('batch', [1, 2])
def test_the_same_maps_and_peaks_as_eager(engine, batch):
    images = torch.randn(batch, 3, 64, 128)
    eager = EagerEngine(small_network(), CPU)
    for found, expected in zip(engine(images), eager(images), strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
    found, expected = (e.peaks(images, 5).numpy() for e in (engine, eager))
    np.testing.assert_array_equal(found.class_ids, expected.class_ids)
    np.testing.assert_allclose(found.regression, expected.regression, atol=1e-3)


def test_it_is_exported_once(engine, cache, monkeypatch):
    from smoke_ros.engines import onnx_runtime

    (path,) = (cache / 'engines').iterdir()
    assert path.name.startswith('network_')
    monkeypatch.setattr(onnx_runtime, 'export_onnx', None)
    onnx_runtime.OnnxEngine(small_network(), MODEL, CPU)


def test_what_it_cannot_do_is_said(engine, monkeypatch):
    config = EngineConfig(engine='onnx', precision='bfloat16')
    fallback = choose_engine(small_network(), MODEL, CPU, config).fallback
    assert 'onnx cannot run: ONNX files are in float32 or float16, got precision bfl' in fallback
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    fallback = choose_engine(small_network(), MODEL, CPU, EngineConfig(engine='onnx')).fallback
    assert 'pip install -r requirements/export.txt' in fallback


def test_a_cache_that_cannot_be_written_to_costs_the_engine_alone(monkeypatch, tmp_path):
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('SMOKE_ROS_CACHE', str(tmp_path / 'file'))
    fallback = choose_engine(small_network(), MODEL, CPU, EngineConfig(engine='onnx')).fallback
    assert 'its file cannot be kept' in fallback and 'set SMOKE_ROS_CACHE' in fallback


def test_a_network_that_pytorch_cannot_export_costs_the_engine_alone(monkeypatch, tmp_path):
    for name in ('onnx', 'onnxruntime', 'onnxscript'):
        pytest.importorskip(name)

    def refuse(*_, **__):
        raise torch.onnx.OnnxExporterError('no rule for aten.roll\n and pages more')

    monkeypatch.setenv('SMOKE_ROS_CACHE', str(tmp_path))
    monkeypatch.setattr(torch.onnx, 'export', refuse)
    choice = choose_engine(small_network(), MODEL, CPU, EngineConfig(engine='onnx'))
    assert choice.engine.name in ('compiled', 'eager')
    assert 'could not be exported: OnnxExporterError: no rule for aten.roll' in choice.fallback
    assert 'pages more' not in choice.fallback


def test_a_gpu_takes_the_runtime_for_gpus(engine, monkeypatch):
    import onnxruntime

    from smoke_ros.engines.errors import EngineUnavailableError
    from smoke_ros.engines.onnx_runtime import OnnxEngine

    monkeypatch.setattr(onnxruntime, 'get_available_providers', lambda: ['CPUExecutionProvider'])
    with pytest.raises(EngineUnavailableError, match='has no CUDAExecutionProvider'):
        OnnxEngine(small_network(), MODEL, torch.device('cuda'))


def test_threads_are_pytorchs_and_do_not_spin(engine):
    options = engine._session.get_session_options()
    assert options.intra_op_num_threads == torch.get_num_threads()
    assert options.get_session_config_entry('session.intra_op.allow_spinning') == '0'


def test_the_key_of_a_cached_file(cache):
    facts = {'weights': 'a', 'versions': {'torch': '2'}}
    path = engine_file('x.onnx', facts)
    assert path == engine_file('x.onnx', dict(reversed(facts.items())))
    assert path.parent == cache / 'engines'
    assert path.suffix == '.onnx'
    assert path != engine_file('x.onnx', {**facts, 'versions': {'torch': '3'}})


def test_the_digest_follows_every_weight():
    network = small_network()
    before = weights_digest(network)
    assert before == weights_digest(small_network())
    network.heads.regression[-1].bias[3] += 1e-6
    assert weights_digest(network) != before
