"""Carrying out set-up, with steps that only take notes: nothing is downloaded or compiled here."""

import ast
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import environment_plan as plan
import environment_steps as steps
import pytest
import setup_environment
from environment_plan import ROS, STEPS, WHEELS, SetupError, State

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def done(monkeypatch):
    """Replace each step by one that notes its name, and makes what the next run looks for."""
    names = []

    def make(step):
        def note(environment):
            names.append(step)
            environment.python.parent.mkdir(exist_ok=True)
            environment.python.touch()

        return note

    for step in STEPS:
        monkeypatch.setattr(steps.Environment, f'make_{step}', make(step))
    monkeypatch.setattr(steps, 'check_machine', lambda kind: None)
    return names


def interrupt(environment):
    raise KeyboardInterrupt


def test_first_run_does_every_step_and_the_second_none(tmp_path, done, capsys):
    folder = tmp_path / 'venv'
    assert list(steps.set_up(folder, WHEELS, 0)) == list(STEPS)
    assert done == list(STEPS)
    capsys.readouterr()
    assert list(steps.set_up(folder, WHEELS, 0)) == []
    assert done == list(STEPS)
    assert capsys.readouterr().out == ''


@pytest.mark.parametrize(
    ('interrupted', 'repeated'),
    [
        ('environment', STEPS),
        ('packages', STEPS),
        ('underlay', ('underlay', 'project')),
        ('project', ('project',)),
    ],
)
def test_an_interrupted_run_is_made_good_by_the_next(
    tmp_path, done, monkeypatch, interrupted, repeated
):
    folder = tmp_path / 'venv'
    with monkeypatch.context() as patch:
        patch.setattr(steps.Environment, f'make_{interrupted}', interrupt)
        with pytest.raises(KeyboardInterrupt):
            steps.set_up(folder, WHEELS, 0)
    done.clear()
    assert tuple(steps.set_up(folder, WHEELS, 0)) == repeated
    assert tuple(done) == repeated
    assert list(steps.set_up(folder, WHEELS, 0)) == []


def test_starting_over_leaves_nothing_of_the_old_environment(tmp_path, done):
    folder = tmp_path / 'venv'
    steps.set_up(folder, WHEELS, 0)
    (folder / 'lib').mkdir()
    (folder / 'lib' / 'half.py').touch()
    state = State.load(folder / steps.STATE_FILE)
    state.running = 'packages'
    state.save(folder / steps.STATE_FILE)
    steps.set_up(folder, WHEELS, 0)
    assert not (folder / 'lib').exists()


def test_a_changed_requirement_updates_the_environment_in_place(tmp_path, done, monkeypatch):
    folder = tmp_path / 'venv'
    steps.set_up(folder, WHEELS, 0)
    (folder / 'kept').touch()
    keys = plan.step_keys
    monkeypatch.setattr(plan, 'step_keys', lambda *a: {**keys(*a), 'packages': 'newer'})
    assert tuple(steps.set_up(folder, WHEELS, 0)) == STEPS[1:]
    assert (folder / 'kept').exists()


def test_an_environment_without_its_interpreter_is_made_anew(tmp_path, done):
    folder = tmp_path / 'venv'
    steps.set_up(folder, WHEELS, 0)
    (folder / 'bin' / 'python').unlink()
    assert tuple(steps.set_up(folder, WHEELS, 0)) == STEPS


def test_a_folder_that_set_up_did_not_make_is_left_alone(tmp_path, done):
    folder = tmp_path / 'venv'
    folder.mkdir()
    (folder / 'mine').touch()
    with pytest.raises(SetupError, match=r'expected .* to be absent or made by this set-up'):
        steps.set_up(folder, WHEELS, 0)
    assert (folder / 'mine').exists()
    assert done == []


def test_a_folder_that_cannot_be_made_is_named_without_a_traceback(tmp_path, monkeypatch, capsys):
    (tmp_path / 'file').touch()
    monkeypatch.delenv('AMENT_PREFIX_PATH', raising=False)
    monkeypatch.setattr(steps, 'ROOT', tmp_path)  # whose lock nobody holds
    monkeypatch.setattr(plan, 'step_keys', lambda *_: dict.fromkeys(STEPS, ''))
    monkeypatch.setattr(sys, 'argv', ['setup', '--venv', str(tmp_path / 'file' / 'venv')])
    assert steps.main() == 1
    error = capsys.readouterr().err
    assert error.startswith('set-up failed: ') and f'{tmp_path / "file" / "venv"}' in error


