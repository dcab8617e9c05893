import pytest
import torch
from tiny_smoke import make_network
from torch import nn

from smoke_ros.config.training import TrainingConfig
from smoke_ros.training.optimiser import (
    learning_rate,
    make_optimiser,
    parameter_groups,
    set_learning_rate,
)


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4))


def test_biases_learn_twice_as_fast_and_only_weights_decay():
    conv, norm = (layer := network())[0], layer[1]
    weights, scales, biases = parameter_groups(
        layer.named_parameters(), TrainingConfig(weight_decay=0.1, bias_factor=2.0)
    )
    assert [id(p) for p in weights['params']] == [id(conv.weight)]
    assert [id(p) for p in scales['params']] == [id(norm.weight)]
    assert [id(p) for p in biases['params']] == [id(conv.bias), id(norm.bias)]
    assert [g['weight_decay'] for g in (weights, scales, biases)] == [0.1, 0.0, 0.0]
    assert [g['factor'] for g in (weights, scales, biases)] == [1.0, 1.0, 2.0]


def test_every_parameter_is_in_one_group():
    layer = make_network()
    groups = parameter_groups(layer.named_parameters(), TrainingConfig())
    grouped = [id(parameter) for group in groups for parameter in group['params']]
    assert sorted(grouped) == sorted(id(parameter) for parameter in layer.parameters())


def test_trunk_learns_at_a_rate_of_its_own():
    layer = make_network()
    config = TrainingConfig(backbone_lr_factor=0.1, weight_decay=0.1, bias_factor=2.0)
    optimiser = make_optimiser(layer, config)
    set_learning_rate(optimiser, 1.0)
    rates = {
        id(p): (group['lr'], group['weight_decay'])
        for group in optimiser.param_groups
        for p in group['params']
    }
    assert len(rates) == len(list(layer.parameters()))
    for name, parameter in layer.named_parameters():
        expected = (0.1 if name.startswith('backbone.') else 1.0) * (
            2.0 if name.endswith('bias') else 1.0
        )
        assert rates[id(parameter)][0] == pytest.approx(expected), name
        decays = parameter.ndim > 1 and not name.endswith('bias')
        assert rates[id(parameter)][1] == (0.1 if decays else 0.0), name


def test_learning_rate_reaches_the_groups():
    optimiser = make_optimiser(network(), TrainingConfig(bias_factor=2.0))
    set_learning_rate(optimiser, 0.5)
    assert [group['lr'] for group in optimiser.param_groups] == [0.5, 0.5, 1.0]


@pytest.mark.parametrize(
    ('kind', 'expected'), [('adam', torch.optim.Adam), ('adamw', torch.optim.AdamW)]
)
def test_kinds_of_optimiser(kind, expected):
    assert type(make_optimiser(network(), TrainingConfig(optimiser=kind))) is expected


@pytest.mark.parametrize(
    ('iteration', 'rate'),
    [(0, 2.5e-4), (9_999, 2.5e-4), (10_000, 2.5e-5), (17_999, 2.5e-5), (18_000, 2.5e-6)],
)
def test_default_schedule_is_the_papers(iteration, rate):
    assert learning_rate(iteration, TrainingConfig()) == pytest.approx(rate)


def test_warm_up_rises_evenly_to_the_full_rate():
    config = TrainingConfig(learning_rate=1.0, warmup_iterations=4, schedule='constant')
    rates = [learning_rate(i, config) for i in range(6)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_cosine_falls_from_full_to_final():
    config = TrainingConfig(
        learning_rate=1.0, warmup_iterations=10, schedule='cosine', iterations=110,
        final_factor=0.2,
    )  # fmt: skip
    assert learning_rate(10, config) == pytest.approx(1.0)
    assert learning_rate(60, config) == pytest.approx(0.6)
    assert learning_rate(110, config) == pytest.approx(0.2)
