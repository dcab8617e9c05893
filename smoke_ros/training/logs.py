"""The curves of a run: CSV files, and the same for TensorBoard."""

from __future__ import annotations

import contextlib
import csv
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smoke_ros.files import write_text_atomically

logger = logging.getLogger(__name__)

TRAINING_CSV = 'training.csv'
VALIDATION_CSV = 'validation.csv'

Values = Mapping[str, float]


class RunLog:
    """Writes lines of figures, each under the iteration that it was taken after.

    Parameters
    ----------
    folder
        Where the CSV files go, and TensorBoard's into ``tensorboard/`` in it.
    first
        The iteration that the run goes on from: a run that was killed may have logged more, which
        is dropped.
    tensorboard
        Whether to write for TensorBoard.
    """

    def __init__(self, folder: Path, first: int, *, tensorboard: bool) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for name in (TRAINING_CSV, VALIDATION_CSV):
            _drop_after(folder / name, first)
        self._tensorboard = _open_tensorboard(folder, first) if tensorboard else None
        self._has_gaps = False

    def training(self, iteration: int, values: Values) -> None:
        """Write a line of losses and rates."""
        self._write(TRAINING_CSV, iteration, values)

    def validation(self, iteration: int, values: Values) -> None:
        """Write a line of the validation's scores."""
        self._write(VALIDATION_CSV, iteration, values)

    def _write(self, name: str, iteration: int, values: Values) -> None:
        try:
            self._add(name, iteration, values)
        except OSError as error:
            # Checkpoints are what counts; where there is no room for them either, they say so.
            if not self._has_gaps:
                logger.warning(
                    '%s cannot be written (%s): from step %d on the curves have gaps',
                    self._folder / name, error.strerror or error, iteration,
                )  # fmt: skip
            self._has_gaps = True

    def _add(self, name: str, iteration: int, values: Values) -> None:
        _append(self._folder / name, {'iteration': iteration, **values})
        if self._tensorboard is not None:
            group = Path(name).stem
            for key, value in values.items():
                self._tensorboard.add_scalar(f'{group}/{key}', value, iteration)
            self._tensorboard.flush()

    def close(self) -> None:
        """Close TensorBoard's file."""
        if self._tensorboard is not None:
            self._tensorboard.close()


@contextlib.contextmanager
def open_log(folder: Path, first: int, *, tensorboard: bool) -> Iterator[RunLog]:
    """Open the log of a run that goes on from iteration ``first``; see :class:`RunLog`."""
    log = RunLog(folder, first, tensorboard=tensorboard)
    try:
        yield log
    finally:
        log.close()


def _open_tensorboard(folder: Path, first: int) -> Any:
    """Return a writer, or None where TensorBoard is not installed: the CSV files hold it all."""
    try:
        # It takes seconds to import.
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        logger.warning(
            'tensorboard is not installed (pip install tensorboard): the curves are in %s only',
            folder / TRAINING_CSV,
        )
        return None
    return SummaryWriter(str(folder / 'tensorboard'), purge_step=first + 1)


def _append(path: Path, values: Values) -> None:
    is_new = not path.exists()
    with path.open('a', encoding='utf-8', newline='') as stream:
        writer = csv.writer(stream)
        if is_new:
            writer.writerow(values)
        writer.writerow(
            [f'{value:.6g}' if isinstance(value, float) else value for value in values.values()]
        )


def _drop_after(path: Path, iteration: int) -> None:
    """Keep the lines up to an iteration; a last line that a crash cut off goes too."""
    if not path.exists():
        return
    header, *lines = path.read_text(encoding='utf-8').splitlines(keepends=True) or ['']
    columns = header.count(',')
    kept = [
        line
        for line in lines
        if line.endswith('\n') and line.count(',') == columns
        and int(line.split(',')[0]) <= iteration
    ]  # fmt: skip
    if kept:
        write_text_atomically(path, header + ''.join(kept))
    else:
        path.unlink()