def test_a_failed_command_is_shown_with_its_last_words_and_logged(tmp_path):
    environment = steps.Environment(tmp_path, WHEELS, os.open(tmp_path, os.O_RDONLY))
    code = 'print("first"); print("no such package"); raise SystemExit(3)'
    with pytest.raises(SetupError, match=r'exit status 3(.|\n)*no such package'):
        environment.run([sys.executable, '-c', code])
    os.close(environment.lock)
    assert 'first\nno such package\n' in (tmp_path / steps.LOG_FILE).read_text()


def test_a_second_set_up_waits_for_the_first(tmp_path):
    code = (
        f'import sys; sys.path.append({str(ROOT / "underlay")!r})\n'
        'import environment_steps as s, pathlib\n'
        f'with s.only_one_setup(pathlib.Path({str(tmp_path)!r})): print("mine", flush=True)'
    )
    with steps.only_one_setup(tmp_path):
        other = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True)
        assert 'waiting' in other.stdout.readline()
        assert other.poll() is None
    assert other.communicate(timeout=20)[0] == 'mine\n'


def is_locked(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_a_child_that_outlives_set_up_keeps_its_lock(tmp_path):
    with steps.only_one_setup(tmp_path) as lock:
        child = subprocess.Popen(['sleep', '60'], pass_fds=[lock])
    assert is_locked(tmp_path)
    child.kill()
    child.wait()
    assert not is_locked(tmp_path)


def test_an_older_python_is_told_what_is_expected(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'version_info', (3, 9, 18))
    assert setup_environment.main() == 1
    assert 'expected Python 3.10 or newer' in capsys.readouterr().err


def test_the_entry_script_can_be_read_by_much_older_pythons():
    source = (ROOT / 'underlay' / 'setup_environment.py').read_text()
    ast.parse(source, feature_version=(3, 4))


@pytest.mark.parametrize('variable', ['CC', 'CXX'])
def test_a_missing_compiler_is_named(monkeypatch, variable):
    monkeypatch.setenv(variable, 'no-such-compiler -O2')
    with pytest.raises(SetupError, match=rf'named no-such-compiler \(variable {variable}\)'):
        steps.check_machine(WHEELS)


def test_missing_python_headers_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(steps.sysconfig, 'get_path', lambda name: str(tmp_path))
    with pytest.raises(SetupError, match=r'expected the header .*Python\.h.*python3\.\d+-dev'):
        steps.check_machine(WHEELS)


def test_a_processor_without_wheels_is_named(monkeypatch):
    monkeypatch.setattr(steps.platform, 'machine', lambda: 'aarch64')
    with pytest.raises(SetupError, match='got linux on aarch64'):
        steps.check_machine(WHEELS)
    steps.check_machine(ROS)


def test_a_python_that_the_pinned_wheels_do_not_have_is_named(monkeypatch):
    monkeypatch.setattr(sys, 'version_info', (3, 14, 0))
    with pytest.raises(SetupError, match=r'expected Python 3\.10 to 3\.13.*got 3\.14'):
        steps.check_machine(WHEELS)


def test_a_python_without_venv_is_named(monkeypatch, tmp_path):
    python = tmp_path / 'python3'
    python.write_text('#!/bin/sh\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setattr(steps, 'base_python', lambda: python)
    with pytest.raises(SetupError, match=r'venv and ensurepip.*apt install python3\.\d+-venv'):
        steps.check_machine(ROS)


def test_variables_of_another_environment_are_not_handed_on(monkeypatch, tmp_path):
    ours, theirs = tmp_path / 'ours', tmp_path / 'theirs'
    (ours / 'lib').mkdir(parents=True)
    theirs.mkdir()
    (ours / 'pyvenv.cfg').touch()
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'{ours}:{theirs}')
    monkeypatch.setenv('LD_LIBRARY_PATH', f'{ours / "lib"}')
    monkeypatch.setenv('_ROS_WHEELS_BOOTSTRAP_COMPLETE', '1')
    environ = steps.clean_environ()
    assert environ['AMENT_PREFIX_PATH'] == str(theirs)
    assert 'LD_LIBRARY_PATH' not in environ
    assert '_ROS_WHEELS_BOOTSTRAP_COMPLETE' not in environ
    assert environ['PATH'] == os.environ['PATH']


def test_of_two_versions_of_a_package_the_imported_one_is_the_systems(monkeypatch, tmp_path):
    for folder, version in (('first', '1.26.4'), ('second', '2.2.6')):
        info = tmp_path / folder / f'Some_Package-{version}.dist-info'
        info.mkdir(parents=True)
        (info / 'METADATA').write_text(f'Name: Some_Package\nVersion: {version}\n')
    monkeypatch.setenv('PYTHONPATH', f'{tmp_path / "first"}:{tmp_path / "second"}')
    assert steps.system_packages()['some-package'] == '1.26.4'
