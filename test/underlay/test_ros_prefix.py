"""The start-up hook of an environment with ROS wheels: variables, re-execution, signals."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HOOK = Path(__file__).resolve().parents[2] / 'underlay' / 'ros_prefix.py'

has_wheels = pytest.mark.skipif(
    not list(Path(sys.prefix).glob('lib/python*/site-packages/ros_wheels_bootstrapper')),
    reason='a sourced ROS is in use, not wheels',
)

SHOW = 'import os; print(os.environ["AMENT_PREFIX_PATH"], os.getpid())'

WAIT = """
import time
try:
    print('ready', flush=True)
    time.sleep(60)
finally:
    print('tidied up', flush=True)
"""


@pytest.fixture
def prepare(monkeypatch):
    # Importing it would act on this process as well, which it has already done at the start.
    spec = importlib.util.spec_from_file_location('ros_prefix_under_test', HOOK)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(os, 'environ', {})
    spec.loader.exec_module(module)
    return module.prepare


def start(code, **options):
    return subprocess.Popen(
        [sys.executable, '-c', code], stdout=subprocess.PIPE, text=True, **options
    )


def test_the_prefix_comes_first_and_once(prepare):
    environ = {'AMENT_PREFIX_PATH': '/workspace'}
    prepare(environ, '/venv')
    assert environ['AMENT_PREFIX_PATH'] == '/venv:/workspace'
    prepare(environ, '/venv')
    assert environ['AMENT_PREFIX_PATH'] == '/venv:/workspace'
    empty = {}
    prepare(empty, '/venv')
    assert empty == {'AMENT_PREFIX_PATH': '/venv'}


def test_the_mark_of_another_environment_is_not_believed(prepare):
    inherited = {'_ROS_WHEELS_BOOTSTRAP_COMPLETE': '1', 'LD_LIBRARY_PATH': '/other/lib'}
    prepare(inherited, '/venv')
    assert '_ROS_WHEELS_BOOTSTRAP_COMPLETE' not in inherited
    own = {'_ROS_WHEELS_BOOTSTRAP_COMPLETE': '1', 'LD_LIBRARY_PATH': '/other/lib:/venv/lib'}
    prepare(own, '/venv')
    assert own['_ROS_WHEELS_BOOTSTRAP_COMPLETE'] == '1'


@has_wheels
def test_the_interpreter_needs_nothing_exported_and_keeps_its_process_id():
    process = start(SHOW, env={'PATH': os.environ['PATH']})
    prefix, pid = process.communicate(timeout=20)[0].split()
    assert prefix == sys.prefix
    assert int(pid) == process.pid


@has_wheels
def test_arguments_and_standard_input_survive_re_execution():
    done = subprocess.run(
        [sys.executable, '-X', 'utf8', '-', 'a b', ''],
        input='import sys; print(sys.argv[1:], sys.flags.utf8_mode)',
        capture_output=True, text=True, timeout=20, check=True, env={'PATH': os.environ['PATH']},
    )  # fmt: skip
    assert done.stdout == "['a b', ''] 1\n"


@pytest.mark.parametrize(
    ('number', 'last_words'), [(signal.SIGINT, 'tidied up\n'), (signal.SIGTERM, '')]
)
def test_a_signal_meets_the_program_as_without_re_execution(number, last_words):
    process = start(WAIT, env={'PATH': os.environ['PATH']}, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout.readline() == 'ready\n'
        process.send_signal(number)
        assert process.communicate(timeout=20)[0] == last_words
        assert process.returncode == -number
    finally:
        process.kill()
        process.wait()
