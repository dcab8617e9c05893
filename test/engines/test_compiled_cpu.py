"""The engine of compiled kernels against plain PyTorch."""

import sys
import threading
from types import ModuleType

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from smoke_ros.coder import select_peaks
from smoke_ros.config.engine import EngineConfig
from smoke_ros.config.model import ModelConfig
from smoke_ros.engines import choose_engine
from smoke_ros.engines.compiled_cpu import CompiledCpuEngine
from smoke_ros.engines.eager import EagerEngine
from smoke_ros.engines.errors import EngineUnavailableError
from smoke_ros.network.deform_conv import DeformConv2d, deform_conv2d
from smoke_ros.network.layers import ExactGroupNorm
from smoke_ros.network.smoke import build_network
from smoke_ros.training.depthwise import train_depthwise_quickly

CPU = torch.device('cpu')
MODELS = {
    'gn': ModelConfig(),
    'bn': ModelConfig(norm='bn'),
    'light': ModelConfig(architecture='efficientnet_lite0', norm='bn', neck_channels=64),
    'light gn': ModelConfig(architecture='efficientnet_lite0', keypoint='center_2d'),
    'deep head': ModelConfig(
        architecture='efficientnet_lite0',
        norm='bn',
        neck_blocks=2,
        head_channels=128,
        regression_layers=2,
    ),
    'deep head gn': ModelConfig(
        architecture='efficientnet_lite0', neck_blocks=1, head_channels=128, regression_layers=3
    ),
}

pytest.importorskip('numba')


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def make_network(model):
    """Return a network whose taps move, and whose normalisations are not the identity."""
    torch.manual_seed(3)
    network = build_network(model).eval()
    for module in network.modules():
        if isinstance(module, DeformConv2d):
            fan_in = module.offset_mask.weight[0].numel()
            nn.init.normal_(module.offset_mask.weight, std=0.5 / fan_in**0.5)
            nn.init.normal_(module.offset_mask.bias, std=0.5)
        if isinstance(module, nn.GroupNorm | nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.8, 1.2)
            nn.init.normal_(module.bias, std=0.1)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network


@pytest.fixture(scope='module', params=MODELS)
def engines(request):
    model = MODELS[request.param]
    network = make_network(model)
    return CompiledCpuEngine(network, model), EagerEngine(network, CPU)


@pytest.fixture(scope='module')
def compiled():
    return CompiledCpuEngine(make_network(MODELS['gn']), MODELS['gn'])


@pytest.mark.parametrize('shape', [(1, 3, 96, 160), (3, 3, 32, 64)])
def test_outputs_are_plain_pytorchs(engines, shape):
    engine, eager = engines
    images = torch.randn(shape)
    # Random weights amplify rounding: plain PyTorch is as far from double precision as this.
    tolerances = (1e-5, 1e-3)
    for output, same, most in zip(engine(images), eager(images), tolerances, strict=True):
        assert output.dtype == torch.float32
        assert output.shape == same.shape
        assert (output - same).abs().max() < most


def test_any_memory_layout_is_read(compiled):
    images = torch.randn(2, 3, 64, 96)
    heatmap, regression = compiled(images)
    for same in (images.to(memory_format=torch.channels_last), images.double(),
                 images.flip(3).contiguous().flip(3)):  # fmt: skip
        again = compiled(same)
        assert torch.equal(again[0], heatmap) and torch.equal(again[1], regression)


def test_peaks_are_those_of_the_maps(engines):
    engine, _ = engines
    images = torch.randn(2, 3, 64, 96)
    peaks, expected = engine.peaks(images, 20).numpy(), select_peaks(*engine(images), 20).numpy()
    np.testing.assert_array_equal(peaks.scores, expected.scores)
    np.testing.assert_array_equal(peaks.class_ids, expected.class_ids)
    np.testing.assert_array_equal(peaks.keypoints_feat, expected.keypoints_feat)
    np.testing.assert_allclose(peaks.regression, expected.regression, atol=1e-4)


def test_what_is_not_a_number_stays_so_and_reads_no_foreign_memory(compiled):
    images = torch.randn(1, 3, 64, 96)
    images[0, 0, 5, 5] = torch.nan
    heatmap, regression = compiled(images)
    assert heatmap.isnan().any() and regression.isnan().any()
    assert compiled(torch.full_like(images, torch.inf))[0].isnan().all()


