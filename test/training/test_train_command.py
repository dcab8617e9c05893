import argparse
import dataclasses
import shlex
import signal

import pytest
import yaml
from tiny_smoke import TinySmoke

from smoke_ros import cli
from smoke_ros.checkpoint import load_checkpoint
from smoke_ros.training import command
from smoke_ros.training.loop import Outcome


@pytest.fixture(autouse=True)
def _tiny(monkeypatch):
    monkeypatch.setattr('smoke_ros.training.prepare.build_network', TinySmoke)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / 'mine.yaml'
    sections = {
        'model': {'classes': ['Car', 'Pedestrian'], 'input_width': 128, 'input_height': 64},
        'data': {'class_map': []},
        'training': {
            'iterations': 4, 'batch_size': 4, 'drops': [3], 'workers': 0, 'tensorboard': False,
            'checkpoint_every': 2,
        },
    }  # fmt: skip
    path.write_text(yaml.safe_dump(sections))
    return path


def train(*arguments: object) -> int:
    return cli.main(['train', *map(str, arguments), '--device', 'cpu'])


def test_trains_into_a_folder_of_the_configs_name(config, frames, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert train(config, '--data', frames, '--set', 'training.seed=5', 'model.top_k=20') == 0
    assert '4 steps done; the model is runs/mine/final.pth' in capsys.readouterr().out
    checkpoint = load_checkpoint(tmp_path / 'runs' / 'mine' / 'final.pth')
    assert checkpoint.training.config['training']['seed'] == 5
    assert checkpoint.model.top_k == 20


def test_a_run_is_not_overwritten_but_resumed(config, frames, tmp_path, capsys):
    arguments = (config, '--data', frames, '--out', tmp_path / 'run')
    assert train(*arguments) == 0
    assert train(*arguments) == cli.EXIT_BAD_INPUT
    assert 'has a run already: go on with --resume' in capsys.readouterr().err
    assert train(*arguments, '--resume') == 0


def test_resuming_what_has_no_checkpoint_starts_anew(config, frames, tmp_path, caplog):
    assert train(config, '--data', frames, '--out', tmp_path / 'run', '--resume') == 0
    assert 'has no checkpoint yet: the run starts anew' in caplog.text


def test_missing_data_is_said_in_one_line(config, tmp_path, capsys):
    assert train(config, '--data', tmp_path / 'nothing') == cli.EXIT_BAD_INPUT
    error = capsys.readouterr().err
    assert error.startswith(f'smoke-ros train: {tmp_path / "nothing"}: expected a data set')
    assert error.count('\n') == 1


def test_fine_tuning_asks_before_it_resets_heads(config, frames, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('smoke_ros.checkpoint.build_network', TinySmoke)
    assert train(config, '--data', frames, '--out', tmp_path / 'first') == 0
    weights = tmp_path / 'first' / 'final.pth'
    swapped = ('--set', 'model.classes=[Pedestrian, Car]')
    arguments = (config, '--data', frames, '--init', weights, '--out', tmp_path / 'second')
    assert train(*arguments, *swapped) == cli.EXIT_BAD_INPUT
    assert 'heads.heatmap.3.bias, heads.heatmap.3.weight do not fit' in capsys.readouterr().err
    assert train(*arguments, '--reset-heads', *swapped) == 0
    record = load_checkpoint(tmp_path / 'second' / 'final.pth').training
    assert record.split == (
        f'frames all (4 images); started from {weights}: frames all (4 images)'
    )


def test_loss_that_is_not_finite_is_exit_code_1(config, frames, tmp_path, capsys):
    arguments = (config, '--data', frames, '--out', tmp_path / 'run')
    assert train(*arguments, '--set', 'training.learning_rate=1e30') == command.EXIT_NOT_FINITE
    assert 'smoke-ros train: after 1 steps: the loss is' in capsys.readouterr().err
    assert list((tmp_path / 'run').glob('nonfinite_step1_process0.pth'))


def test_arguments_of_their_own_go_into_their_options():
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    args = parser.parse_args(['c.yaml', '--data', 'd', '--init', '', '--reset-heads'])
    assert command._with_arguments({'data': {'split': 'train'}}, args) == {
        'data': {'split': 'train', 'root': 'd'},
        'training': {'init': '', 'reset_heads': True},
    }


def test_exit_code_of_a_signal(config, frames, tmp_path, monkeypatch, capsys):
    ended = Outcome(7, signal.SIGTERM)
    monkeypatch.setattr(command, 'train', lambda *_, **__: ended)
    assert train(config, '--data', frames, '--out', tmp_path / 'run') == 128 + 15
    assert 'ended by SIGTERM after step 7; go on with: smoke-ros train' in capsys.readouterr().out


def test_the_command_to_go_on_with_does(config, frames, tmp_path, monkeypatch, capsys):
    """It names the data and the options, without which it is refused."""
    config = config.rename(config.with_name('my run.yaml'))
    real, ends = command.train, {'signal': signal.SIGTERM}
    monkeypatch.setattr(
        command, 'train', lambda *a, **k: dataclasses.replace(real(*a, **k), **ends)
    )
    options = ('--set', 'training.seed=5', 'model.classes=[Car, Pedestrian]')
    code = train(config, '--data', frames, '--out', tmp_path / 'a run', *options)
    assert code == command.EXIT_SIGNAL + signal.SIGTERM
    words = shlex.split(capsys.readouterr().out.partition('go on with: smoke-ros ')[2])
    ends['signal'] = None
    assert cli.main(words) == 0
    assert '4 steps done' in capsys.readouterr().out
