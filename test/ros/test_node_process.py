import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from smoke_ros.ros.node_process import DOMAINS, NodeProcess, claim_domain


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


def test_a_domain_is_claimed_once_and_free_again_afterwards():
    first, held = claim_domain(DOMAINS)
    with held:
        second, other = claim_domain(DOMAINS)
        other.close()
        assert second != first
        with pytest.raises(RuntimeError, match='every ROS domain'):
            claim_domain([first])
    again, held = claim_domain([first])
    held.close()
    assert again == first


def test_a_replay_stays_out_of_the_shells_domain_and_of_other_replays(monkeypatch):
    program = (
        'import os, sys; from smoke_ros.ros.node_process import isolate\n'
        'isolate(); first = os.environ["ROS_DOMAIN_ID"]\n'
        'isolate(); assert os.environ["ROS_DOMAIN_ID"] == first\n'
        'print(first, flush=True); sys.stdin.read()\n'
    )
    monkeypatch.setenv('ROS_DOMAIN_ID', '7')
    command = [sys.executable, '-c', program]
    pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE, 'text': True}
    running = [subprocess.Popen(command, **pipes) for _ in range(4)]
    try:
        domains = [int(process.stdout.readline()) for process in running]
    finally:
        for process in running:
            process.communicate()
    assert len({7, *domains}) == 5 and set(domains) <= set(DOMAINS)
