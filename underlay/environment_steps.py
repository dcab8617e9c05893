"""Carry out set-up: the steps that environment_plan.py finds due, one set-up at a time.

Only the standard library, for nothing is installed yet.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import environment_plan as plan
from environment_plan import SetupError, State

ROOT = Path(__file__).resolve().parent.parent
STATE_FILE = 'smoke_ros_setup.json'
LOG_FILE = 'smoke_ros_setup.log'
# Of two versions the one that is imported comes first: ROS's, before the interpreter's own.
LIST_PACKAGES = """
import importlib.metadata, json
found = {}
for package in importlib.metadata.distributions():
    found.setdefault(package.metadata['Name'], package.version)
print(json.dumps({name: version for name, version in found.items() if name}))
"""
FIND_MODULES = """
import importlib.util
print(*(name for name in names if importlib.util.find_spec(name) is None))
"""
WHAT_A_STEP_DOES = {
    'environment': 'an empty environment',
    'packages': 'packages (minutes, most of them for torch)',
    'underlay': 'the ROS side (half a minute where vision_msgs is compiled)',
    'project': 'this project',
}


class Progress:
    """Shows what a long command said last: one changing line on a terminal, else now and then."""

    def __init__(self, every_s: float = 20.0) -> None:
        self.is_terminal = sys.stdout.isatty()
        self.every_s = every_s
        self.shown_at = time.monotonic()

    def show(self, line: str) -> None:
        """Show a line, shortened to the terminal's width."""
        now = time.monotonic()
        width = shutil.get_terminal_size().columns - 1
        if self.is_terminal:
            print(f'\r\x1b[K{line[:width]}', end='', flush=True)
        elif now - self.shown_at >= self.every_s:
            print(f'  ... {line[:120]}', flush=True)
            self.shown_at = now

    def clear(self) -> None:
        """Leave the terminal's line empty for what comes next."""
        if self.is_terminal:
            print('\r\x1b[K', end='', flush=True)


@dataclass(frozen=True)
class Environment:
    """A checkout's Python environment, and the steps that make it, one method each."""

    folder: Path
    kind: str
    lock: int  # a file descriptor that every child inherits, so that none outlives the lock

    @property
    def python(self) -> Path:
        """Return the environment's interpreter."""
        return self.folder / 'bin' / 'python'

    @property
    def site_packages(self) -> Path:
        """Return the environment's folder of Python packages."""
        version = f'python{sys.version_info.major}.{sys.version_info.minor}'
        return self.folder / 'lib' / version / 'site-packages'

    def make_environment(self) -> None:
        """Create an empty environment with the pinned pip."""
        options = ['--system-site-packages'] if self.kind == plan.ROS else []
        self.run([str(base_python()), '-m', 'venv', *options, str(self.folder)])
        self.install('--upgrade', 'pip')

    def make_packages(self) -> None:
        """Install what the requirement lists name."""
        lists = plan.REQUIREMENT_LISTS[self.kind]
        files = [word for name in lists for word in ('-r', f'requirements/{name}')]
        # What builds a package that comes as source has its version from the same place.
        self.install('--build-constraint', 'requirements/constraints.txt', *files)

    def make_underlay(self) -> None:
        """Make ROS tools find this environment, and without a ROS add what the wheels lack."""
        underlay = ROOT / 'underlay'
        shutil.copy2(underlay / 'ros_prefix.py', self.site_packages / '_ros_prefix.py')
        # Python reads .pth files in the order of their names: '_' comes before the wheels' own.
        (self.site_packages / '_ros_prefix.pth').write_text('import _ros_prefix\n')
        if self.kind == plan.ROS:
            return
        source = underlay / 'message_filters'
        target = self.site_packages / 'message_filters'
        target.mkdir(exist_ok=True)
        shutil.copy2(source / 'message_filters' / '__init__.py', target)
        self.register('message_filters', source, ['package.xml'])
        self.run([str(self.python), 'underlay/build_messages.py', 'underlay/vision_msgs'])

    def make_project(self) -> None:
        """Install this checkout in place, and show its files to the ament index."""
        self.pip('install', '--no-deps', '--no-build-isolation', '--editable', str(ROOT))
        self.register('smoke_ros', ROOT, ['package.xml', 'launch', 'config', 'models'])

    def install(self, *what: str) -> None:
        """Install in the versions of constraints.txt; beside a ROS, replacing none of its own."""
        constraints = ROOT / 'requirements/constraints.txt'
        if self.kind == plan.ROS:
            lines = plan.spare_the_system(constraints.read_text().splitlines(), system_packages())
            constraints = self.folder / 'constraints_beside_ros.txt'
            constraints.write_text('\n'.join(lines) + '\n')
        self.pip('install', '--constraint', str(constraints), *what)

    def pip(self, command: str, *arguments: str) -> None:
        """Run the environment's pip, which asks nothing and draws nothing."""
        options = ['--no-input', '--disable-pip-version-check', '--progress-bar', 'off']
        self.run([str(self.python), '-m', 'pip', command, *options, *arguments])

    def register(self, package: str, source: Path, names: Sequence[str]) -> None:
        """Link a package's files into share/, and name it in the ament index."""
        share = self.folder / 'share' / package
        index = self.folder / 'share/ament_index/resource_index/packages'
        share.mkdir(parents=True, exist_ok=True)
        index.mkdir(parents=True, exist_ok=True)
        for name in names:
            (share / name).unlink(missing_ok=True)
            (share / name).symlink_to(source / name)
        (index / package).touch()

    def run(self, command: Sequence[str]) -> None:
        """Run a command in the checkout: all of its output in the log, the last line shown.

        Raises SetupError with the end of the output where the command fails.
        """
        progress = Progress()
        words: list[str] = []
        with (self.folder / LOG_FILE).open('a') as log:
            print(f'$ {shlex.join(command)}', file=log, flush=True)
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors='replace',
                cwd=ROOT,
                env=clean_environ(),
                pass_fds=[self.lock],
            )
            try:
                for line in process.stdout or ():
                    log.write(line)
                    words.append(line.rstrip())
                    if not line.startswith('WARNING'):
                        progress.show(words[-1])
            except BaseException:
                process.terminate()
                raise
        status = process.wait()
        progress.clear()
        if status != 0:
            end = '\n    '.join(words[-25:])
            raise SetupError(
                f'expected "{shlex.join(command)}" to succeed, got exit status {status}. '
                f'The end of what it said:\n    {end}\n  The rest is in {self.folder / LOG_FILE}'
            )


