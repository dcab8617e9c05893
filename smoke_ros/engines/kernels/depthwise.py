"""The gradient of a depthwise convolution's weights, of channels-last tensors.

Each weight's gradient is a sum over all pixels of a product. PyTorch's kernels take ten times as
long for it as for the convolution itself; here a row's products with all filters of a row of the
kernel are summed in registers.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import carray, int64, types, uint64
from numba.core import cgutils
from numba.extending import intrinsic

from smoke_ros.engines.kernels.threads import Kernel, thread_count, thread_number
from smoke_ros.engines.kernels.vectors import LANES, VECTOR

#: Sides of kernels that there are functions for.
SIDES = (3, 5, 7)

_INDEX = ir.IntType(64)
_MAY_FUSE = ('contract',)


@intrinsic(prefer_literal=True)
def _add_row(
    typing: Any, gradient: Any, image: Any, sums: Any, count: Any, step: Any, stride: Any,
    side: Any,
) -> Any:  # fmt: skip
    """Add a row's products to the sums of a kernel's row.

    To ``side`` vectors, ``step`` bytes apart, as do the pixels of gradient and image. Pixel i of
    the gradient meets pixels stride i to stride i + side - 1 of the image. ``side`` is a constant;
    a function for each would be another one in each process, and never found in Numba's cache.
    """
    taps = range(side.literal_value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        gradient_at, image_at, sums_at, count, step, stride, _ = arguments

        def vector(start: Any, number: Any) -> Any:
            place = builder.add(start, builder.mul(step, number))
            return builder.inttoptr(place, VECTOR.as_pointer())

        places = [vector(sums_at, _INDEX(tap)) for tap in taps]
        totals = [cgutils.alloca_once(builder, VECTOR) for _ in places]
        for total, place in zip(totals, places, strict=True):
            builder.store(builder.load(place, align=4), total)
        with cgutils.for_range(builder, count, intp=_INDEX) as loop:
            factor = builder.load(vector(gradient_at, loop.index), align=4)
            first = builder.mul(stride, loop.index)
            for tap, total in enumerate(totals):
                pixel = vector(image_at, builder.add(first, _INDEX(tap)))
                product = builder.fmul(builder.load(pixel, align=4), factor, flags=_MAY_FUSE)
                added = builder.fadd(builder.load(total), product, flags=_MAY_FUSE)
                builder.store(added, total)
        for total, place in zip(totals, places, strict=True):
            builder.store(builder.load(total), place, align=4)
        return context.get_dummy_value()

    return types.void(uint64, uint64, uint64, int64, uint64, int64, side), generate


def _make_kernel(side: int) -> Kernel:
    def weight_gradient(pointer: Any) -> None:
        a = carray(pointer, 1)[0]
        thread, threads = thread_number(), thread_count()
        step = uint64(4 * a.channels)
        # Threads that were asked for and did not come leave zeros behind.
        sums = a.sums + step * uint64(thread * side * side)
        count = a.batch * a.rows
        for row in range(thread * count // threads, (thread + 1) * count // threads):
            image, y = row // a.rows, row % a.rows
            gradient = a.gradient + step * uint64(row * a.columns)
            pixels = a.image + step * uint64((image * a.height + a.stride * y) * a.width)
            for block in range(a.channels // LANES):
                shift = uint64(4 * LANES * block)
                for k in range(side):
                    _add_row(
                        gradient + shift, pixels + shift + step * uint64(k * a.width),
                        sums + shift + step * uint64(k * side), a.columns, step, a.stride, side,
                    )  # type: ignore[call-arg]  # fmt: skip

    weight_gradient.__name__ = weight_gradient.__qualname__ = f'weight_gradient_{side}'
    return Kernel(
        weight_gradient,
        [
            ('gradient', 'u8'), ('image', 'u8'), ('sums', 'u8'), ('batch', 'i8'), ('rows', 'i8'),
            ('columns', 'i8'), ('height', 'i8'), ('width', 'i8'), ('channels', 'i8'),
            ('stride', 'i8'),
        ],
    )  # fmt: skip


#: By side: gradient (B, rows, columns, C) and padded image (B, height, width, C) -> added to sums
#: (threads, side, side, C), zero before.
weight_gradients = {side: _make_kernel(side) for side in SIDES}
