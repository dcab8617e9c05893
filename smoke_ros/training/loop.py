"""The training loop."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import logging
import math
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from tqdm import tqdm

from smoke_ros.checkpoint import load_checkpoint, save_checkpoint, write_content
from smoke_ros.config.training import TrainingConfig
from smoke_ros.data.dataset import Batch, collate
from smoke_ros.files import write_text_atomically
from smoke_ros.losses import SmokeLoss
from smoke_ros.training.batches import training_batches
from smoke_ros.training.interruption import Interruption, catch_signals
from smoke_ros.training.learner import Learner, NonFiniteLossError, StepReport
from smoke_ros.training.logs import RunLog, open_log
from smoke_ros.training.prepare import Job, prepare
from smoke_ros.training.processes import Processes
from smoke_ros.training.run_config import Sections
from smoke_ros.training.state import BEST, FINAL, LAST, Progress, restore_state, save_state
from smoke_ros.training.validation import SCORE, validate

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    #: Steps that are done.
    iteration: int
    #: The signal that asked it to end early; None where it came to its end.
    signal: signal.Signals | None = None


def train(
    sections: Sections, where: str, out: Path, processes: Processes, *, resume: bool = False
) -> Outcome:
    """Train a model as a configuration says.

    Parameters
    ----------
    sections
        The configuration, from :func:`smoke_ros.training.run_config.read_sections`.
    where
        Names its source in error messages.
    out
        Folder of the run: checkpoints (``last.pth``, ``best.pth``, ``final.pth``), curves and the
        whole configuration go there.
    processes
        Who trains together.
    resume
        Go on from ``out/last.pth``; a run that has none yet starts anew.

    Raises
    ------
    ValueError, FileNotFoundError, CheckpointError
        Before the first step, for what is wrong with configuration, data or weights.
    NonFiniteLossError
        If the loss becomes NaN or infinite; the batch is saved then.
    """
    exists = (out / LAST).exists()
    if exists and not resume:
        raise ValueError(f'{out} has a run already: go on with --resume, or choose another --out')
    if resume and not exists:
        logger.warning('%s has no checkpoint yet: the run starts anew', out)
    job = prepare(sections, where, load_checkpoint(out / LAST) if exists else None)
    return run_job(job, out, processes, resume=exists)


def run_job(job: Job, out: Path, processes: Processes, *, resume: bool = False) -> Outcome:
    """Run what :func:`prepare` made; see :func:`train`."""
    config = job.run.training
    _choose_arithmetic(config)
    learner = Learner(job.network, SmokeLoss(job.run.model, job.run.loss), config, processes)
    progress = restore_state(out / LAST, learner) if resume else Progress()
    _check_agreement(job, progress, processes)
    with contextlib.ExitStack() as stack:
        log = None
        if processes.is_first:
            out.mkdir(parents=True, exist_ok=True)
            write_text_atomically(out / 'config.yaml', yaml.safe_dump(job.run.as_mapping()))
            opened = open_log(out, progress.iteration, tensorboard=config.tensorboard)
            log = stack.enter_context(opened)
        interruption = stack.enter_context(catch_signals())
        return _Run(job, learner, progress, out, processes, log, interruption).finish()


class _Run:
    """A run in progress: steps, and what is due between them."""

    def __init__(
        self, job: Job, learner: Learner, progress: Progress, out: Path, processes: Processes,
        log: RunLog | None, interruption: Interruption,
    ) -> None:  # fmt: skip
        self._job, self._learner, self._progress, self._out = job, learner, progress, out
        self._processes, self._log, self._interruption = processes, log, interruption
        self._config = job.run.training
        self._reports: list[StepReport] = []
        self._logged_at = time.perf_counter()

    def finish(self) -> Outcome:
        """Do the steps that are left."""
        progress, config = self._progress, self._config
        batches = training_batches(
            self._job.training, collate, config, self._processes, progress.iteration
        )
        if not self._validate_if_due():
            return self._end_early()
        with tqdm(
            total=config.iterations, initial=progress.iteration, desc='training', unit=' steps',
            disable=None if self._processes.is_first else True,
        ) as bar:  # fmt: skip
            for passes in self._together(batches):
                report = self._step(passes)
                bar.update()
                bar.set_postfix(loss=f'{report.losses["total"]:.3f}', refresh=False)
                if self._interruption.is_asked(self._processes) or not self._validate_if_due():
                    return self._end_early()
                if self._is_due(config.checkpoint_every):
                    self._save()
            if progress.iteration < config.iterations:
                return self._end_early()
        if self._processes.is_first:
            job = self._job
            save_checkpoint(
                self._out / FINAL, self._learner.model_network, job.run.model, job.record
            )
        return Outcome(progress.iteration)

    def _together(self, batches: Iterable[Sequence[Batch]]) -> Iterator[Sequence[Batch]]:
        """Yield batches until a process has none: the others would wait for it in the step."""
        batches = self._interruption.until(batches)
        while True:
            passes = next(batches, None)
            if self._processes.any(passes is None) or passes is None:
                return
            yield passes

    def _end_early(self) -> Outcome:
        self._save()
        # Where it was another process that was asked, this one knows of no signal.
        return Outcome(self._progress.iteration, self._interruption.signal or signal.SIGTERM)

    def _is_due(self, every: int) -> bool:
        """Whether something is due after this step, which it is after the last one too."""
        done = self._progress.iteration
        return done == self._config.iterations or bool(every and done and done % every == 0)

    def _step(self, passes: Sequence[Batch]) -> StepReport:
        try:
            report = self._learner.step(passes, self._progress.iteration)
        except NonFiniteLossError as error:
            path, last = self._save_passes(passes), self._out / LAST
            again = f'from {last} (--init)' if last.exists() else 'again'
            raise NonFiniteLossError(
                f'after {self._progress.iteration} steps: {error}. The batch and the weights that '
                f'saw it are in {path}; look for labels that are wrong; or lower the learning '
                f'rate or clip gradients, and start {again}'
            ) from error
        except torch.cuda.OutOfMemoryError as error:
            raise OSError(
                f'after {self._progress.iteration} steps: the memory of {self._processes.device} '
                f'does not suffice ({str(error).partition(".")[0]}): divide a step into more '
                'passes with training.accumulate, or lower training.batch_size'
            ) from error
        self._progress.iteration += 1
        self._reports.append(report)
        if self._is_due(self._config.log_every):
            self._write_log()
        return report

    def _write_log(self) -> None:
        """Write the means over the steps since the last line."""
        now, count = time.perf_counter(), len(self._reports)
        images = count * self._config.batch_size
        seen = self._progress.iteration * self._config.batch_size
        values = {
            'epoch': seen / len(self._job.training),
            'learning_rate': self._reports[-1].learning_rate,
            **{
                name: sum(report.losses[name] for report in self._reports) / count
                for name in self._reports[-1].losses
            },
            'gradient_norm': sum(report.gradient_norm for report in self._reports) / count,
            'images_per_s': images / (now - self._logged_at),
        }
        if self._log is not None:
            self._log.training(self._progress.iteration, values)
        self._reports, self._logged_at = [], now

    def _validate_if_due(self) -> bool:
        """Validate, where it is due; return False where a signal has broken it off."""
        progress, job = self._progress, self._job
        if job.validation is None or not self._is_due(self._config.validate_every):
            return True
        if progress.validated == progress.iteration:
            return True
        network, began = self._learner.model_network, time.perf_counter()
        figures = validate(network, job.run, job.validation, self._processes, self._interruption)
        if figures is None:
            return False
        progress.validated = progress.iteration
        # Of equals, such as the first ones that find nothing, the later one; and where nothing
        # can be scored, which is not a number.
        is_best = not progress.best_iteration or not figures[SCORE] < progress.best_score
        if is_best:
            progress.best_iteration, progress.best_score = progress.iteration, figures[SCORE]
        if self._log is not None:
            self._log.validation(progress.iteration, figures)
            logger.info(
                'step %d: on validation score %.2f, loss %.3f%s', progress.iteration,
                figures[SCORE], figures['total'], ', the best so far' if is_best else '',
            )  # fmt: skip
            if math.isnan(figures[SCORE]):
                logger.warning(
                    'validation has no object that counts as moderate (25 px high or more, '
                    'occluded 0 or 1, truncated at most 0.3): it says nothing of the model'
                )
            if is_best:
                save_checkpoint(self._out / BEST, network, job.run.model, job.record)
        # As if it had taken no time: steps since the last line of the log go into the next one.
        self._logged_at += time.perf_counter() - began
        return True

    def _save(self) -> None:
        if self._processes.is_first:
            job = self._job
            path = self._out / LAST
            save_state(path, self._learner, self._progress, job.run.model, job.record)

    def _save_passes(self, passes: Sequence[Batch]) -> Path:
        """Save what a step had before it, to look into or to repeat."""
        name = f'nonfinite_step{self._progress.iteration}_process{self._processes.rank}.pth'
        content = {
            'frames': [list(batch.frame_ids) for batch in passes],
            'images': [batch.images for batch in passes],
            'targets': [dataclasses.asdict(batch.targets) for batch in passes],
            'network': self._learner.network.state_dict(),
        }
        write_content(self._out / name, content)
        return self._out / name


def _check_agreement(job: Job, progress: Progress, processes: Processes) -> None:
    """Refuse to train together what is not the same: the mean of the gradients would be of none.

    Raises
    ------
    ValueError
        In every process, if they begin at other steps or have other frames.
    """
    frames = '\n'.join(job.training.frames).encode()
    mine = (progress.iteration, len(job.training), hashlib.sha256(frames).hexdigest()[:12])
    everyones = processes.gather(mine)
    if len(set(everyones)) > 1:
        places = '; '.join(
            f'process {rank} begins after step {step} with {count} images (names {names})'
            for rank, (step, count, names) in enumerate(everyones)
        )
        raise ValueError(
            f'the processes do not train the same: {places}. All of them need the same images, '
            'and to resume the same --out, on a shared disk'
        )


def _choose_arithmetic(config: TrainingConfig) -> None:
    """Choose between speed and the same bits each time; only GPUs have both."""
    torch.backends.cudnn.benchmark = not config.deterministic
    if config.deterministic:
        # Some versions of PyTorch refuse matrix products on a GPU otherwise.
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
    torch.use_deterministic_algorithms(config.deterministic)