def base_python() -> Path:
    """Return the interpreter that environments are made from, also when run inside of one."""
    return Path(getattr(sys, '_base_executable', sys.executable))


def clean_environ() -> dict[str, str]:
    """Return the environment variables without what another of our environments put there."""
    environ = dict(os.environ)
    for name in ('AMENT_PREFIX_PATH', 'LD_LIBRARY_PATH'):
        parts = environ.pop(name, '').split(os.pathsep)
        kept = [part for part in parts if part and not is_in_environment(Path(part))]
        if kept:
            environ[name] = os.pathsep.join(kept)
    for name in ('_ROS_WHEELS_BOOTSTRAP_COMPLETE', 'PYTHONHOME', 'VIRTUAL_ENV'):
        environ.pop(name, None)
    return environ


def is_in_environment(path: Path) -> bool:
    """Tell whether a path lies in a Python environment."""
    return any((folder / 'pyvenv.cfg').exists() for folder in (path, *path.parents))


def ask_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in the base interpreter, outside of this checkout."""
    return subprocess.run(
        [str(base_python()), '-c', code],
        capture_output=True,
        text=True,
        check=False,
        cwd='/',
        env=clean_environ(),
    )


def find_missing_ros_modules() -> list[str]:
    """Return which of the modules that the node needs the base interpreter does not have."""
    answer = ask_python(f'import rclpy\nnames = {plan.ROS_MODULES!r}\n{FIND_MODULES}')
    return answer.stdout.split() if answer.returncode == 0 else list(plan.ROS_MODULES)


def system_packages() -> dict[str, str]:
    """Return the version of every package that the base interpreter sees, by normalised name."""
    found = json.loads(ask_python(LIST_PACKAGES).stdout)
    return {plan.normalise(name): version for name, version in found.items()}


def check_machine(kind: str) -> None:
    """Raise SetupError where something is missing that no step could bring."""
    version = '.'.join(map(str, sys.version_info[:2]))
    if subprocess.run([base_python(), '-c', 'import ensurepip, venv'], check=False).returncode:
        raise SetupError(
            f'expected the modules venv and ensurepip in {base_python()}, found not both. '
            f'On Debian and Ubuntu: "sudo apt install python{version}-venv"'
        )
    if kind == plan.ROS:
        return
    if (sys.platform, platform.machine()) != ('linux', 'x86_64'):
        raise SetupError(
            'expected Linux on x86-64, for which there are ROS wheels, got '
            f'{sys.platform} on {platform.machine()}. Install ROS 2 and source it before "make"'
        )
    if sys.version_info >= (3, 14):
        raise SetupError(
            'expected Python 3.10 to 3.13, which all pinned packages have wheels for, got '
            f'{version}. Name another one: "make setup PYTHON=/path/to/python3"'
        )
    check_compilers(version)


def check_compilers(python_version: str) -> None:
    """Raise SetupError where vision_msgs could not be compiled."""
    for variable, default in (('CC', 'cc'), ('CXX', 'c++')):
        name = shlex.split(os.environ.get(variable, default))[0]
        if shutil.which(name) is None:
            raise SetupError(
                f'expected a compiler named {name} (variable {variable}), found none on PATH. '
                'On Debian and Ubuntu: "sudo apt install build-essential"'
            )
    header = Path(sysconfig.get_path('include')) / 'Python.h'
    if not header.exists():
        raise SetupError(
            f'expected the header {header}, found none. '
            f'On Debian and Ubuntu: "sudo apt install python{python_version}-dev"'
        )


@contextmanager
def only_one_setup(root: Path) -> Iterator[int]:
    """Hold a lock on a checkout; yield its file descriptor. Waits while another one holds it."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print('set-up: another one is at work in this checkout, waiting for it', flush=True)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def start_anew(folder: Path) -> None:
    """Remove an environment that set-up made, and begin an empty one that is known as its own."""
    mark = folder / STATE_FILE
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise SetupError(
            f'expected {folder} to be absent or made by this set-up, found a folder without '
            f'{STATE_FILE}. Remove it, or name another one: "make setup VENV=/path/to/folder"'
        )
    if folder.exists():
        for path in folder.iterdir():
            if path != mark:  # last, so that an interruption leaves the folder known as our own
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    State(running='environment').save(mark)


