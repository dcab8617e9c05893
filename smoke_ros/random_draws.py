"""Random numbers of the distributions that scenes and training samples are varied by."""

from __future__ import annotations

import numpy as np


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform: halving and doubling are alike to it."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