def test_the_network_itself_stays_as_it_is():
    network = make_network(MODELS['bn'])
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    CompiledCpuEngine(network, MODELS['bn'])
    after = network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_threads_may_call_at_once(compiled):
    images = torch.randn(4, 1, 3, 64, 96)
    expected = [compiled(image)[0] for image in images]
    results = [None] * 4

    def call(i):
        results[i] = compiled(images[i])[0]

    threads = [threading.Thread(target=call, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result, heatmap in zip(results, expected, strict=True):
        assert (result - heatmap).abs().max() < 1e-5


@pytest.mark.parametrize('count', [1, 3])
def test_any_number_of_threads_gives_the_same(compiled, count):
    images = torch.randn(1, 3, 64, 96)
    expected = compiled(images)
    torch.set_num_threads(count)
    for output, other in zip(compiled(images), expected, strict=True):
        assert (output - other).abs().max() < 1e-4


def test_half_precision_is_refused():
    with pytest.raises(EngineUnavailableError, match='bfloat16'):
        CompiledCpuEngine(make_network(MODELS['light']), MODELS['light'], 'bfloat16')


@pytest.fixture
def forget_kernels(monkeypatch):
    for name in [name for name in sys.modules if name.startswith('smoke_ros.engines.')]:
        if 'kernels' in name or name.endswith(('compile_network', 'compiled_layers')):
            monkeypatch.delitem(sys.modules, name)
    import smoke_ros.engines

    monkeypatch.delattr(smoke_ros.engines, 'kernels', raising=False)


def test_without_numba_it_says_so(monkeypatch, forget_kernels):
    monkeypatch.setitem(sys.modules, 'numba', None)
    with pytest.raises(EngineUnavailableError, match='pip install numba'):
        CompiledCpuEngine(make_network(MODELS['light']), MODELS['light'])


@pytest.mark.parametrize('error', [
    OSError('Could not find/load shared object file'),  # llvmlite's, where its library is not
    SystemError('initialization of _internal failed without raising an exception'),
    RuntimeError('Numba needs NumPy 2.2 or less'),
])  # fmt: skip
def test_a_numba_that_cannot_be_loaded_gives_way_to_another_engine(
    monkeypatch, forget_kernels, error
):
    class Broken(ModuleType):
        def __getattr__(self, name):
            raise error

    monkeypatch.setitem(sys.modules, 'numba', Broken('numba'))
    network, model = make_network(MODELS['light']), MODELS['light']
    choice = choose_engine(network, model, torch.device('cpu'), EngineConfig())
    assert choice.engine.name == 'eager'
    assert 'compiled cannot run' in choice.fallback and str(error) in choice.fallback
    assert train_depthwise_quickly(network) == 0


def test_kernels_that_cannot_be_compiled_give_way_to_another_engine(monkeypatch):
    def fail(*_):
        raise RuntimeError('LLVM ERROR: no such target\nand pages more')

    monkeypatch.setattr(CompiledCpuEngine, '__call__', fail)
    with pytest.raises(EngineUnavailableError, match=r'kernels for CPUs: .*no such target$'):
        CompiledCpuEngine(make_network(MODELS['light']), MODELS['light'])


def test_deformable_convolution_is_exact():
    from smoke_ros.engines.compiled_layers import CompiledDeformConv

    layer = DeformConv2d(32, 16)
    nn.init.normal_(layer.offset_mask.weight, std=0.3)  # far outside of the map, too
    nn.init.normal_(layer.bias)
    features = torch.randn(2, 32, 9, 37)
    with torch.no_grad():
        predicted = layer.offset_mask(features).double()
        offsets, mask = predicted[:, :18], predicted[:, 18:].sigmoid()
        exact = deform_conv2d(
            features.double(), offsets, mask, layer.weight.double(), layer.bias.double()
        )
        found = CompiledDeformConv(layer)(features)
    assert predicted[:, :18].abs().max() > 4
    assert (found - exact).abs().max() < 2e-5


@pytest.mark.parametrize('shape', [(2, 64, 5, 7), (1, 64, 1, 1), (1, 64, 40, 64)])
@pytest.mark.parametrize('has_bias', [True, False])
def test_winograds_convolution_is_exact(shape, has_bias):
    from smoke_ros.engines.compiled_layers import WinogradConv

    layer = nn.Conv2d(64, 72, 3, padding=1, bias=has_bias)
    assert WinogradConv.suits(layer)
    x = torch.randn(shape)
    with torch.no_grad():
        bias = layer.bias.double() if has_bias else None
        exact = F.conv2d(x.double(), layer.weight.double(), bias, padding=1)
        assert (WinogradConv(layer)(x) - exact).abs().max() < 2e-6


@pytest.mark.parametrize(
    'options', [{'stride': 2}, {'padding': 0}, {'dilation': 2}, {'groups': 2}, {'kernel_size': 5}]
)
def test_winograds_convolution_takes_no_others(options):
    from smoke_ros.engines.compiled_layers import WinogradConv

    layer = nn.Conv2d(64, 64, **{'kernel_size': 3, 'padding': 1, **options})
    assert not WinogradConv.suits(layer)


def test_group_norm_is_exact_where_the_mean_is_large():
    from smoke_ros.engines.compiled_layers import NormedConv

    norm = ExactGroupNorm(4, 16)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x, residual = 1000 + torch.randn(2, 16, 33, 31), torch.randn(2, 16, 33, 31)
    with torch.no_grad():
        exact = F.group_norm(x.double(), 4, norm.weight.double(), norm.bias.double()) + residual
        layer = NormedConv(nn.Identity(), norm, 0.0, 1.5)
        found = layer(x.clone(memory_format=torch.channels_last), residual)
    assert (found - exact.clamp(0.0, 1.5)).abs().max() < 1e-3  # 1000 has a step of 6e-5


def test_group_norm_of_a_constant_is_its_shift():
    from smoke_ros.engines.compiled_layers import NormedConv

    norm = ExactGroupNorm(4, 16)
    nn.init.normal_(norm.bias)
    with torch.no_grad():
        found = NormedConv(nn.Identity(), norm, -torch.inf, torch.inf)(
            torch.full((1, 16, 3, 5), 7.3)
        )
    assert (found - norm.bias[:, None, None]).abs().max() < 1e-4
