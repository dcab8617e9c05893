import pytest
import torch
from tiny_smoke import make_network
from torch import nn

from smoke_ros.training.ema import RunningMean


def test_mean_follows_with_a_decay_that_rises():
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, 0.0)
    mean = RunningMean(network, decay=0.9)
    nn.init.constant_(network.weight, 1.0)
    mean.update(network, 0)  # decay 1 / 10
    assert mean.network.weight.item() == pytest.approx(0.9)
    nn.init.constant_(network.weight, 2.0)
    mean.update(network, 1)  # decay 2 / 11
    assert mean.network.weight.item() == pytest.approx(0.9 * 2 / 11 + 2.0 * 9 / 11)
    mean.update(network, 1_000_000)  # decay 0.9
    assert mean.network.weight.item() == pytest.approx(0.9 * 1.8 + 0.1 * 2.0)


def test_counters_are_copied_and_statistics_averaged():
    network = nn.BatchNorm2d(2)
    mean = RunningMean(network, decay=0.5)
    network(torch.full((1, 2, 4, 4), 3.0))
    mean.update(network, 100)
    assert mean.network.num_batches_tracked.item() == 1
    expected = 0.5 * torch.zeros(2) + 0.5 * network.running_mean
    torch.testing.assert_close(mean.network.running_mean, expected)


def test_mean_is_a_network_of_its_own_for_evaluation():
    network = make_network().train()
    mean = RunningMean(network, decay=0.9)
    assert not mean.network.training
    assert not any(p.requires_grad for p in mean.network.parameters())
    assert mean.network.heads.heatmap[0].weight is not network.heads.heatmap[0].weight
    assert network.training
