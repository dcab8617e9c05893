import copy
import csv
import dataclasses
import math
import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch
import yaml
from tiny_smoke import make_job

from smoke_ros.checkpoint import load_checkpoint, read_content
from smoke_ros.data.dataset import KittiDataset
from smoke_ros.training.learner import NonFiniteLossError
from smoke_ros.training.loop import Job, _check_agreement, run_job
from smoke_ros.training.processes import Processes
from smoke_ros.training.state import BEST, FINAL, LAST, Progress

ALONE = Processes(torch.device('cpu'))


def rows(path) -> list[dict[str, str]]:
    with path.open(newline='') as stream:
        return list(csv.DictReader(stream))


def assert_same(found, expected, where='') -> None:
    """Compare nested containers, tensors bit for bit."""
    assert type(found) is type(expected), where
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected), where
    elif isinstance(expected, dict):
        assert list(found) == list(expected), where
        for key in expected:
            assert_same(found[key], expected[key], f'{where}/{key}')
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), where
        for i, item in enumerate(expected):
            assert_same(found[i], item, f'{where}/{i}')
    else:
        assert found == expected, where


class Meddling(KittiDataset):
    """Does something when the sample number ``at`` (counting all) is asked for."""

    def meddle(self, at: int, action) -> None:
        self._at, self._action, self._count = at, action, 0

    def __getitem__(self, index: int):
        self._count += 1
        if self._count == self._at:
            self._action()
        return super().__getitem__(index)


def meddling_job(job: Job, at: int, action) -> Job:
    dataset = Meddling(job.run.data, job.run.model, training=True, seed=job.run.training.seed)
    dataset.meddle(at, action)
    return dataclasses.replace(job, training=dataset)


def test_run_leaves_model_curves_and_configuration(frames, tmp_path):
    outcome = run_job(make_job(frames, tensorboard=True, log_every=2), tmp_path, ALONE)
    assert (outcome.iteration, outcome.signal) == (4, None)
    lines = rows(tmp_path / 'training.csv')
    assert [line['iteration'] for line in lines] == ['2', '4']
    assert float(lines[1]['epoch']) == 4.0  # four steps of four images, of which there are four
    assert float(lines[0]['learning_rate']) == 2.5e-4
    assert float(lines[1]['learning_rate']) == pytest.approx(2.5e-5)
    parts = sum(float(lines[0][n]) for n in ('heatmap', 'orientation', 'dimensions', 'location'))
    assert float(lines[0]['total']) == pytest.approx(parts, rel=1e-4)
    assert list((tmp_path / 'tensorboard').glob('events*'))
    config = yaml.safe_load((tmp_path / 'config.yaml').read_text())
    assert config['training']['batch_size'] == 4
    final = load_checkpoint(tmp_path / FINAL)
    assert final.training.frames == ('000000', '000001', '000002', '000003')
    assert final.training.config == config
    assert 'resume' not in read_content(tmp_path / FINAL)


def test_the_rate_drops_after_as_many_steps_as_are_asked_for(frames, tmp_path):
    run_job(make_job(frames, drops=(2,), log_every=1), tmp_path, ALONE)
    rates = [float(line['learning_rate']) for line in rows(tmp_path / 'training.csv')]
    assert rates == pytest.approx([2.5e-4, 2.5e-4, 2.5e-5, 2.5e-5])


def test_the_running_mean_is_what_is_validated_and_kept(frames, tmp_path, monkeypatch):
    seen = []

    def score(network, *_):
        seen.append(copy.deepcopy(network.state_dict()))
        return {'score': 1.0, 'total': 1.0}

    monkeypatch.setattr('smoke_ros.training.loop.validate', score)
    run_job(make_job(frames, validates=True, ema_decay=0.9, iterations=2), tmp_path, ALONE)
    mean = read_content(tmp_path / LAST)['resume']['learner']['mean']
    kept = [load_checkpoint(tmp_path / name).state for name in (BEST, FINAL)]
    assert seen
    for state in (*seen, *kept):
        assert all(torch.equal(state[name], mean[name]) for name in mean)


