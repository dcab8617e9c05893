"""Which images make up which step: a function of seed and step alone, so that it resumes anywhere.

The images of all epochs stand in one endless row, each epoch in an order of its own. Step i takes
places i B to (i + 1) B - 1 of it; processes and accumulated passes divide them among themselves,
so neither changes what a step learns from.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from smoke_ros.config.training import TrainingConfig
from smoke_ros.training.processes import Processes

#: An epoch and an index into the data set.
Place = tuple[int, int]


class EpochDataset(Protocol):
    """A data set whose samples depend on the epoch too, by augmentation."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose samples are made."""


class PlaceSampler(Sampler[list[Place]]):
    """The batches of one process, one for each pass through the network.

    Parameters
    ----------
    images
        Size of the data set.
    config
        Seed, batch size, passes and iterations.
    processes
        Who takes which part.
    first
        Steps that are done already.
    """

    def __init__(
        self, images: int, config: TrainingConfig, processes: Processes, first: int = 0
    ) -> None:
        if images < 1:
            raise ValueError('the training data must have at least one image, got none')
        per_step = config.accumulate * processes.size
        if config.batch_size % per_step:
            raise ValueError(
                f'batch_size must be a multiple of processes x accumulate ({processes.size} x '
                f'{config.accumulate}), got {config.batch_size}'
            )
        self._images, self._seed = images, config.seed
        self._batch_size, self._per_pass = config.batch_size, config.batch_size // per_step
        self._accumulate, self._processes = config.accumulate, processes
        self._steps = range(first, config.iterations)
        self._epoch = -1
        self._order: npt.NDArray[np.int64] = np.empty(0, np.int64)

    def __len__(self) -> int:
        return len(self._steps) * self._accumulate

    def __iter__(self) -> Iterator[list[Place]]:
        for step in self._steps:
            for part in range(self._accumulate):
                start = step * self._batch_size
                start += (part * self._processes.size + self._processes.rank) * self._per_pass
                yield [self._place(i) for i in range(start, start + self._per_pass)]

    def _place(self, position: int) -> Place:
        """Return what stands at a position of the endless row."""
        epoch, index = divmod(position, self._images)
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng((self._seed, epoch)).permutation(self._images)
        return epoch, int(self._order[index])


class _ByPlace(Dataset[Any]):
    """Looks samples up by epoch and index, in whichever worker process they are asked for."""

    def __init__(self, dataset: EpochDataset) -> None:
        self._dataset = dataset

    def __getitem__(self, place: Place) -> Any:
        epoch, index = place
        self._dataset.set_epoch(epoch)
        return self._dataset[index]


def training_batches(
    dataset: EpochDataset, collate: Callable[[list[Any]], Any], config: TrainingConfig,
    processes: Processes, first: int = 0,
) -> Iterator[list[Any]]:  # fmt: skip
    """Yield, for each step from ``first`` on, the batches of its passes through the network."""
    sampler = PlaceSampler(len(dataset), config, processes, first)
    loader = DataLoader(
        _ByPlace(dataset), batch_sampler=sampler, collate_fn=collate,
        **loader_options(config.workers, processes.device),
    )  # fmt: skip
    passes: list[Any] = []
    for batch in read_batches(loader):
        passes.append(batch)
        if len(passes) == config.accumulate:
            yield passes
            passes = []


def read_batches(loader: DataLoader[Any]) -> Iterator[Any]:
    """Yield a loader's batches; what a worker raises is raised here in its own words.

    PyTorch puts the worker's traceback into the message, which is to be one sentence.

    Raises
    ------
    OSError
        If the workers have no shared memory left to pass on what they read.
    """
    try:
        yield from loader
    except (ValueError, OSError) as error:
        name = f'{type(error).__name__}: '
        text = str(error)
        if not (text.startswith('Caught ') and name in text):
            raise
        raise type(error)(text.rpartition(name)[2].strip()) from None
    except RuntimeError as error:
        if 'shared memory' not in str(error):  # as where a signal has ended a worker
            raise
        raise OSError(
            'the processes that read images find no shared memory: give them more (docker run '
            '--shm-size=8g), or set training.workers lower'
        ) from error


def loader_options(workers: int, device: torch.device) -> dict[str, Any]:
    """Return what data loaders of training and validation have in common."""
    return {
        'num_workers': workers,
        # A forked worker inherits locks that other threads hold, and may wait for one for ever.
        'multiprocessing_context': 'forkserver' if workers else None,
        'pin_memory': device.type == 'cuda',
        'worker_init_fn': _prepare_worker,
        # A generator of its own: a loader would draw from the global one, once for each start.
        'generator': torch.Generator(),
    }


def _prepare_worker(_: int) -> None:
    """Leave Ctrl-C to the training process, which saves first and then ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(1)  # as many workers as processors are busy already
    threading.Thread(target=_end_with_training, daemon=True).start()


def _end_with_training() -> None:
    """End this process when the training process is gone, which may be killed without notice.

    PyTorch's workers look whether their parent is there. It is the fork server here, which in turn
    is there as long as they are.
    """
    training = multiprocessing.parent_process()
    assert training is not None
    training.join()
    os._exit(1)
