"""What a run needs to go on as if it had never stopped, in one file with the model so far."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from smoke_ros.checkpoint import TrainingRecord, read_content, save_checkpoint
from smoke_ros.config.model import ModelConfig
from smoke_ros.errors import CheckpointError
from smoke_ros.training.learner import Learner

#: In a run's folder: where it stands, the best model so far, and the model at the end.
LAST, BEST, FINAL = 'last.pth', 'best.pth', 'final.pth'


@dataclass
class Progress:
    """How far a run has come."""

    #: Steps that are done.
    iteration: int = 0
    #: Of the last validation.
    validated: int = 0
    #: Of the best validation, and its score; 0 before the first.
    best_iteration: int = 0
    best_score: float = 0.0


def save_state(
    path: Path, learner: Learner, progress: Progress, model: ModelConfig, record: TrainingRecord
) -> None:
    """Write a checkpoint that detects, and that training goes on from, atomically."""
    resume = {
        'progress': dataclasses.asdict(progress),
        'learner': learner.state(),
        'random': random_state(),
    }
    save_checkpoint(path, learner.model_network, model, record, resume=resume)


def restore_state(path: Path, learner: Learner) -> Progress:
    """Give the learner and the random number generators the state of a checkpoint.

    Raises
    ------
    FileNotFoundError, CheckpointError
        If there is no checkpoint, it is damaged, or only a model without a training state.
    """
    content = read_content(path).get('resume')
    if not isinstance(content, dict):
        raise CheckpointError(
            f'{path}: holds a model but no training state to go on from; to start from this '
            'model, give it as --init'
        )
    learner.restore(content['learner'])
    restore_random_state(content['random'])
    return Progress(**content['progress'])


def random_state() -> dict[str, Any]:
    """Return the state of this process's random number generators, as tensors and plain values."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002, the one that libraries share
    version, internal, gauss = random.getstate()
    return {
        'python': [version, list(internal), gauss],
        'numpy': [kind, np.asarray(keys).tolist(), *rest],
        'torch': torch.get_rng_state(),
        'cuda': torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_state(state: dict[str, Any]) -> None:
    """Invert :func:`random_state`; the GPUs' generators only where there are as many GPUs."""
    version, internal, gauss = state['python']
    random.setstate((version, tuple(internal), gauss))
    kind, keys, *rest = state['numpy']
    np.random.set_state((kind, np.array(keys, np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state['torch'])
    if torch.cuda.is_available() and len(state['cuda']) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state['cuda'])
