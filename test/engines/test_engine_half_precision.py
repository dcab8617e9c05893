"""Half precision: what is half, what is not, and that nothing overflows."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from smoke_ros.config.model import ModelConfig
from smoke_ros.engines.eager import EagerEngine
from smoke_ros.engines.half_precision import SingleNorm, half_network
from smoke_ros.network.smoke import build_network

MODEL = ModelConfig(input_width=64, input_height=64)


@pytest.fixture(scope='module')
def network():
    torch.manual_seed(0)
    return build_network(MODEL).eval()


@pytest.mark.parametrize('precision', ['float16', 'bfloat16'])
def test_close_to_single_precision_and_finite(network, precision):
    images = torch.randn(1, 3, 64, 64)
    expected = EagerEngine(network, torch.device('cpu'))(images)
    found = EagerEngine(network, torch.device('cpu'), precision)(images)
    assert all(half.dtype == torch.float32 and half.isfinite().all() for half in found)
    # Random weights amplify: the heatmap is what has a scale to go by.
    assert (found[0] - expected[0]).abs().max() < 0.02
    assert (found[0] - expected[0]).abs().max() > 0, 'nothing ran in half precision'


def test_the_network_itself_stays_as_it_was(network):
    half_network(network, 'float16')
    assert all(p.dtype == torch.float32 for p in network.parameters())


def test_norms_and_the_ends_of_the_heads_are_single(network):
    half = half_network(network, 'float16')
    norms = [m for m in half.modules() if isinstance(m, nn.GroupNorm)]
    assert norms
    assert all(norm.weight.dtype == torch.float32 for norm in norms)
    heads = half.network.heads
    assert heads.regression[0].weight.dtype == torch.float16
    assert heads.regression[-1].weight.dtype == torch.float32


def test_only_the_end_of_a_deep_head_is_single():
    model = replace(MODEL, architecture='efficientnet_lite0', regression_layers=2)
    network = build_network(model).eval()
    half = half_network(network, 'bfloat16')
    images = torch.randn(1, 3, 64, 64)
    assert (half(images)[0] - network(images)[0]).abs().max() < 0.02
    types = [m.weight.dtype for m in half.network.heads.regression if isinstance(m, nn.Conv2d)]
    assert types == [torch.bfloat16, torch.bfloat16, torch.float32]


@pytest.mark.parametrize('precision', ['float16', 'bfloat16'])
def test_what_is_single_has_not_been_half_before(precision):
    model = replace(MODEL, architecture='efficientnet_lite0', norm='bn')
    network = build_network(model).eval()
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:  # no value of which half precision has, and one beyond float16
        nn.init.uniform_(norm.running_mean, 0.1, 0.2)
        nn.init.uniform_(norm.running_var, 0.5, 1.5)
    norms[0].running_var[0] = 1e5
    half = half_network(network, precision)
    copies = [m.norm for m in half.modules() if isinstance(m, SingleNorm)]
    assert len(copies) == len(norms)
    for norm, copy in zip(norms, copies, strict=True):
        torch.testing.assert_close(copy.state_dict(), norm.state_dict(), rtol=0, atol=0)
    for head in ('heatmap', 'regression'):
        end, source = getattr(half.network.heads, head)[-1], getattr(network.heads, head)[-1]
        torch.testing.assert_close(end.state_dict(), source.state_dict(), rtol=0, atol=0)


def test_a_norm_survives_what_float16_could_not_square():
    norm = SingleNorm(nn.GroupNorm(2, 4), torch.float16)
    features = torch.randn(1, 4, 8, 8).mul(3e4).clamp(-6e4, 6e4).half()
    found = norm(features)
    assert found.dtype == torch.float16
    expected = nn.GroupNorm(2, 4)(features.float())
    torch.testing.assert_close(found.float(), expected, atol=2e-3, rtol=0)
