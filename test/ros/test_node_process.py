import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from smoke_ros.ros.node_process import NodeProcess


def test_a_node_that_ends_is_reported_with_its_last_words(tmp_path):
    node = [sys.executable, '-c', 'print("no such device"); raise SystemExit(3)']
    deadline = time.monotonic() + 30.0
    with (
        pytest.raises(RuntimeError, match=r'ended with exit code 3; .*log:\n  no such device$'),
        NodeProcess(node, {}, {}, tmp_path / 'log') as process,
    ):
        while time.monotonic() < deadline:
            process.check()
            time.sleep(0.02)


def test_told_to_terminate_it_takes_the_node_along(tmp_path):
    program = (
        'import sys, time; from pathlib import Path\n'
        'from smoke_ros.ros.node_process import NodeProcess\n'
        'node = [sys.executable, "-c", "import time; time.sleep(60.0)"]\n'
        'try:\n'
        '    with NodeProcess(node, {}, {}, Path(sys.argv[1])) as process:\n'
        '        print(process.pid, flush=True)\n'
        '        time.sleep(60.0)\n'
        'except KeyboardInterrupt:\n'
        '    sys.exit(130)\n'
    )
    command = [sys.executable, '-c', program, str(tmp_path / 'log')]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        node = int(running.stdout.readline())
        try:
            running.send_signal(signal.SIGTERM)
            assert running.wait(60.0) == 130
            assert not psutil.pid_exists(node)
        finally:
            running.kill()
            if psutil.pid_exists(node):
                os.kill(node, signal.SIGKILL)


def test_what_it_made_of_a_signal_ends_with_it(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    with NodeProcess([sys.executable, '-c', ''], {}, {}, tmp_path / 'log'):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
