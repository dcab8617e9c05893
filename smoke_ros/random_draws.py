"""Random numbers of the distributions that scenes and training samples are varied by."""

from __future__ import annotations

import functools
import statistics

import cv2
import numpy as np
import numpy.typing as npt


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number whose logarithm is uniform: halving and doubling are alike to it."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def gaussian_grain(
    rng: np.random.Generator, shape: tuple[int, ...], *, fine: bool = False
) -> npt.NDArray[np.float32]:
    """Draw an image's noise, (h, w, channels), of mean 0 and a standard deviation of 1.

    A random integer chooses one of the normal deviates of equal probability, four to ten times as
    fast as drawing them: one of 256, up to 2.9, or with ``fine`` of 65536, up to 4.2, which shows
    in images of 8 bits where the noise is so weak that only its tails change a grey level.
    """
    if fine:
        return _deviates(1 << 16).take(rng.integers(1 << 16, size=shape, dtype=np.uint16))
    chosen = rng.integers(1 << 8, size=shape, dtype=np.uint8)
    return np.asarray(cv2.LUT(chosen, _deviates(1 << 8)), np.float32)


@functools.cache
def _deviates(count: int) -> npt.NDArray[np.float32]:
    normal = statistics.NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / count) for i in range(count)], np.float32)
