"""The node as a process of its own, kept off the network."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, TypeAlias

from smoke_ros.config.node import NODE_NAME
from smoke_ros.resources import resource

#: The node, by the interpreter that runs this.
SMOKE_NODE = (sys.executable, '-m', 'smoke_ros.ros.start')

#: The node's output, beside what else comes of a run.
LOG_FILE = f'{NODE_NAME}.log'

#: A model may be downloaded at the start; a frame may take seconds.
START_LIMIT_S, FINISH_LIMIT_S = 900.0, 60.0
STOP_LIMIT_S = 15.0
#: ROS domains: 0 is everybody's, and above 101 the ports of DDS meet those that Linux hands out.
DOMAINS = range(1, 102)

#: Between two looks at what is waited for.
POLL_S = 0.05
#: How much of the node's output an error shows.
TAIL_LINES = 8

#: As signal.signal takes and returns it; None where there is none of Python's.
_SignalHandler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None


class NodeProcess:
    """Runs the node for as long as a ``with`` block.

    In the block SIGTERM is a KeyboardInterrupt: it would end this program alone, and the node
    would run on.

    Parameters
    ----------
    command
        What starts it; see :data:`SMOKE_NODE`.
    parameters
        Names and values.
    remappings
        Names of topics to the names they get.
    log
        File for its output.
    """

    def __init__(
        self,
        command: Sequence[str],
        parameters: Mapping[str, Any],
        remappings: Mapping[str, str],
        log: Path,
    ) -> None:
        self._arguments = [*command, '--ros-args']
        for name, value in parameters.items():
            # It is read as YAML: in quotes, a string stays one.
            # Of this node by name, or a file's that names it would count before it.
            self._arguments += ['-p', f'{NODE_NAME}:{name}:={value!r}']
        for name, topic in remappings.items():
            self._arguments += ['-r', f'{name}:={topic}']
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._sigterm_before: _SignalHandler = None

    def __enter__(self) -> NodeProcess:
        with self._log.open('wb') as log:
            # In a session of its own, a Ctrl-C meant for this program does not reach it first.
            self._process = subprocess.Popen(
                self._arguments, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._sigterm_before = _handle_sigterm(_interrupt)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        _handle_sigterm(signal.SIG_IGN)  # a second one must not cut this short
        try:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGINT)
            self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            _handle_sigterm(self._sigterm_before)

    @property
    def pid(self) -> int:
        """The node's process."""
        assert self._process is not None
        return self._process.pid

    def check(self) -> None:
        """Raise a RuntimeError, with the end of its output, if the node has ended."""
        assert self._process is not None
        code = self._process.poll()
        if code is not None:
            lines = self._log.read_text(errors='replace').splitlines()[-TAIL_LINES:]
            raise RuntimeError(
                f'the node has ended with exit code {code}; the end of its output, {self._log}:'
                + ''.join(f'\n  {line}' for line in lines)
            )

    def wait_until_ready(self, is_ready: Callable[[], bool], check: Callable[[], None]) -> None:
        """Wait until the node has started; as :meth:`wait_for`, and RuntimeError if it has not."""
        if not self.wait_for(is_ready, START_LIMIT_S, check):
            raise RuntimeError(
                f'the node did not become ready in {START_LIMIT_S:.0f} s; see {self._log}'
            )

    def wait_for(
        self, condition: Callable[[], bool], limit_s: float, check: Callable[[], None]
    ) -> bool:
        """Wait until a condition holds or the time is up; return whether it holds.

        Raises a RuntimeError if the node ends meanwhile, and what ``check`` raises, which is asked
        in turn.
        """
        deadline = time.monotonic() + limit_s
        while not condition() and time.monotonic() < deadline:
            self.check()
            check()
            time.sleep(POLL_S)
        return condition()


def _handle_sigterm(handler: _SignalHandler) -> _SignalHandler:
    """Install a handler, if there is one, and return that before; in the main thread alone."""
    if handler is None or threading.current_thread() is not threading.main_thread():
        return None
    return signal.signal(signal.SIGTERM, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def claim_domain(domains: Iterable[int]) -> tuple[int, socket.socket]:
    """Claim a ROS domain that no other process of this kind on the machine has.

    Process IDs do not tell: in containers that share the host's network they are often the same.

    Returns
    -------
    The first of ``domains`` that is free, and what holds it until it is closed.

    Raises
    ------
    RuntimeError
        If none is.
    """
    for domain in domains:
        claim = socket.socket(socket.AF_UNIX)
        try:
            # An abstract name: of this network alone, as DDS is, and gone with the process.
            claim.bind(f'\0smoke_ros_domain_{domain}')
        except OSError:
            claim.close()
            continue
        return domain, claim
    raise RuntimeError('every ROS domain from 1 to 101 is taken by another replay or demo here')


#: Of this process, for as long as it runs.
_claims: list[socket.socket] = []


def isolate() -> None:
    """Keep this process, and those it starts, to a ROS domain of their own on this machine.

    To be called before anything of ROS is loaded. Images go through shared memory that has room
    for them, so that none is lost before it reaches the node.
    """
    if not _claims:
        # That of the shell may be a vehicle's.
        others = [domain for domain in DOMAINS if str(domain) != os.environ.get('ROS_DOMAIN_ID')]
        domain, claim = claim_domain(random.SystemRandom().sample(others, len(others)))
        _claims.append(claim)
        os.environ['ROS_DOMAIN_ID'] = str(domain)
    if os.environ.get('ROS_DISTRO') == 'humble':
        os.environ['ROS_LOCALHOST_ONLY'] = '1'
    else:
        # The older variable would win.
        os.environ.pop('ROS_LOCALHOST_ONLY', None)
        os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    profiles = str(resource('config/fastdds.xml'))
    for variable in ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'):
        os.environ.setdefault(variable, profiles)
