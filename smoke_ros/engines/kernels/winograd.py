"""3x3 convolutions by Winograd's F(2x2, 3x3): 16 products where plain ones have 36.

Input and output are channels-last. Four rows and columns of the input, transformed, are a tile, of
which 2x2 pixels of the output come (arXiv 1509.09308, section 4.1).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, int64, njit, types, uint64
from numba.core import cgutils
from numba.extending import intrinsic

from smoke_ros.engines.kernels.threads import Kernel, thread_count, thread_number
from smoke_ros.engines.kernels.vectors import LANES, VECTOR

#: Values of a tile.
POINTS = 16


def _input_rows(builder: Any, d: list[Any]) -> list[Any]:
    """Multiply four vectors by the matrix B of the input's transform."""
    return [
        builder.fsub(d[0], d[2]), builder.fadd(d[1], d[2]),
        builder.fsub(d[2], d[1]), builder.fsub(d[1], d[3]),
    ]  # fmt: skip


def _output_rows(builder: Any, m: list[Any]) -> list[Any]:
    """Multiply four vectors by the matrix A of the output's transform."""
    middle, gap = builder.fadd(m[1], m[2]), builder.fsub(m[1], m[2])
    return [builder.fadd(m[0], middle), builder.fsub(gap, m[3])]


def _both_ways(builder: Any, multiply: Any, values: list[Any]) -> list[Any]:
    """Multiply a 4x4 tile, in row-major order, from the left and from the right."""
    columns = [multiply(builder, values[i::4]) for i in range(4)]
    rows = [multiply(builder, list(row)) for row in zip(*columns, strict=True)]
    return [value for row in rows for value in row]


def _addresses(builder: Any, table: Any, count: int) -> list[Any]:
    """Return the pointers to vectors that a table holds."""
    cells = builder.inttoptr(table, ir.IntType(64).as_pointer())
    values = [builder.load(builder.gep(cells, [ir.IntType(64)(i)])) for i in range(count)]
    return [builder.inttoptr(value, VECTOR.as_pointer()) for value in values]


def _steps(builder: Any, start: Any, step: Any) -> list[Any]:
    """Return pointers to the POINTS values of a tile, ``step`` bytes apart."""
    places = [builder.add(start, builder.mul(step, ir.IntType(64)(i))) for i in range(POINTS)]
    return [builder.inttoptr(place, VECTOR.as_pointer()) for place in places]


@intrinsic
def _transform_input(typing: Any, table: Any, out: Any, step: Any, count: Any) -> Any:
    """Transform the 16 vectors at the table's addresses into those at out, out + step, ..."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sources = _addresses(builder, arguments[0], POINTS)
        targets = _steps(builder, arguments[1], arguments[2])
        vectors = builder.sdiv(arguments[3], ir.IntType(64)(LANES))
        with cgutils.for_range(builder, vectors, intp=ir.IntType(64)) as loop:
            tile = [builder.load(builder.gep(x, [loop.index]), align=4) for x in sources]
            tile = _both_ways(builder, _input_rows, tile)
            for value, target in zip(tile, targets, strict=True):
                builder.store(value, builder.gep(target, [loop.index]), align=4)
        return context.get_dummy_value()

    return types.void(uint64, uint64, uint64, int64), generate


@intrinsic
def _transform_output(
    typing: Any, start: Any, step: Any, table: Any, bias: Any, count: Any
) -> Any:
    """Transform the 16 vectors at start, start + step, ... into the 4 of the table, plus bias."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sources = _steps(builder, arguments[0], arguments[1])
        targets = _addresses(builder, arguments[2], 4)
        bias_at = builder.inttoptr(arguments[3], VECTOR.as_pointer())
        vectors = builder.sdiv(arguments[4], ir.IntType(64)(LANES))
        with cgutils.for_range(builder, vectors, intp=ir.IntType(64)) as loop:
            shift = builder.load(builder.gep(bias_at, [loop.index]), align=4)
            tile = [builder.load(builder.gep(x, [loop.index]), align=4) for x in sources]
            for value, target in zip(
                _both_ways(builder, _output_rows, tile), targets, strict=True
            ):
                total = builder.fadd(value, shift)
                builder.store(total, builder.gep(target, [loop.index]), align=4)
        return context.get_dummy_value()

    return types.void(uint64, uint64, uint64, uint64, int64), generate


@njit
def _point_out(table, side, x, spare, row, column, height, width, step):
    """Fill the table with the addresses of side x side pixels; outside they are ``spare``."""
    for i in range(side * side):
        y, z = row + i // side, column + i % side
        inside = 0 <= y < height and 0 <= z < width
        table[i] = x + step * uint64(y * width + z) if inside else spare


def _to_tiles(pointer):
    a = carray(pointer, 1)[0]
    thread, threads = thread_number(), thread_count()
    table = np.empty(POINTS, np.uint64)
    rows, columns = (a.height + 1) // 2, (a.width + 1) // 2
    step = uint64(4 * a.channels)
    for i in range(thread * a.count // threads, (thread + 1) * a.count // threads):
        image, place = (a.first + i) // (rows * columns), (a.first + i) % (rows * columns)
        x = a.x + step * uint64(image * a.height * a.width)
        row, column = 2 * (place // columns) - 1, 2 * (place % columns) - 1
        _point_out(table, 4, x, a.spare, row, column, a.height, a.width, step)
        _transform_input(
            table.ctypes.data, a.tiles + step * uint64(i), step * uint64(a.count), a.channels
        )  # type: ignore[call-arg]


def _from_tiles(pointer):
    a = carray(pointer, 1)[0]
    thread, threads = thread_number(), thread_count()
    table = np.empty(4, np.uint64)
    spare = np.empty(a.channels, np.float32)
    rows, columns = (a.height + 1) // 2, (a.width + 1) // 2
    step = uint64(4 * a.channels)
    for i in range(thread * a.count // threads, (thread + 1) * a.count // threads):
        image, place = (a.first + i) // (rows * columns), (a.first + i) % (rows * columns)
        x = a.x + step * uint64(image * a.height * a.width)
        row, column = 2 * (place // columns), 2 * (place % columns)
        _point_out(table, 2, x, uint64(spare.ctypes.data), row, column, a.height, a.width, step)
        _transform_output(
            a.tiles + step * uint64(i), step * uint64(a.count), table.ctypes.data, a.spare,
            a.channels,
        )  # type: ignore[call-arg]  # fmt: skip


_FIELDS = [
    ('x', 'u8'), ('tiles', 'u8'), ('spare', 'u8'), ('first', 'i8'), ('count', 'i8'),
    ('height', 'i8'), ('width', 'i8'), ('channels', 'i8'),
]  # fmt: skip

#: x (B, H, W, C) -> tiles (first, first + count) as (16, count, C); spare is C zeros.
to_tiles = Kernel(_to_tiles, _FIELDS)

#: Tiles (first, first + count) as (16, count, C) -> x (B, H, W, C); spare is the bias.
from_tiles = Kernel(_from_tiles, _FIELDS)
