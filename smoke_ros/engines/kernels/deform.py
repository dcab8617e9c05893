"""The taps of a deformable convolution, sampled from channels-last features."""

from __future__ import annotations

import math

import numpy as np
from numba import carray, njit, uint64

from smoke_ros.engines.kernels.threads import Kernel, floats_at, thread_count, thread_number
from smoke_ros.engines.kernels.vectors import blend
from smoke_ros.network.deform_conv import TAPS

#: A tap that is further away than this lies outside of every map.
FAR = 1e6


@njit(inline='always')
def _line(offset, place, size):
    """Return the two lines around ``place + offset``, clamped into the map, and their shares."""
    low = math.floor(offset)
    fraction = np.float32(offset - low)
    line = place + int(low)
    share = np.float32(1.0) - fraction if 0 <= line < size else np.float32(0.0)
    next_share = fraction if 0 <= line + 1 < size else np.float32(0.0)
    return min(max(line, 0), size - 1), min(max(line + 1, 0), size - 1), share, next_share


@njit(fastmath={'contract'})
def _sample_pixel(features, height, width, channels, predicted, row, column, taps):
    """Write the TAPS vectors of channels of one pixel; features and taps are addresses."""
    step = uint64(4 * channels)
    for tap in range(TAPS):
        dy, dx = predicted[2 * tap], predicted[2 * tap + 1]
        mask = np.float32(1.0 / (1.0 + math.exp(-predicted[2 * TAPS + tap])))
        # Also what is not a number: as an index it would read anywhere.
        if not (abs(dy) < FAR and abs(dx) < FAR):
            mask *= dy * dx * np.float32(0.0)
            dy = dx = np.float32(0.0)
        top, bottom, upper, lower = _line(dy, row + tap // 3 - 1, height)
        start, end, left, right = _line(dx, column + tap % 3 - 1, width)
        upper, lower = upper * mask, lower * mask
        blend(  # type: ignore[call-arg]  # an intrinsic's first parameter is not given
            taps + step * uint64(tap),
            features + step * uint64(top * width + start),
            features + step * uint64(top * width + end),
            features + step * uint64(bottom * width + start),
            features + step * uint64(bottom * width + end),
            upper * left, upper * right, lower * left, lower * right, channels,
        )  # fmt: skip


def _sample(pointer):
    a = carray(pointer, 1)[0]
    thread, threads = thread_number(), thread_count()
    size = a.height * a.width
    predicted = carray(floats_at(a.predicted), (a.batch * size, 3 * TAPS))
    for i in range(thread * a.count // threads, (thread + 1) * a.count // threads):
        pixel = a.first + i
        image, place = pixel // size, pixel % size
        _sample_pixel(
            a.features + uint64(4 * a.channels * size * image), a.height, a.width, a.channels,
            predicted[pixel], place // a.width, place % a.width,
            a.taps + uint64(4 * TAPS * a.channels * i),
        )  # fmt: skip


#: Pixels (first, first + count) of the batch -> taps (count, TAPS * C), as one matrix. C is a
#: multiple of vectors.LANES.
sample = Kernel(
    _sample,
    [
        ('features', 'u8'), ('predicted', 'u8'), ('taps', 'u8'), ('first', 'i8'), ('count', 'i8'),
        ('batch', 'i8'), ('height', 'i8'), ('width', 'i8'), ('channels', 'i8'),
    ],
)  # fmt: skip
