"""Compiled kernels on PyTorch's own threads.

A kernel runs in the OpenMP pool in which PyTorch's operations run. A pool of its own, such as
Numba's, would have to share the cores with PyTorch's threads, which spin for some milliseconds
after each operation; and it would leave another set of threads behind.
"""

from __future__ import annotations

import ctypes
import logging
import pickle
from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numpy as np
import torch
from numba import cfunc, float32, float64, from_dtype, int32, types, uint64
from numba.core.caching import FunctionCache
from numba.extending import intrinsic

from smoke_ros.engines.errors import EngineUnavailableError

logger = logging.getLogger(__name__)

_THREAD_NUMBER = 'omp_get_thread_num'
_THREAD_COUNT = 'omp_get_num_threads'


def _load_openmp() -> Any:
    """Return the start of a parallel region in the very library that PyTorch uses."""
    library = ctypes.CDLL(torch._C.__file__)  # looks up a name in what it depends on, too
    try:
        for name in (_THREAD_NUMBER, _THREAD_COUNT):
            address = ctypes.cast(library[name], ctypes.c_void_p).value
            llvmlite.binding.add_symbol(name, address)
        run_in_parallel = library['GOMP_parallel']
    except AttributeError as error:
        raise EngineUnavailableError(
            f'the compiled kernels run on the threads of OpenMP, which this build of PyTorch '
            f'{torch.__version__} does not use: {error}'
        ) from error
    run_in_parallel.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint]
    run_in_parallel.restype = None
    return run_in_parallel


_run_in_parallel = _load_openmp()

#: Inside a kernel: which of how many threads it is.
thread_number: Any = types.ExternalFunction(_THREAD_NUMBER, int32())
thread_count: Any = types.ExternalFunction(_THREAD_COUNT, int32())


def _pointer_type(kind: Any) -> Any:
    """Return a function for kernels that makes a pointer from an address."""

    @intrinsic
    def as_pointer(typing: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = context.get_value_type(signature.return_type)
            return builder.inttoptr(arguments[0], pointer)

        return types.CPointer(kind)(uint64), generate

    return as_pointer


#: Inside a kernel: pointers for ``carray`` from addresses.
floats_at = _pointer_type(float32)
doubles_at = _pointer_type(float64)


class Kernel:
    """A compiled function that all threads run at once, each on its own part of the work.

    Parameters
    ----------
    function
        Takes a pointer to one record of ``fields``.
    fields
        Names and numpy types of the arguments; tensors come as addresses ('u8').
    """

    def __init__(self, function: Callable[..., None], fields: list[tuple[str, str]]) -> None:
        self.name = function.__name__
        self._dtype = np.dtype(fields, align=True)
        signature = types.void(types.CPointer(from_dtype(self._dtype)))
        try:
            self._compiled = _compile_once(function, signature)
        except (RuntimeError, OSError):  # no folder that can be written for the cache, or no room
            self._compiled = cfunc(signature)(function)

    def __call__(self, threads: int, /, **arguments: torch.Tensor | float) -> None:
        """Run on so many threads; tensors must be dense, and stay alive until it is over."""
        record = np.zeros(1, self._dtype)
        for name, value in arguments.items():
            record[name] = value.data_ptr() if isinstance(value, torch.Tensor) else value
        _run_in_parallel(self._compiled.address, record.ctypes.data, threads, 0)


def _compile_once(function: Callable[..., None], signature: Any) -> Any:
    """Compile, or load what another process has compiled."""
    try:
        return cfunc(signature, cache=True)(function)
    except (EOFError, pickle.UnpicklingError) as error:
        # As a power cut leaves it: without this every process would fail of it.
        logger.info('%s is compiled anew, its cache is damaged: %s', function.__name__, error)
        FunctionCache(function).flush()
        return cfunc(signature, cache=True)(function)
