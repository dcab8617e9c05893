"""Plain PyTorch as an engine."""

import torch
from small_network import small_network

from smoke_ros.engines.eager import EagerEngine


def test_a_network_stays_where_its_owner_has_it():
    network = small_network()
    engine = EagerEngine(network, torch.device('meta'))
    assert all(parameter.device.type == 'cpu' for parameter in network.parameters())
    assert all(parameter.device.type == 'meta' for parameter in engine.module.parameters())


def test_on_the_same_device_it_is_not_copied():
    network = small_network()
    assert EagerEngine(network, torch.device('cpu')).module is network
