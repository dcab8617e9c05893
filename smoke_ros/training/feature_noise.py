"""Noise on what a trunk's first stages say of a picture's looks.

Colours, contrast and sharpness, in which a photograph differs from a rendered picture and one
camera from another, are in the means and spreads of the first feature maps' channels; where things
are is not. Changing those at random makes a network learn to do without them (normalization
perturbation, arXiv 2211.04393).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from smoke_ros.network.smoke import Smoke

#: Behind how many of a trunk's stages there is noise, from the image on, and on how many images.
NOISY_STAGES, SHARE = 3, 0.5


class FeatureNoise:
    """Puts noise behind a trunk's first stages whenever the network is in training mode.

    Parameters
    ----------
    network
        It has a trunk of stages.
    strength
        Standard deviation of the factors of :func:`change_looks`.
    seed
        Says with a step's number what the noise of the step is, so that a run that goes on is the
        one that never stopped.
    device
        Of the network.
    """

    def __init__(self, network: Smoke, strength: float, seed: int, device: torch.device) -> None:
        self._strength, self._seed = strength, seed
        self._generator = torch.Generator(device)
        for stage in network.backbone.stages()[:NOISY_STAGES]:  # type: ignore[operator]
            stage[-1].register_forward_hook(self._change)

    def begin(self, iteration: int, rank: int = 0) -> None:
        """Begin the step after ``iteration`` steps, in the process of some rank."""
        words = np.random.SeedSequence((self._seed, iteration, rank)).generate_state(1, np.uint64)
        self._generator.manual_seed(int(words[0]))

    def _change(self, stage: nn.Module, _: object, features: Tensor) -> Tensor | None:
        return change_looks(features, self._strength, self._generator) if stage.training else None


def change_looks(features: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Change the channels of half of a batch's feature maps, (B, C, H, W).

    A channel's mean and its deviations from the mean are multiplied by one number each, of a
    normal distribution around 1 with a standard deviation of ``strength``.
    """
    images, channels = features.shape[:2]
    device = features.device
    chosen = torch.rand(images, 1, 1, 1, generator=generator, device=device) < SHARE
    drawn = torch.randn(2, images, channels, 1, 1, generator=generator, device=device)
    on_mean, on_deviation = 1.0 + strength * chosen * drawn
    shift = (on_mean - on_deviation) * features.mean((2, 3), keepdim=True)
    return on_deviation.to(features.dtype) * features + shift.to(features.dtype)
