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
    biases of normalisation layers count as biases.

    Returns
    -------
    Groups for an optimiser, each with its ``factor`` of the learning rate; empty ones left out.
    """
    weights: dict[str, Any] = {'params': [], 'factor': 1.0, 'weight_decay': config.weight_decay}
    scales: dict[str, Any] = {'params': [], 'factor': 1.0, 'weight_decay': 0.0}
    biases: dict[str, Any] = {'params': [], 'factor': config.bias_factor, 'weight_decay': 0.0}
    for name, parameter in parameters:
        if not parameter.requires_grad:
            continue
        if name.endswith('bias'):
            biases['params'].append(parameter)
        elif parameter.ndim == 1:
            scales['params'].append(parameter)
        else:
            weights['params'].append(parameter)
    return [group for group in (weights, scales, biases) if group['params']]


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


def freeze(network: nn.Module, prefixes: Iterable[str]) -> int:
    """Keep the parameters whose names begin with one of ``prefixes`` from learning.

    Returns
    -------
    How many tensors are frozen.

    Raises
    ------
    ValueError
        If no parameter's name begins with one of them.
    """
    parameters = dict(network.named_parameters())
    frozen = set()
    for prefix in prefixes:
        found = {name for name in parameters if name.startswith(prefix)}
        if not found:
            parts = sorted({'.'.join(name.split('.')[:2]) for name in parameters})
            raise ValueError(
                f'freeze: no parameter begins with {prefix!r}; there are {", ".join(parts)}'
            )
        frozen |= found
    for name in frozen:
        parameters[name].requires_grad_(False)
    return len(frozen)