def test_a_gpu_without_memory_is_said_with_the_remedy(frames, tmp_path, monkeypatch):
    def fail(*_):
        raise torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB. More.')

    monkeypatch.setattr('smoke_ros.training.learner.Learner.step', fail)
    text = r'after 0 steps: .* \(CUDA out of memory\): divide .* training\.accumulate'
    with pytest.raises(OSError, match=text):
        run_job(make_job(frames), tmp_path, ALONE)


@pytest.mark.parametrize(
    'options', [{}, {'ema_decay': 0.9, 'precision': 'float16', 'accumulate': 2, 'workers': 1}]
)
def test_resumed_run_is_the_same_bit_for_bit(frames, tmp_path, options):
    """With 3 images a step of 4 in all, step 2 begins in the middle of an epoch."""
    options = {'iterations': 5, 'batch_size': 3, 'validate_every': 2, **options}
    if options.get('accumulate') == 2:
        options['batch_size'] = 6
    whole = make_job(frames, validates=True, **options)
    run_job(whole, tmp_path / 'whole', ALONE)
    stopped = meddling_job(
        make_job(frames, validates=True, **{**options, 'workers': 0}),
        at=2 * options['batch_size'] + 1, action=lambda: os.kill(os.getpid(), signal.SIGTERM),
    )  # fmt: skip
    outcome = run_job(stopped, tmp_path / 'parts', ALONE)
    assert outcome.iteration == 3
    torch.manual_seed(99)
    run_job(make_job(frames, validates=True, **options), tmp_path / 'parts', ALONE, resume=True)
    expected, found = (read_content(tmp_path / part / LAST) for part in ('whole', 'parts'))
    # Everything but the random numbers' state, which the tests before have changed.
    del expected['resume']['random'], found['resume']['random']
    expected['smoke_ros']['training']['config'] = found['smoke_ros']['training']['config'] = {}
    assert_same(found, expected)
    losses = [
        [line['total'] for line in rows(tmp_path / part / 'training.csv')]
        for part in ('whole', 'parts')
    ]
    assert losses[0] == losses[1]
    assert [r['iteration'] for r in rows(tmp_path / 'parts' / 'validation.csv')] == ['2', '4', '5']


def test_random_numbers_go_on_where_they_stopped(frames, tmp_path):
    job = make_job(frames, iterations=2)
    torch.manual_seed(7)
    run_job(job, tmp_path, ALONE)
    expected = torch.rand(3)
    torch.manual_seed(8)
    run_job(make_job(frames, iterations=2), tmp_path, ALONE, resume=True)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_signal_saves_and_ends(frames, tmp_path, number):
    job = meddling_job(
        make_job(frames, iterations=50, checkpoint_every=50), at=6,
        action=lambda: os.kill(os.getpid(), number),
    )  # fmt: skip
    handler = signal.getsignal(number)
    outcome = run_job(job, tmp_path, ALONE)
    assert (outcome.iteration, outcome.signal) == (2, number)
    assert read_content(tmp_path / LAST)['resume']['progress']['iteration'] == 2
    assert not (tmp_path / FINAL).exists()
    assert signal.getsignal(number) is handler


def test_signal_that_ends_the_readers_too_saves_and_ends(frames, tmp_path):
    # As `timeout` and torchrun send it: to the whole group.
    def die() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError('DataLoader worker (pid(s) 7) exited unexpectedly')

    job = meddling_job(make_job(frames, iterations=50, checkpoint_every=50), at=6, action=die)
    outcome = run_job(job, tmp_path, ALONE)
    assert (outcome.iteration, outcome.signal) == (1, signal.SIGTERM)
    assert read_content(tmp_path / LAST)['resume']['progress']['iteration'] == 1


