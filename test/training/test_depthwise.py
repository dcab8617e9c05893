import copy
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from smoke_ros.config.model import ModelConfig
from smoke_ros.network.smoke import build_network
from smoke_ros.training.depthwise import TrainedDepthwiseConv2d, train_depthwise_quickly


def make_layers(side, stride, channels=16):
    torch.manual_seed(0)
    plain = nn.Conv2d(channels, channels, side, stride, side // 2, groups=channels, bias=False)
    return plain, TrainedDepthwiseConv2d.of(copy.deepcopy(plain))


def gradients(layer, x, factor):
    """Return result, input's gradient and weight's gradient of sum(factor * layer(x))."""
    x = x.clone().requires_grad_()
    result = layer(x)
    (result * factor).sum().backward()
    return result.detach(), x.grad, layer.weight.grad


@pytest.mark.parametrize('threads', [1, 2, 3])
@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize('side', [3, 5, 7])
def test_gradients_are_those_of_double_precision(side, stride, threads):
    plain, quick = make_layers(side, stride)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for height, width in ((8, 12), (7, 9), (1, 5)):
            x = torch.randn(2, 16, height, width).contiguous(memory_format=torch.channels_last)
            factor = torch.randn_like(plain(x))
            expected = gradients(copy.deepcopy(plain).double(), x.double(), factor.double())
            quick.weight.grad = None
            for found, known in zip(gradients(quick, x, factor), expected, strict=True):
                torch.testing.assert_close(found.double(), known, rtol=1e-5, atol=1e-5)
    finally:
        torch.set_num_threads(before)


def test_memory_may_be_laid_out_in_any_way():
    plain, quick = make_layers(5, 1)
    x = torch.randn(3, 16, 6, 10)
    factor = torch.randn(3, 16, 10, 6).transpose(2, 3)
    for found, known in zip(gradients(quick, x, factor), gradients(plain, x, factor), strict=True):
        torch.testing.assert_close(found, known, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('stride', [1, 2])
def test_mixed_precision_keeps_the_weights_gradient_in_single(stride):
    plain, quick = make_layers(3, stride)
    x = torch.randn(2, 16, 8, 8).bfloat16().float()
    plain.weight.data = plain.weight.data.bfloat16().float()
    quick.weight.data = plain.weight.data.clone()
    factor = torch.randn(2, 16, 8 // stride, 8 // stride).bfloat16().float()
    expected = gradients(plain, x, factor)
    with torch.autocast('cpu', torch.bfloat16):
        result = quick(x)
        assert result.dtype == torch.bfloat16
        found = gradients(quick, x, factor)
    assert found[2].dtype == torch.float32
    torch.testing.assert_close(found[0].float(), expected[0], rtol=0.01, atol=0.01)
    torch.testing.assert_close(found[1], expected[1], rtol=0.02, atol=0.05)
    torch.testing.assert_close(found[2], expected[2], rtol=1e-4, atol=1e-4)


def test_a_frozen_layer_and_one_that_is_only_used_are_plain():
    _, quick = make_layers(3, 1)
    x = torch.randn(1, 16, 4, 4, requires_grad=True)
    with torch.no_grad():
        assert quick(x).grad_fn is None
    quick.weight.requires_grad_(False)
    assert 'Convolution' in type(quick(x).grad_fn).__name__
    assert '_DepthwiseConvolution' not in type(quick(x).grad_fn).__name__


UNSUITABLE = {
    'dense': nn.Conv2d(16, 16, 3, padding=1, bias=False),
    'biased': nn.Conv2d(16, 16, 3, padding=1, groups=16),
    'unpadded': nn.Conv2d(16, 16, 3, groups=16, bias=False),
    'named padding': nn.Conv2d(16, 16, 3, padding='same', groups=16, bias=False),
    'oblong': nn.Conv2d(16, 16, (3, 5), padding=(1, 2), groups=16, bias=False),
    'large': nn.Conv2d(16, 16, 9, padding=4, groups=16, bias=False),
    'narrow': nn.Conv2d(12, 12, 3, padding=1, groups=12, bias=False),
    'dilated': nn.Conv2d(16, 16, 3, padding=1, dilation=2, groups=16, bias=False),
    'none': nn.ReLU(),
}


@pytest.mark.parametrize('kind', UNSUITABLE)
def test_other_layers_stay(kind):
    network = nn.Sequential(UNSUITABLE[kind])
    assert train_depthwise_quickly(network) == 0
    assert network[0] is UNSUITABLE[kind]


def test_a_network_keeps_its_names_parameters_and_results():
    torch.manual_seed(0)
    network = build_network(
        ModelConfig(architecture='efficientnet_lite0', norm='bn', neck_blocks=1)
    ).eval()
    names, parameters = list(network.state_dict()), dict(network.named_parameters())
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = network(x)
    # 16 blocks of the trunk and one at each of three strides of the neck.
    assert train_depthwise_quickly(network) == 19
    assert list(network.state_dict()) == names
    assert all(parameters[name] is value for name, value in network.named_parameters())
    with torch.no_grad():
        for found, known in zip(network(x), expected, strict=True):
            torch.testing.assert_close(found, known, rtol=0, atol=0)
    assert not any(layer.training for layer in network.modules())
    copied = dict(copy.deepcopy(network).named_parameters())
    assert not any(parameters[name] is value for name, value in copied.items())


def test_kernels_are_compiled_once_for_all_processes(tmp_path):
    command = [sys.executable, '-c', 'import smoke_ros.engines.kernels.depthwise']
    environment = {**os.environ, 'NUMBA_CACHE_DIR': str(tmp_path)}
    counts = []
    for _ in range(2):
        subprocess.run(command, env=environment, check=True)
        counts.append(len(list(tmp_path.rglob('*.nbc'))))
    assert counts[0] == counts[1] >= 3
