from types import SimpleNamespace

import pytest

pytest.importorskip('rclpy')

from smoke_ros.ros import throttled_log
from smoke_ros.ros.throttled_log import ThrottledLog


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(s=100.0)
    monkeypatch.setattr(throttled_log.time, 'monotonic', lambda: now.s)
    return now


def test_every_kind_has_its_own_clock(clock):
    lines = []
    log = ThrottledLog(SimpleNamespace(warning=lines.append, error=lines.append), 5.0)
    for _ in range(3):
        log.warning('size', 'wrong size')
        log.error('step', 'wrong step')
    clock.s += 4.9
    log.warning('size', 'wrong size')
    assert lines == ['wrong size', 'wrong step']
    clock.s += 0.2
    log.warning('size', 'still wrong')
    assert lines[2:] == ['still wrong (3 more of this kind since the last time)']