@pytest.mark.parametrize('readers_die', [False, True])
def test_signal_breaks_off_a_validation(frames, tmp_path, readers_die):
    """It may take minutes, which a cluster does not wait; the resumed run validates anew."""

    def end() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        if readers_die:
            raise RuntimeError('DataLoader worker (pid(s) 7) exited unexpectedly')

    options = {'iterations': 2, 'batch_size': 2, 'validate_every': 1, 'checkpoint_every': 50}
    job = make_job(frames, validates=True, **options)
    validation = Meddling(job.run.data, job.run.model, training=False)
    validation.meddle(1, end)
    outcome = run_job(dataclasses.replace(job, validation=validation), tmp_path, ALONE)
    assert (outcome.iteration, outcome.signal) == (1, signal.SIGTERM)
    assert validation._count <= 2  # of four: what was in its hands
    progress = read_content(tmp_path / LAST)['resume']['progress']
    assert (progress['iteration'], progress['validated']) == (1, 0)
    run_job(make_job(frames, validates=True, **options), tmp_path, ALONE, resume=True)
    assert [line['iteration'] for line in rows(tmp_path / 'validation.csv')] == ['1', '2']


def test_an_error_of_the_readers_is_one(frames, tmp_path):
    def fail() -> None:
        raise RuntimeError('of the library that reads images')

    with pytest.raises(RuntimeError, match='of the library that reads images'):
        run_job(meddling_job(make_job(frames), at=6, action=fail), tmp_path, ALONE)


def test_second_signal_ends_at_once(frames, tmp_path):
    def press_twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    job = meddling_job(make_job(frames), at=6, action=press_twice)
    with pytest.raises(KeyboardInterrupt):
        run_job(job, tmp_path, ALONE)


def run_and_die(frames: Path, out: Path, threads: int) -> None:
    """Die while the fifth step is read; checkpoints are due after the second and the fourth."""
    torch.set_num_threads(threads)
    job = meddling_job(
        make_job(frames, iterations=5), at=18,
        action=lambda: os.kill(os.getpid(), signal.SIGKILL),
    )  # fmt: skip
    run_job(job, out, ALONE)


def test_killed_run_loses_what_came_after_its_last_checkpoint(frames, tmp_path):
    run_job(make_job(frames, iterations=5), tmp_path / 'whole', ALONE)
    # Not forked from this process: other tests have left threads in it, which a fork loses.
    arguments = (frames, tmp_path / 'killed', torch.get_num_threads())
    child = multiprocessing.get_context('spawn').Process(target=run_and_die, args=arguments)
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert read_content(tmp_path / 'killed' / LAST)['resume']['progress']['iteration'] == 4
    run_job(make_job(frames, iterations=5), tmp_path / 'killed', ALONE, resume=True)
    expected, found = (read_content(tmp_path / part / LAST) for part in ('whole', 'killed'))
    assert_same(found['state'], expected['state'])
    assert_same(found['resume']['learner'], expected['resume']['learner'])
    iterations = [line['iteration'] for line in rows(tmp_path / 'killed' / 'training.csv')]
    assert iterations == ['1', '2', '3', '4', '5']


def test_loss_that_is_not_finite_stops_with_its_batch(frames, tmp_path):
    job = make_job(frames)
    make_sample = job.training.make_sample

    def spoil(*args, **kwargs):
        sample = make_sample(*args, **kwargs)
        if sample.frame_id == '000002':
            sample.targets.heatmap[0, 0, 0] = float('nan')
        return sample

    job.training.make_sample = spoil
    with pytest.raises(NonFiniteLossError, match=r'after 0 steps: the loss is nan') as error:
        run_job(job, tmp_path, ALONE)
    [path] = tmp_path.glob('nonfinite_*')
    assert str(path) in str(error.value)
    assert LAST not in str(error.value)  # there is none yet to start from
    content = torch.load(path, weights_only=True)
    [ids] = content['frames']
    assert sorted(ids) == ['000000', '000001', '000002', '000003']
    [targets] = content['targets']
    assert torch.isnan(targets['heatmap'][ids.index('000002')]).sum() == 1
    assert content['images'][0].shape == (4, 3, 64, 128)
    assert_same(dict(content['network']), dict(job.network.state_dict()))


