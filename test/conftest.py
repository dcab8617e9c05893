"""What every test may use: seeds, the shared data, and real rclpy kept to itself.

Tests that talk over DDS take `ros_domain` (for processes that they start) or `ros_context` (for
nodes of their own): each gets a ROS_DOMAIN_ID that no other test on the machine has, and DDS stays
on the local host.
"""

import contextlib
import importlib.util
import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Counts how often this process has claimed one.
CLAIMS = itertools.count()


def pytest_configure() -> None:
    """Let SIGINT work in processes that tests start, also where the whole run ignores it.

    A run in the background of a shell is started with SIGINT ignored, and hands that on.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine lacks the device or the ROS packages for, saying so."""
    reasons = {'gpu': why_no_gpu, 'ros_install': why_no_ros_install}
    for marker, find_reason in reasons.items():
        marked = [item for item in items if item.get_closest_marker(marker)]
        reason = find_reason() if marked else ''
        if reason:
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=reason))


def why_no_gpu() -> str:
    """Return why tests marked gpu cannot run here, or an empty string."""
    import torch

    return '' if torch.cuda.is_available() else 'needs a CUDA device, torch finds none'


def why_no_ros_install() -> str:
    """Return why tests marked ros_install cannot run here, or an empty string."""
    # A folder without __init__.py, such as this project's launch/, has no origin.
    found = {name: importlib.util.find_spec(name) for name in ('launch', 'launch_ros')}
    missing = [name for name, spec in found.items() if spec is None or spec.origin is None]
    return f'needs a ROS installation: no Python package {", ".join(missing)}' if missing else ''


@pytest.fixture(autouse=True)
def _seed() -> None:
    """Start each test from the same random numbers."""
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002, for code under test that uses the old interface
    if 'torch' in sys.modules:
        sys.modules['torch'].manual_seed(0)


@pytest.fixture(scope='session')
def shared_dir() -> Path:
    """Return the folder with the data shared between checkouts, or skip the test.

    It lies beside the checkout; SMOKE_ROS_SHARED names another place.
    """
    folder = Path(os.environ.get('SMOKE_ROS_SHARED', ROOT.parent / 'shared'))
    if not (folder / 'reference').is_dir():
        pytest.skip(f'needs the shared data: no folder {folder / "reference"}')
    return folder


@contextlib.contextmanager
def claim_domain() -> Iterator[int]:
    """Hold a ROS_DOMAIN_ID that no other test process on this machine holds."""
    from smoke_ros.ros.node_process import DOMAINS
    from smoke_ros.ros.node_process import claim_domain as claim

    # Another start for each claim, so that a domain rests before it is used again: others see a
    # process that was killed until its lease is over.
    first = (os.getpid() + next(CLAIMS)) % len(DOMAINS)
    domain, held = claim([*DOMAINS[first:], *DOMAINS[:first]])
    with held:
        yield domain


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[int]:
    """Give the test, and processes that it starts, a ROS_DOMAIN_ID of their own on this host."""
    with claim_domain() as domain:
        monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
        if os.environ.get('ROS_DISTRO') == 'humble':
            monkeypatch.setenv('ROS_LOCALHOST_ONLY', '1')
        else:
            monkeypatch.delenv('ROS_LOCALHOST_ONLY', raising=False)
            monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
        monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'ros_log'))
        yield domain


@pytest.fixture
def ros_context(ros_domain: int):
    """Yield rclpy's default context, initialised in the test's own domain; shut it down after."""
    rclpy = pytest.importorskip('rclpy')
    from rclpy.signals import SignalHandlerOptions

    # Signals stay pytest's: Ctrl-C has to end the run.
    rclpy.init(domain_id=ros_domain, signal_handler_options=SignalHandlerOptions.NO)
    yield rclpy.get_default_context()
    rclpy.try_shutdown()


@pytest.fixture
def spin_until(ros_context) -> Callable[..., bool]:
    """Return spin(condition, *nodes, timeout_s=10): spin nodes until condition() holds, or not."""
    from rclpy.executors import SingleThreadedExecutor

    def spin(condition: Callable[[], bool], *nodes, timeout_s: float = 10.0) -> bool:
        executor = SingleThreadedExecutor(context=ros_context)
        for node in nodes:
            executor.add_node(node)
        deadline = time.monotonic() + timeout_s
        try:
            while not condition():
                if time.monotonic() > deadline:
                    return False
                executor.spin_once(timeout_sec=0.05)
            return True
        finally:
            for node in nodes:
                executor.remove_node(node)
            executor.shutdown()

    return spin
