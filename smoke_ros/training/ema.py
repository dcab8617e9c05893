"""The running mean of a network's weights, which scores better than any single step's."""

from __future__ import annotations

import copy

import torch

from smoke_ros.network.smoke import Smoke


class RunningMean:
    """Follows a network: after each step, mean = d mean + (1 - d) weights.

    The decay d rises from 0.1 to its configured value, so that the fresh weights of the start are
    soon forgotten.

    Attributes
    ----------
    network
        The mean, a network in evaluation mode.
    """

    def __init__(self, network: Smoke, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, network: Smoke, iteration: int) -> None:
        """Take in the weights after the step number ``iteration``, which counts from 0."""
        decay = min(self.decay, (1 + iteration) / (10 + iteration))
        current = network.state_dict()
        for name, mean in self.network.state_dict().items():
            # Counters, such as BatchNorm's, have no mean.
            if mean.is_floating_point():
                mean.lerp_(current[name], 1.0 - decay)
            else:
                mean.copy_(current[name])
