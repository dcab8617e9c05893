"""Memory that a step leaves is what the next one takes."""

from __future__ import annotations

import ctypes
import sys

#: Parameters of glibc's mallopt (malloc.h): how much free memory stays at the end of the heap, and
#: how many blocks are asked for one by one, which go back to the kernel as soon as they are free.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Have the process keep memory that it frees, for what it allocates next.

    A training step on a CPU frees and takes some gigabytes, which the kernel hands out anew each
    time, zeroed and in pages of 4 KB: up to a fifth of a step (docs/performance.md). The process
    stays as large as it ever was.

    Returns
    -------
    Whether it could be set; only glibc has the setting.
    """
    if not sys.platform.startswith('linux'):
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None)
    if mallopt is None:
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, _LARGEST))