def test_loss_that_becomes_infinite_names_the_checkpoint_to_start_from(frames, tmp_path):
    job = make_job(frames, learning_rate=1e30, checkpoint_every=1)
    with pytest.raises(NonFiniteLossError, match=r'after 1 steps: .*start from .*last\.pth'):
        run_job(job, tmp_path, ALONE)


def test_time_of_validation_is_not_that_of_training(frames, tmp_path, monkeypatch):
    """Also where it comes between two lines of the log."""
    now = 0.0

    def wait(seconds: float, result):
        nonlocal now
        now += seconds
        return result

    monkeypatch.setattr('smoke_ros.training.loop.time.perf_counter', lambda: now)
    monkeypatch.setattr(
        'smoke_ros.training.loop.validate', lambda *_: wait(100.0, {'score': 1.0, 'total': 1.0})
    )
    job = make_job(frames, validates=True, log_every=2, validate_every=3)
    make_sample = job.training.make_sample
    job.training.make_sample = lambda *args: wait(0.5, make_sample(*args))
    run_job(job, tmp_path, ALONE)
    assert [line['images_per_s'] for line in rows(tmp_path / 'training.csv')] == ['2', '2']


def test_best_model_is_kept(frames, tmp_path, monkeypatch):
    scores = iter([3.0, 5.0, 4.0])
    monkeypatch.setattr(
        'smoke_ros.training.loop.validate', lambda *_: {'score': next(scores), 'total': 1.0}
    )
    job = make_job(frames, validates=True, iterations=3, validate_every=1, checkpoint_every=1)
    run_job(job, tmp_path, ALONE)
    progress = read_content(tmp_path / LAST)['resume']['progress']
    assert (progress['best_iteration'], progress['best_score']) == (2, 5.0)
    lines = rows(tmp_path / 'validation.csv')
    assert [line['score'] for line in lines] == ['3', '5', '4']
    best, final = (load_checkpoint(tmp_path / name).state for name in (BEST, FINAL))
    assert not torch.equal(best['heads.heatmap.3.weight'], final['heads.heatmap.3.weight'])


def test_where_nothing_can_be_scored_the_latest_model_is_the_best(
    frames, tmp_path, monkeypatch, caplog
):
    monkeypatch.setattr(
        'smoke_ros.training.loop.validate', lambda *_: {'score': math.nan, 'total': 1.0}
    )
    job = make_job(frames, validates=True, iterations=3, validate_every=1)
    run_job(job, tmp_path, ALONE)
    assert read_content(tmp_path / LAST)['resume']['progress']['best_iteration'] == 3
    assert_same(*(load_checkpoint(tmp_path / name).state for name in (BEST, FINAL)))
    assert 'no object that counts as moderate' in caplog.text


def test_resuming_a_finished_run_does_nothing_more(frames, tmp_path):
    run_job(make_job(frames), tmp_path, ALONE)
    before = load_checkpoint(tmp_path / FINAL).state
    outcome = run_job(make_job(frames), tmp_path, ALONE, resume=True)
    assert outcome.iteration == 4
    assert_same(load_checkpoint(tmp_path / FINAL).state, before)


class _Two(Processes):
    """Two processes, of which the other says something else."""

    def gather(self, item):
        return [item, self.other]


@pytest.mark.parametrize(
    ('other', 'message'),
    [
        ((3, 4, ''), 'process 0 begins after step 0 with 4 images .*; process 1 .* after step 3'),
        ((0, 3, 'abc'), r'process 1 begins after step 0 with 3 images \(names abc\)'),
    ],
)
def test_processes_that_would_train_something_else_are_refused(frames, other, message):
    processes = _Two(torch.device('cpu'), 0, 2)
    object.__setattr__(processes, 'other', other)
    with pytest.raises(ValueError, match=message):
        _check_agreement(make_job(frames), Progress(), processes)
