"""The node's main with a stand-in for the detector: python fake_node.py KIND --ros-args ..."""

import os
import signal
import sys
import time

from fake_detector import FakeDetector
from rclpy import executors

from smoke_ros.detector import Detector
from smoke_ros.ros.node import main


class BusyDetector(FakeDetector):
    """Says that it has a frame, and is busy with it for a while."""

    def detect_timed(self, *args, **named):
        print('busy', file=sys.stderr, flush=True)
        time.sleep(0.5)
        return super().detect_timed(*args, **named)


def load_slowly(*_, **__):
    """Load until interrupted."""
    print('loading', file=sys.stderr, flush=True)
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        time.sleep(0.01)
    return FakeDetector()


def interrupt_the_executor() -> None:
    """Let SIGINT come while an executor is made."""
    whole = executors.SignalHandlerGuardCondition

    def interrupted(context):
        os.kill(os.getpid(), signal.SIGINT)
        return whole(context)

    executors.SignalHandlerGuardCondition = interrupted


LOADERS = {
    'real': Detector.from_model,
    'fake': lambda *_, **__: FakeDetector(),
    'busy': lambda *_, **__: BusyDetector(),
    'slow': load_slowly,
    'early': load_slowly,
}


def run(kind: str, arguments: list[str]) -> None:
    """Run until told to stop, and exit."""
    if kind == 'early':
        interrupt_the_executor()
    sys.exit(main(['smoke_node', '--ros-args', *arguments], LOADERS[kind]))


if __name__ == '__main__':
    run(sys.argv[1], sys.argv[2:])
