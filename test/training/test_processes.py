import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_smoke import make_job

from smoke_ros.checkpoint import load_checkpoint
from smoke_ros.training.loop import run_job
from smoke_ros.training.processes import Processes, join_processes
from smoke_ros.training.state import FINAL, LAST

pytestmark = pytest.mark.timeout(300)  # three interpreters load torch at once

OPTIONS = {'iterations': 3, 'batch_size': 4, 'validate_every': 3, 'ema_decay': 0.9}


def rows(path: Path) -> list[dict[str, float]]:
    with path.open(newline='') as stream:
        return [{k: float(v) for k, v in line.items()} for line in csv.DictReader(stream)]


def norm(tensors: dict[str, torch.Tensor]) -> float:
    return torch.stack([tensor.norm() for tensor in tensors.values()]).norm().item()


@pytest.fixture(scope='module')
def finished(frames, tmp_path_factory) -> tuple[Path, str]:
    """Run distributed_run.py in two processes; return their folder and what they print."""
    script = Path(__file__).with_name('distributed_run.py')
    for _ in range(2):
        out = tmp_path_factory.mktemp('two')
        done = subprocess.run(
            [
                sys.executable, '-m', 'torch.distributed.run', '--nproc-per-node', '2',
                '--rdzv-backend', 'c10d', '--rdzv-endpoint', '127.0.0.1:0',
                str(script), str(frames), str(out), json.dumps(OPTIONS),
            ],
            env={**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHONPATH': str(script.parents[2])},
            capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
        # A thread of PyTorch's that nobody has joined aborts a process once in a while.
        if 'terminate called without an active exception' not in done.stderr:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


def test_two_processes_learn_what_one_does_with_the_double_batch(frames, finished, tmp_path):
    """The frames have 1 or 2 objects, so the processes' shares of the positives differ."""
    job = make_job(frames, validates=True, **OPTIONS)
    initial = {name: tensor.clone() for name, tensor in job.network.state_dict().items()}
    run_job(job, tmp_path, Processes(torch.device('cpu')))
    for name in ('training.csv', 'validation.csv'):
        one, two = rows(tmp_path / name), rows(finished[0] / 'whole' / name)
        assert [line['iteration'] for line in two] == [line['iteration'] for line in one]
        for expected, found in zip(one, two, strict=True):
            expected.pop('images_per_s', None), found.pop('images_per_s', None)
            assert found == pytest.approx(expected, rel=1e-4, nan_ok=True)
    one, two = (load_checkpoint(f / FINAL).state for f in (tmp_path, finished[0] / 'whole'))
    # Adam makes whole steps of rounding where a gradient is all but zero: compare the whole way.
    way = norm({name: one[name] - initial[name] for name in one})
    assert norm({name: two[name] - one[name] for name in one}) < 0.05 * way


def test_all_processes_end_together_and_resume(finished):
    out, printed = finished
    assert printed.count('stopped: Outcome(iteration=1, signal=<Signals.SIGTERM') == 2
    assert printed.count('resumed: Outcome(iteration=3, signal=None)') == 2
    whole, parts = (load_checkpoint(out / run / FINAL).state for run in ('whole', 'parts'))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_all_processes_end_where_one_has_no_batch_to_go_on_with(finished):
    """The others would wait for it in the step, and nothing would be saved."""
    out, printed = finished
    assert printed.count('readers ended: Outcome(iteration=0, signal=<Signals.SIGTERM') == 2
    assert load_checkpoint(out / 'ended' / LAST)


def test_alone_where_torchrun_started_nothing(monkeypatch):
    monkeypatch.delenv('WORLD_SIZE', raising=False)
    with join_processes('cpu') as processes:
        assert (processes.rank, processes.size, processes.is_first) == (0, 1, True)
        assert processes.gather('item') == ['item']
        assert processes.sum(torch.tensor([1.0, 2.0])).tolist() == [1.0, 2.0]


def test_device_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.delenv('WORLD_SIZE', raising=False)
    with (
        pytest.raises(ValueError, match="device 'cuda:99' is not there"),
        join_processes('cuda:99'),
    ):
        pass
