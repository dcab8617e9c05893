"""GroupNorm of channels-last tensors, with what follows it, in place and in two passes.

Both kernels divide the pixels of each image among the threads.
"""

from __future__ import annotations

import math

import numpy as np
from numba import carray, njit

from smoke_ros.engines.kernels.threads import (
    Kernel,
    doubles_at,
    floats_at,
    thread_count,
    thread_number,
)

#: Pixels that are summed in single precision before the sum goes on in double.
BLOCK = 32


@njit(fastmath={'contract'})
def _add_sums(x, pivot, first, last, sums):
    """Add to sums (2, C) those of x - pivot and of its square over pixels (first, last)."""
    channels = x.shape[1]
    part = np.empty((2, channels), np.float32)
    plain, square = part[0], part[1]
    for start in range(first, last, BLOCK):
        part[:] = 0
        for pixel in range(start, min(start + BLOCK, last)):
            row = x[pixel]
            for c in range(channels):
                d = row[c] - pivot[c]
                plain[c] += d
                square[c] += d * d
        for c in range(channels):
            sums[0, c] += plain[c]
            sums[1, c] += square[c]


def _statistics(pointer):
    a = carray(pointer, 1)[0]
    thread, threads = thread_number(), thread_count()
    first, last = thread * a.pixels // threads, (thread + 1) * a.pixels // threads
    x = carray(floats_at(a.x), (a.batch, a.pixels, a.channels))
    # Threads that were asked for and did not come leave zeros behind.
    sums = carray(doubles_at(a.sums), (a.threads, a.batch, 2, a.channels))
    for image in range(a.batch):
        # Sums of differences from one of the pixels: nothing is lost where a mean is large.
        _add_sums(x[image], x[image, 0], first, last, sums[thread, image])


@njit
def _scale_and_shift(sums, pivot, weight, bias, groups, pixels, epsilon, factors):
    """Turn the sums (threads, 2, C) of one image into factors (3, C); see _apply."""
    channels = weight.shape[0]
    size = channels // groups
    count = float(size * pixels)
    for group in range(groups):
        mean = 0.0
        for c in range(group * size, (group + 1) * size):
            mean += sums[:, 0, c].sum() / count + pivot[c] / size
        variance = 0.0
        for c in range(group * size, (group + 1) * size):
            gap = pivot[c] - mean
            total, squares = sums[:, 0, c].sum(), sums[:, 1, c].sum()
            variance += (squares + 2.0 * gap * total) / count + gap * gap / size
        inverse = 1.0 / math.sqrt(max(variance, 0.0) + epsilon)
        rest = mean - np.float32(mean)
        for c in range(group * size, (group + 1) * size):
            factors[0, c] = mean
            factors[1, c] = weight[c] * inverse
            factors[2, c] = bias[c] - rest * weight[c] * inverse


@njit(fastmath={'contract'})
def _apply(x, residual, factors, first, last, has_residual, low, high):
    channels = x.shape[1]
    mean, scale, shift = factors[0], factors[1], factors[2]
    for pixel in range(first, last):
        row, other = x[pixel], residual[pixel]
        if has_residual:
            for c in range(channels):
                y = (row[c] - mean[c]) * scale[c] + shift[c] + other[c]
                y = low if y < low else y  # what is not a number stays so
                row[c] = high if y > high else y
        else:
            for c in range(channels):
                y = (row[c] - mean[c]) * scale[c] + shift[c]
                y = low if y < low else y
                row[c] = high if y > high else y


def _normalise(pointer):
    a = carray(pointer, 1)[0]
    thread, threads = thread_number(), thread_count()
    first, last = thread * a.pixels // threads, (thread + 1) * a.pixels // threads
    x = carray(floats_at(a.x), (a.batch, a.pixels, a.channels))
    residual = carray(floats_at(a.residual), (a.batch, a.pixels, a.channels))
    factors = carray(floats_at(a.factors), (a.batch, 3, a.channels))
    for image in range(a.batch):
        _apply(
            x[image], residual[image], factors[image], first, last, a.has_residual != 0, a.low,
            a.high,
        )  # fmt: skip


def _find_factors(pointer):
    a = carray(pointer, 1)[0]
    thread, threads = thread_number(), thread_count()
    x = carray(floats_at(a.x), (a.batch, a.pixels, a.channels))
    sums = carray(doubles_at(a.sums), (a.threads, a.batch, 2, a.channels))
    weight = carray(floats_at(a.weight), a.channels)
    bias = carray(floats_at(a.bias), a.channels)
    factors = carray(floats_at(a.factors), (a.batch, 3, a.channels))
    for image in range(thread, a.batch, threads):
        _scale_and_shift(
            sums[:, image], x[image, 0], weight, bias, a.groups, a.pixels, a.epsilon,
            factors[image],
        )  # fmt: skip


_SHAPE = [('batch', 'i8'), ('pixels', 'i8'), ('channels', 'i8')]

#: Sums per thread, image and channel of (B, pixels, C): x -> sums (threads, B, 2, C), zero before.
statistics = Kernel(_statistics, [('x', 'u8'), ('sums', 'u8'), ('threads', 'i8'), *_SHAPE])

#: sums -> factors (B, 3, C): mean, scale and shift of each channel.
find_factors = Kernel(
    _find_factors,
    [
        ('x', 'u8'), ('sums', 'u8'), ('weight', 'u8'), ('bias', 'u8'), ('factors', 'u8'),
        ('threads', 'i8'), ('groups', 'i8'), ('epsilon', 'f8'), *_SHAPE,
    ],
)  # fmt: skip

#: x = (x - mean) * scale + shift + residual, within low and high, in place.
normalise = Kernel(
    _normalise,
    [
        ('x', 'u8'), ('factors', 'u8'), ('residual', 'u8'), ('has_residual', 'i8'), ('low', 'f4'),
        ('high', 'f4'), *_SHAPE,
    ],
)  # fmt: skip
