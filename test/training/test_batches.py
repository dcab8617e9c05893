import dataclasses
import multiprocessing
import os
import signal
from multiprocessing.connection import Connection

import pytest
import torch

from smoke_ros.config.training import TrainingConfig
from smoke_ros.errors import KittiFormatError
from smoke_ros.training.batches import PlaceSampler, read_batches, training_batches
from smoke_ros.training.processes import Processes

CPU = torch.device('cpu')
CONFIG = TrainingConfig(iterations=6, batch_size=4, workers=0, seed=3)


class Echo:
    """A data set whose samples say which they are."""

    def __init__(self, size: int) -> None:
        self._size, self._epoch = size, -1

    def __len__(self) -> int:
        return self._size

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __getitem__(self, index: int) -> tuple[int, int]:
        return self._epoch, index


def places(config: TrainingConfig, processes: Processes, first: int = 0, images: int = 7):
    return list(PlaceSampler(images, config, processes, first))


def test_each_epoch_has_each_image_once_in_another_order():
    row = [place for batch in places(CONFIG, Processes(CPU)) for place in batch]
    epochs = [[index for epoch, index in row if epoch == number] for number in range(3)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(epochs[2]) == list(range(7))
    assert len({tuple(order) for order in epochs}) == 3


def test_seed_makes_the_order():
    again = places(CONFIG, Processes(CPU))
    assert places(CONFIG, Processes(CPU)) == again
    assert places(dataclasses.replace(CONFIG, seed=4), Processes(CPU)) != again


def test_resumed_order_is_the_rest_of_the_whole():
    whole = places(CONFIG, Processes(CPU))
    for first in range(7):
        assert places(CONFIG, Processes(CPU), first) == whole[first:]


@pytest.mark.parametrize(('size', 'accumulate'), [(2, 1), (1, 2), (2, 2), (4, 1)])
def test_processes_and_passes_divide_the_same_steps(size, accumulate):
    whole = places(CONFIG, Processes(CPU))
    config = dataclasses.replace(CONFIG, accumulate=accumulate)
    parts = [places(config, Processes(CPU, rank, size)) for rank in range(size)]
    for step, expected in enumerate(whole):
        chosen = slice(step * accumulate, (step + 1) * accumulate)
        found = [place for part in parts for batch in part[chosen] for place in batch]
        assert sorted(found) == sorted(expected)


@pytest.mark.parametrize('workers', [0, 2])
def test_samples_are_of_their_epoch_in_any_process(workers):
    config = dataclasses.replace(CONFIG, workers=workers, accumulate=2)
    steps = list(training_batches(Echo(7), list, config, Processes(CPU), first=1))
    assert all(len(passes) == 2 for passes in steps)
    found = [sample for passes in steps for batch in passes for sample in batch]
    expected = [place for batch in places(CONFIG, Processes(CPU), 1) for place in batch]
    assert found == expected


def test_reading_batches_leaves_the_random_numbers_alone():
    before = torch.get_rng_state()
    next(training_batches(Echo(7), list, CONFIG, Processes(CPU)))
    assert torch.equal(torch.get_rng_state(), before)


class Holding(Echo):
    """Holds an end of a pipe, and says which process reads."""

    def __init__(self, end: Connection) -> None:
        super().__init__(7)
        self._end = end

    def __getitem__(self, index: int) -> int:
        return os.getpid()


def read_and_die(end: Connection) -> None:
    """Tell which process reads, and die as one that the kernel kills for its memory."""
    config = dataclasses.replace(CONFIG, workers=1)
    batches = training_batches(Holding(end), list, config, Processes(CPU))
    [batch] = next(batches)
    end.send(batch[0])
    os.kill(os.getpid(), signal.SIGKILL)


def test_readers_do_not_outlive_a_training_that_is_killed():
    context = multiprocessing.get_context('spawn')
    ours, theirs = context.Pipe()
    training = context.Process(target=read_and_die, args=(theirs,))
    training.start()
    theirs.close()
    reader = ours.recv()
    training.join()
    # The pipe ends where the last process ends that holds its other end.
    has_ended = ours.poll(20.0)
    if not has_ended:
        os.kill(reader, signal.SIGKILL)
    assert has_ended


class Damaged(Echo):
    """A data set with a file that cannot be read."""

    def __getitem__(self, index: int) -> tuple[int, int]:
        raise KittiFormatError('b.png: expected an image, it is damaged')


@pytest.mark.parametrize('workers', [0, 1])
def test_a_damaged_file_is_told_of_in_one_sentence(workers):
    config = dataclasses.replace(CONFIG, workers=workers)
    batches = training_batches(Damaged(7), list, config, Processes(CPU))
    with pytest.raises(KittiFormatError, match=r'^b\.png: expected an image, it is damaged$'):
        next(batches)


@pytest.mark.parametrize(
    ('text', 'error', 'message'),
    [
        ('DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that '
         "dataloader's workers are out of shared memory.", OSError, 'docker run --shm-size=8g'),
        ('DataLoader worker (pid 7) is killed by signal: Terminated.', RuntimeError, 'Terminated'),
    ],
)  # fmt: skip
def test_where_memory_to_pass_images_on_is_missing(text, error, message):
    def batches():
        raise RuntimeError(text)
        yield

    with pytest.raises(error, match=message):
        next(read_batches(batches()))


def test_batches_that_cannot_be_divided_are_refused():
    with pytest.raises(ValueError, match=r'multiple of processes x accumulate \(3 x 1\), got 4'):
        PlaceSampler(7, CONFIG, Processes(CPU, 0, 3))


def test_no_images_are_refused():
    with pytest.raises(ValueError, match='at least one image'):
        PlaceSampler(0, CONFIG, Processes(CPU))
