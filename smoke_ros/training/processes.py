"""The processes that train one network together, one per GPU, as torchrun starts them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from smoke_ros.engines.eager import resolve_device


@dataclass(frozen=True)
class Processes:
    """The place of this process among them; by default it is alone."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this one writes the files and draws the progress bar."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over all processes; each of them has to call this."""
        if self.size > 1:
            values = values.to(self.device, copy=True)
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Return whether it is so in any process; each of them has to call this."""
        return bool(self.sum(torch.tensor(int(flag))))

    def gather(self, item: Any) -> list[Any]:
        """Return every process's item, by rank; each of them has to call this."""
        if self.size == 1:
            return [item]
        items = [None] * self.size
        dist.all_gather_object(items, item)
        return items


@contextlib.contextmanager
def join_processes(device: str) -> Iterator[Processes]:
    """Join the other processes that torchrun started; alone where it did not.

    Parameters
    ----------
    device
        'auto', 'cpu', 'cuda' or 'cuda:N'; under torchrun each process of a machine takes its own
        GPU, so N must not be given.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    if 'WORLD_SIZE' not in os.environ:
        yield Processes(resolve_device(device))
        return
    chosen = resolve_device(device)
    if chosen.type == 'cuda':
        if chosen.index is not None:
            raise ValueError(
                f"device must be 'cuda' under torchrun, which gives each process its own GPU; "
                f'got {device!r}'
            )
        chosen = resolve_device(f'cuda:{os.environ["LOCAL_RANK"]}')
        torch.cuda.set_device(chosen)
    dist.init_process_group('nccl' if chosen.type == 'cuda' else 'gloo')
    try:
        yield Processes(chosen, dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
