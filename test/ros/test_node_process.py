import sys
import time

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
