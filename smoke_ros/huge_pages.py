"""Memory in large pages, for programs that run networks on a CPU."""

from __future__ import annotations

import os


def use_huge_pages() -> None:
    """Have PyTorch ask the kernel for pages of 2 MB for its large tensors.

    A frame's activations come and go; in pages of 4 KB the kernel hands them out, zeroed, some
    30,000 times a frame, and the processor looks up addresses more often (docs/performance.md).
    For a program to call when it starts: PyTorch reads the setting at its first tensor. Where
    Linux has no such pages nothing changes.
    """
    os.environ.setdefault('THP_MEM_ALLOC_ENABLE', '1')
