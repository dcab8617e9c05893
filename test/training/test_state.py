import random

import numpy as np
import pytest
import torch
from tiny_smoke import MODEL, make_network, make_run

from smoke_ros.checkpoint import TrainingRecord, load_checkpoint, save_checkpoint
from smoke_ros.errors import CheckpointError
from smoke_ros.losses import SmokeLoss
from smoke_ros.training.learner import Learner
from smoke_ros.training.processes import Processes
from smoke_ros.training.state import (
    Progress,
    random_state,
    restore_random_state,
    restore_state,
    save_state,
)


def make_learner(seed: int, **options) -> Learner:
    run = make_run('', **options)
    processes = Processes(torch.device('cpu'))
    return Learner(make_network(seed=seed), SmokeLoss(MODEL, run.loss), run.training, processes)


def test_random_numbers_go_on_after_a_detour():
    def draw():
        return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

    random.gauss(0, 1)  # leaves half a pair behind, which is part of the state
    state = random_state()
    expected = draw()
    draw()
    restore_random_state(state)
    assert draw() == expected


def test_saved_state_is_restored(tmp_path):
    saved, other = make_learner(0, ema_decay=0.9), make_learner(1, ema_decay=0.9)
    progress = Progress(iteration=7, validated=5, best_iteration=5, best_score=12.5)
    save_state(tmp_path / 'last.pth', saved, progress, MODEL, TrainingRecord())
    assert restore_state(tmp_path / 'last.pth', other) == progress
    for name, tensor in saved.network.state_dict().items():
        assert torch.equal(other.network.state_dict()[name], tensor)


def test_checkpoint_detects_with_the_running_mean(tmp_path):
    learner = make_learner(0, ema_decay=0.9)
    with torch.no_grad():
        learner.network.heads.heatmap[3].bias.fill_(5.0)
    save_state(tmp_path / 'last.pth', learner, Progress(), MODEL, TrainingRecord('mine'))
    checkpoint = load_checkpoint(tmp_path / 'last.pth')
    assert checkpoint.training.split == 'mine'
    assert checkpoint.model == MODEL
    expected = learner.model_network.heads.heatmap[3].bias
    assert torch.equal(checkpoint.state['heads.heatmap.3.bias'], expected)
    assert not torch.equal(expected, learner.network.heads.heatmap[3].bias)


def test_model_without_a_training_state_is_refused(tmp_path):
    save_checkpoint(tmp_path / 'model.pth', make_network(), MODEL)
    with pytest.raises(CheckpointError, match=r'no training state.*--init'):
        restore_state(tmp_path / 'model.pth', make_learner(0))


def test_interrupted_write_leaves_the_older_checkpoint(tmp_path, monkeypatch):
    path = tmp_path / 'last.pth'
    save_state(path, make_learner(0), Progress(iteration=3), MODEL, TrainingRecord())

    def fail(content, target) -> None:
        target.write_bytes(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(torch, 'save', fail)
    with pytest.raises(OSError, match='disk full'):
        save_state(path, make_learner(0), Progress(iteration=4), MODEL, TrainingRecord())
    assert restore_state(path, make_learner(0)).iteration == 3
    assert [p.name for p in tmp_path.iterdir()] == ['last.pth']
