"""The running mean of a network's weights, which scores better than any single step's."""

from __future__ import annotations

import copy

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

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
        pairs = list(
            zip(self.network.state_dict().values(), network.state_dict().values(), strict=True)
        )
        averaged = [(mean, now) for mean, now in pairs if mean.is_floating_point()]
        # All in one go: on a GPU one by one takes a tenth of a step.
        means, current = zip(*averaged, strict=True)
        get_ema_multi_avg_fn(decay)(list(means), list(current), iteration)
        for mean, now in pairs:
            # Counters, such as BatchNorm's, have no mean.
            if not mean.is_floating_point():
                mean.copy_(now)
