"""TensorRT: why it does not run here, and what its plans are cached by."""

import sys
from types import SimpleNamespace

import pytest
import torch
from small_network import MODEL, small_network

from smoke_ros.config.engine import EngineConfig
from smoke_ros.engines import choose_engine, tensorrt_engine
from smoke_ros.engines.compiled_gpu import fuse
from smoke_ros.engines.errors import EngineUnavailableError
from smoke_ros.engines.tensorrt_engine import TensorRtEngine, import_tensorrt, plan_file

CUDA = torch.device('cuda')


def test_it_is_replaced_on_a_cpu():
    choice = choose_engine(
        small_network(), MODEL, torch.device('cpu'), EngineConfig(engine='tensorrt')
    )
    assert choice.engine.name in ('compiled', 'eager')
    assert 'tensorrt cannot run: TensorRT runs on NVIDIA GPUs, not on a cpu' in choice.fallback


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorrt', None)
    with pytest.raises(EngineUnavailableError, match='pip install tensorrt'):
        TensorRtEngine(small_network(), MODEL, CUDA, 'float16')


def test_an_old_version_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tensorrt', SimpleNamespace(__version__='8.6.1'))
    with pytest.raises(EngineUnavailableError, match=r'must be 10 or newer, got 8\.6\.1'):
        import_tensorrt(CUDA)


def test_a_plan_is_for_one_version_and_one_kind_of_gpu(monkeypatch, tmp_path):
    monkeypatch.setenv('SMOKE_ROS_CACHE', str(tmp_path))
    gpu = ['NVIDIA A', (9, 0)]
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda device: gpu[0])
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: gpu[1])
    source = tmp_path / 'network_12.onnx'
    path = plan_file(source, '10.3.0', CUDA)
    assert path == plan_file(source, '10.3.0', CUDA)
    others = {plan_file(source, '10.4.0', CUDA), plan_file(tmp_path / 'n_13.onnx', '10.3.0', CUDA)}
    gpu[:] = ['NVIDIA B', (9, 0)]
    others.add(plan_file(source, '10.3.0', CUDA))
    assert len({path, *others}) == 4


def test_a_plan_that_cannot_be_loaded_is_named(monkeypatch, tmp_path):
    class Runtime:
        def __init__(self, log):
            pass

        def deserialize_cuda_engine(self, plan):
            return None

    class Logger:
        WARNING = 1

        def __init__(self, level):
            pass

    fake = SimpleNamespace(__version__='10.3.0', Runtime=Runtime, Logger=Logger)
    monkeypatch.setitem(sys.modules, 'tensorrt', fake)
    path = tmp_path / 'old.plan'
    path.write_bytes(b'cut off')
    monkeypatch.setattr(tensorrt_engine, 'cached_onnx_file', lambda *_: tmp_path / 'a.onnx')
    monkeypatch.setattr(tensorrt_engine, 'plan_file', lambda *_: path)
    with pytest.raises(
        EngineUnavailableError, match=r'load .*old\.plan; once removed, it is made'
    ):
        TensorRtEngine(small_network(), MODEL, CUDA, 'float16')


def test_torch_compile_takes_triton(monkeypatch):
    from smoke_ros.engines import compiled_gpu

    monkeypatch.setattr(compiled_gpu.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(EngineUnavailableError, match='takes Triton'):
        fuse(small_network())
