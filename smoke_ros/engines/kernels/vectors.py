"""Loops whose vector instructions are written out.

For short loops over slices of arrays the compiler's own vectors cost more than the work: each
loop begins with checks that the slices do not overlap.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import float32, int64, types, uint64
from numba.core import cgutils
from numba.extending import intrinsic

#: Numbers of single precision that are computed at once.
LANES = 8

VECTOR = ir.VectorType(ir.FloatType(), LANES)
_MAY_FUSE = ('contract',)


@intrinsic
def blend(
    typing: Any, out: Any, a: Any, b: Any, c: Any, d: Any, share_a: Any, share_b: Any,
    share_c: Any, share_d: Any, count: Any,
) -> Any:  # fmt: skip
    """Write a * share_a + b * share_b + c * share_c + d * share_d to out.

    All five are addresses of ``count`` numbers, a multiple of LANES; out overlaps none of them.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointers = [builder.inttoptr(x, VECTOR.as_pointer()) for x in arguments[:5]]
        shares = [_spread(builder, x) for x in arguments[5:9]]
        vectors = builder.sdiv(arguments[9], ir.Constant(ir.IntType(64), LANES))
        with cgutils.for_range(builder, vectors, intp=ir.IntType(64)) as loop:
            places = [builder.gep(x, [loop.index]) for x in pointers]
            products = [
                builder.fmul(builder.load(place, align=4), share, flags=_MAY_FUSE)
                for place, share in zip(places[1:], shares, strict=True)
            ]
            total = products[0]
            for product in products[1:]:
                total = builder.fadd(total, product, flags=_MAY_FUSE)
            builder.store(total, places[0], align=4)
        return context.get_dummy_value()

    addresses, weights = [uint64] * 5, [float32] * 4
    return types.void(*addresses, *weights, int64), generate


def _spread(builder: Any, number: Any) -> Any:
    """Return a vector of one number."""
    nothing = ir.Constant(VECTOR, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.IntType(32)(0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, nothing, lanes)
