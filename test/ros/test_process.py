"""The node as users run it: exit codes, messages and signals of real processes.

A Python that imports PyTorch takes seconds to start. Most processes here are therefore forked from
one that has done so (multiprocessing's fork server); where the start or the interpreter's end
matter, they are started anew.
"""

import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip('rclpy')

import fake_node
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

TIMEOUT_S = 90.0

FORK_SERVER = multiprocessing.get_context('forkserver')
FORK_SERVER.set_forkserver_preload(['smoke_ros.ros.node'])


def run_forked(log: Path, environment: dict[str, str], kind: str, arguments: list[str]) -> None:
    """Be the node, in a process of its own."""
    os.environ.update(environment)
    for stream in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    fake_node.run(kind, arguments)


class Running:
    """A node's process: what it says, and how it ends."""

    def __init__(self, log: Path, pid: int, wait: Callable[[float], int | None]) -> None:
        self.log = log
        self.pid = pid
        self._wait = wait

    @property
    def output(self) -> str:
        return self.log.read_text(encoding='utf-8') if self.log.exists() else ''

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while text not in self.output:
            assert time.monotonic() < deadline, self.output
            assert self._wait(0.02) is None, self.output

    def exit_code(self) -> int | None:
        return self._wait(TIMEOUT_S)


@pytest.fixture
def start(ros_domain, tmp_path):
    """Return start(kind, *arguments, anew=False) -> Running; what is left is killed."""
    processes, numbers = [], itertools.count()
    environment = {
        name: value for name, value in os.environ.items() if name.startswith(('ROS_', 'PYTHON'))
    }

    def start(kind: str, *arguments: str, anew: bool = False) -> Running:
        log = tmp_path / f'{next(numbers)}.log'
        if anew:
            with log.open('wb') as stream:
                command = [sys.executable, fake_node.__file__, kind, *arguments]
                popen = subprocess.Popen(command, stdout=stream, stderr=stream)
            processes.append(popen)
            return Running(log, popen.pid, lambda timeout_s: _wait(popen, timeout_s))
        forked = FORK_SERVER.Process(
            target=run_forked, args=(log, environment, kind, list(arguments))
        )
        forked.start()
        processes.append(forked)

        def join(timeout_s: float) -> int | None:
            forked.join(timeout_s)
            return forked.exitcode

        return Running(log, forked.pid, join)

    yield start
    for process in processes:
        process.kill()


def _wait(process: subprocess.Popen, timeout_s: float) -> int | None:
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        return None


def assert_one_sentence(running: Running, words: str) -> None:
    assert running.exit_code() == 1, running.output
    own = [line for line in running.output.splitlines() if '[rcl]' not in line]
    assert len(own) == 1, running.output
    assert words in own[0]


def test_a_wrong_parameter_ends_the_program_with_one_sentence():
    command = [sys.executable, '-m', 'smoke_ros.ros.start']
    command += ['--ros-args', '-p', 'score_threshold:=7.0']
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 1
    assert done.stdout == ''
    assert done.stderr.splitlines() == [
        'smoke_node: parameters: score_threshold must be 0 to 1, got 7.0'
    ]


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ('-p modle:=random', "unknown parameter 'modle', did you mean 'model'?"),
        ('-p classes:=Car', "classes must be a list, such as [Car], got 'Car'"),
        ('-p classes:=[]', 'classes must have a value, got an empty list'),
        ('-p model:=random -p device:=cuda:99', "device 'cuda:99' is not there"),
        ('-p model:=no_such_model', "no model 'no_such_model'"),
        ('--params-file {folder}/broken.yaml', 'broken.yaml'),
    ],
)
def test_a_wrong_start(start, tmp_path, arguments, words):
    (tmp_path / 'broken.yaml').write_text('smoke_node: [1, 2\n', encoding='utf-8')
    assert_one_sentence(start('real', *arguments.format(folder=tmp_path).split()), words)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ('kind', 'arguments', 'state'),
    [
        ('fake', ['-p', 'autostart:=false'], 'waiting to be configured'),
        ('slow', [], 'loading'),
        ('fake', [], 'active: waiting for images'),
    ],
)
def test_a_signal_ends_the_node_in_any_state(start, kind, arguments, state, number):
    running = start(kind, *arguments)
    running.wait_for(state)
    os.kill(running.pid, number)
    assert running.exit_code() == 0, running.output
    for word in ('Traceback', 'Error', 'ERROR', 'WARN'):
        assert word not in running.output


def test_the_librarys_log_is_the_nodes(start):
    running = start('telling')
    running.wait_for('active: waiting for images')
    lines = running.output.splitlines()
    assert any('[INFO]' in line and 'building takes some minutes' in line for line in lines)


def test_a_signal_before_there_is_a_node(start):
    running = start('early')
    assert running.exit_code() == 0, running.output
    assert running.output == ''


@pytest.mark.parametrize('kind', ['converted_loading', 'converted_spinning'])
def test_a_signal_that_a_library_turns_into_its_own_error(start, kind):
    # pybind11 does so with one that comes while it converts an argument, and ROS is still up then.
    running = start(kind)
    assert running.exit_code() == 0, running.output
    for word in ('Traceback', 'failed', 'cast'):
        assert word not in running.output, running.output


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_program_while_it_imports(ros_domain, number):
    # The first line of a verbose import of torch: the handlers are there, PyTorch is not.
    command = [sys.executable, '-v', '-m', 'smoke_ros.ros.start']
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        lines = iter(process.stderr.readline, '')
        assert any("import 'torch." in line for line in lines)
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(TIMEOUT_S) == 0
        assert 'Traceback' not in rest
        assert "import 'smoke_ros.ros.node'" not in rest


def test_a_signal_that_comes_while_an_object_is_cleaned_up_is_not_lost():
    code = """
import os, signal, time
from smoke_ros.ros.signals import StopSignals

class Last:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.1)

try:
    with StopSignals().raising():
        Last()
        time.sleep(60)
except KeyboardInterrupt:
    print('ended')
"""
    command = [sys.executable, '-c', code]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    assert (ended.stdout, ended.stderr) == ('ended\n', '')


def test_signals_end_the_node_while_the_network_is_busy(ros_context, start, spin_until, make):
    running = start('busy', anew=True)
    peer = Node('peer')
    images = peer.create_publisher(Image, 'image', qos_profile_sensor_data)
    infos = peer.create_publisher(CameraInfo, 'camera_info', qos_profile_sensor_data)
    stamps = itertools.count(1)

    def is_busy() -> bool:  # the first frames may come before all have found each other
        stamp = float(next(stamps))
        infos.publish(make.camera_info(stamp))
        images.publish(make.image(stamp))
        return 'busy' in running.output

    try:
        assert spin_until(is_busy, peer, timeout_s=TIMEOUT_S)
        os.kill(running.pid, signal.SIGINT)
        os.kill(running.pid, signal.SIGTERM)  # launchers are not patient
        assert running.exit_code() == 0, running.output
        for word in ('Traceback', 'Error', 'ERROR'):
            assert word not in running.output, running.output
    finally:
        peer.destroy_node()
