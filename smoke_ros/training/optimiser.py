"""Which parameters learn how fast, and when."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.nn import Parameter

from smoke_ros.config.training import TrainingConfig


def make_optimiser(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Make the optimiser of a network's parameters, those that are frozen left out."""
    groups = parameter_groups(network.named_parameters(), config)
    kind = {'adam': torch.optim.Adam, 'adamw': torch.optim.AdamW}[config.optimiser]
    # Fused: all tensors in one go, several times as fast on a CPU too.
    return kind(groups, lr=config.learning_rate, fused=True)


def parameter_groups(
    parameters: Iterable[tuple[str, Parameter]], config: TrainingConfig
) -> list[dict[str, Any]]:
    """Divide parameters into weights, scales of normalisation layers, and biases.

    Only weights decay; biases learn ``bias_factor`` times as fast. As in the authors' code, the
    biases of normalisation layers count as biases. Those of the trunk are apart where it has a
    learning rate of its own.

    Returns
    -------
    Groups for an optimiser, each with its ``factor`` of the learning rate; empty ones left out.
    """
    kinds = ((1.0, config.weight_decay), (1.0, 0.0), (config.bias_factor, 0.0))
    groups: list[dict[str, Any]] = [
        {'params': [], 'factor': trunk_factor * factor, 'weight_decay': decay}
        for trunk_factor in (1.0, config.backbone_lr_factor)
        for factor, decay in kinds
    ]
    for name, parameter in parameters:
        if parameter.requires_grad:
            is_apart = name.startswith('backbone.') and config.backbone_lr_factor != 1.0
            groups[len(kinds) * is_apart + _kind(name, parameter)]['params'].append(parameter)
    return [group for group in groups if group['params']]


def _kind(name: str, parameter: Parameter) -> int:
    """Return which kind: 0 for weights, 1 for scales of normalisation layers, 2 for biases."""
    if name.endswith('bias'):
        return 2
    return int(parameter.ndim == 1)


def learning_rate(iteration: int, config: TrainingConfig) -> float:
    """Return the learning rate of weights for the step after ``iteration`` steps."""
    if iteration < config.warmup_iterations:
        return config.learning_rate * (iteration + 1) / (config.warmup_iterations + 1)
    if config.schedule == 'step':
        return config.learning_rate * config.drop_factor ** bisect_right(config.drops, iteration)
    if config.schedule == 'cosine':
        done = iteration - config.warmup_iterations
        progress = done / (config.iterations - config.warmup_iterations)
        share = (1.0 + math.cos(math.pi * progress)) / 2.0
        return config.learning_rate * (config.final_factor + (1.0 - config.final_factor) * share)
    return config.learning_rate


def set_learning_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give each group of parameters its share of the learning rate."""
    for group in optimiser.param_groups:
        group['lr'] = rate * group['factor']
