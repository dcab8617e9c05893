import errno
import sys

from smoke_ros.training.logs import TRAINING_CSV, VALIDATION_CSV, open_log


def test_lines_of_figures(tmp_path):
    with open_log(tmp_path, 0, tensorboard=False) as log:
        log.training(10, {'total': 1.23456789, 'epoch': 2})
        log.training(20, {'total': 0.5, 'epoch': 4})
        log.validation(20, {'3d': float('nan')})
    text = (tmp_path / TRAINING_CSV).read_text()
    assert text.splitlines() == ['iteration,total,epoch', '10,1.23457,2', '20,0.5,4']
    assert (tmp_path / VALIDATION_CSV).read_text().splitlines() == ['iteration,3d', '20,nan']
    assert not (tmp_path / 'tensorboard').exists()


def test_lines_after_the_checkpoint_are_dropped(tmp_path):
    with open_log(tmp_path, 0, tensorboard=False) as log:
        for iteration in (10, 20, 30):
            log.training(iteration, {'total': 1.0})
    with (tmp_path / TRAINING_CSV).open('a') as stream:
        stream.write('40,0.')  # the process died here
    with open_log(tmp_path, 20, tensorboard=False) as log:
        log.training(30, {'total': 2.0})
    lines = (tmp_path / TRAINING_CSV).read_text().splitlines()
    assert lines == ['iteration,total', '10,1', '20,1', '30,2']


def test_new_run_starts_new_files(tmp_path):
    with open_log(tmp_path, 0, tensorboard=False) as log:
        log.training(10, {'total': 1.0})
    with open_log(tmp_path, 0, tensorboard=False) as log:
        log.training(5, {'other': 3.0})
    assert (tmp_path / TRAINING_CSV).read_text().splitlines() == ['iteration,other', '5,3']


def test_tensorboard_has_the_same_figures(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with open_log(tmp_path, 0, tensorboard=True) as log:
        log.training(10, {'total': 1.5})
        log.validation(10, {'3d': 2.5})
    events = EventAccumulator(str(tmp_path / 'tensorboard')).Reload()
    found = {tag: events.Scalars(tag)[0] for tag in ('training/total', 'validation/3d')}
    assert {tag: (event.step, event.value) for tag, event in found.items()} == {
        'training/total': (10, 1.5),
        'validation/3d': (10, 2.5),
    }


def test_a_line_that_cannot_be_written_ends_no_run(tmp_path, monkeypatch, caplog):
    def fail(*_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    with open_log(tmp_path, 0, tensorboard=False) as log:
        with monkeypatch.context() as patched:
            patched.setattr('smoke_ros.training.logs._append', fail)
            log.training(10, {'total': 1.0})
            log.training(20, {'total': 1.0})
        log.training(30, {'total': 1.0})
    assert caplog.text.count('cannot be written (No space left on device): from step 10 on') == 1
    assert (tmp_path / TRAINING_CSV).read_text().splitlines() == ['iteration,total', '30,1']


def test_missing_tensorboard_leaves_the_csv_files(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, 'torch.utils.tensorboard', None)
    with open_log(tmp_path, 0, tensorboard=True) as log:
        log.training(10, {'total': 1.5})
    assert 'tensorboard is not installed' in caplog.text
    assert (tmp_path / TRAINING_CSV).exists()
