"""The node's main with a stand-in for the detector: python fake_node.py KIND --ros-args ..."""

import logging
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


class DyingDetector(FakeDetector):
    """Takes the node along with the first frame, as a network that finds no memory may."""

    def detect_timed(self, *args, **named):
        print('dying', file=sys.stderr, flush=True)
        os._exit(9)


def load_slowly(*_, **__):
    """Load until interrupted."""
    print('loading', file=sys.stderr, flush=True)
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        time.sleep(0.01)
    return FakeDetector()


def load_tellingly(*_, **__):
    """Say what the library says where an engine has to be built first."""
    logging.getLogger('smoke_ros.engines.some_engine').info('building takes some minutes')
    return FakeDetector()


def interrupt_the_executor() -> None:
    """Let SIGINT come while an executor is made."""
    whole = executors.SignalHandlerGuardCondition

    def interrupted(context):
        os.kill(os.getpid(), signal.SIGINT)
        return whole(context)

    executors.SignalHandlerGuardCondition = interrupted


def convert_the_interrupt(function):
    """Let SIGINT come while a function runs, as pybind11 answers it: with a RuntimeError."""

    def converted(*_, **__):
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(60.0)
        except KeyboardInterrupt as error:
            raise RuntimeError('Unable to cast Python instance') from error

    converted.__name__ = function.__name__
    return converted


LOADERS = {
    'real': Detector.from_model,
    'fake': lambda *_, **__: FakeDetector(),
    'busy': lambda *_, **__: BusyDetector(),
    'dying': lambda *_, **__: DyingDetector(),
    'slow': load_slowly,
    'telling': load_tellingly,
    'early': load_slowly,
    'converted_loading': convert_the_interrupt(load_slowly),
    'converted_spinning': lambda *_, **__: FakeDetector(),
}


def run(kind: str, arguments: list[str]) -> None:
    """Run until told to stop, and exit."""
    if kind == 'early':
        interrupt_the_executor()
    if kind == 'converted_spinning':
        executor = executors.SingleThreadedExecutor
        executor.spin_once = convert_the_interrupt(executor.spin_once)
    sys.exit(main(['smoke_node', '--ros-args', *arguments], LOADERS[kind]))


if __name__ == '__main__':
    run(sys.argv[1], sys.argv[2:])