def set_up(folder: Path, kind: str, lock: int) -> Sequence[str]:
    """Do the steps that are due and return their names."""
    python = f'{sys.version} at {base_python().resolve()}'
    keys = plan.step_keys(ROOT, kind, python)
    state = State.load(folder / STATE_FILE) or State(running='environment')
    due = plan.first_due(state, keys)
    if not (folder / 'bin' / 'python').exists():
        due = 'environment'
    if due is None:
        return []
    check_machine(kind)
    environment = Environment(folder, kind, lock)
    if due == 'environment':
        start_anew(folder)
        state = State()
    steps = plan.STEPS[plan.STEPS.index(due) :]
    for number, step in enumerate(steps, start=1):
        print(f'set-up {number}/{len(steps)}: {WHAT_A_STEP_DOES[step]}', flush=True)
        for later in steps[number - 1 :]:
            state.finished.pop(later, None)
        state.running = step
        state.save(folder / STATE_FILE)
        getattr(environment, f'make_{step}')()
        state.finished[step] = keys[step]
        state.running = None
        state.save(folder / STATE_FILE)
    return steps


def main() -> int:
    """Set up this checkout's environment; return the exit status."""
    parser = argparse.ArgumentParser(description='Set up the Python environment of this checkout.')
    parser.add_argument('--venv', type=Path, default=ROOT / '.venv', help='default: .venv')
    folder = parser.parse_args().venv.absolute()
    started = time.monotonic()
    try:
        kind = plan.choose_kind(clean_environ(), find_missing_ros_modules)
        with only_one_setup(ROOT) as lock:
            steps = set_up(folder, kind, lock)
    except (SetupError, OSError) as error:
        print(f'set-up failed: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\nset-up interrupted; the next "make" goes on', file=sys.stderr)
        return 130
    if steps:
        source = 'the sourced ROS' if kind == plan.ROS else 'ROS 2 Jazzy from wheels'
        print(f'set-up done in {time.monotonic() - started:.0f} s: {folder}, with {source}')
    return 0
