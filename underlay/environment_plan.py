"""The decisions of set-up: which kind of environment, which steps are due, which versions hold.

Only the standard library, for nothing is installed yet.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

WHEELS = 'wheels'  # no ROS on this machine: rclpy from wheels, stand-ins from underlay/
ROS = 'ros'  # a sourced ROS: its packages are used as they are, and never replaced

# In the order in which they are done; each one builds on those before it.
STEPS = ('environment', 'packages', 'underlay', 'project')

# What the node imports from ROS.
ROS_MODULES = (
    'rclpy',
    'sensor_msgs',
    'geometry_msgs',
    'std_msgs',
    'vision_msgs',
    'visualization_msgs',
    'diagnostic_msgs',
    'lifecycle_msgs',
    'message_filters',
    'cv_bridge',
)

_PYTHON_LISTS = (
    'library.txt', 'engines.txt', 'export.txt', 'training.txt', 'synth.txt', 'dev.txt',
)  # fmt: skip

REQUIREMENT_LISTS = {
    WHEELS: (*_PYTHON_LISTS, 'ros_wheels.txt'),
    ROS: _PYTHON_LISTS,
}

# Changing how set-up goes about it does not make what it made stale.
SETUP_FILES = ('setup_environment.py', 'environment_plan.py', 'environment_steps.py')

# Packages that compiled ROS code shares with Python: two versions in one process crash it.
SHARED_WITH_ROS = {'numpy', 'opencv-python-headless'}


class SetupError(RuntimeError):
    """Set-up cannot go on; the text says what was expected, what was found and what to do."""


@dataclass
class State:
    """What set-up did in an environment: the key of each finished step, and the one under way."""

    finished: dict[str, str] = field(default_factory=dict)
    running: str | None = None

    @staticmethod
    def load(path: Path) -> State | None:
        """Read the state file; None where there is none that can be read."""
        try:
            values = json.loads(path.read_text())
            return State(dict(values['finished']), values['running'])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def save(self, path: Path) -> None:
        """Write the state file in one step, so that a reader sees the old or the new one."""
        scratch = path.with_suffix('.tmp')
        scratch.write_text(json.dumps({'finished': self.finished, 'running': self.running}))
        scratch.replace(path)


def is_ros_prefix(path: str) -> bool:
    """Tell a prefix of a ROS installation or workspace from one of our own environments."""
    return bool(path) and not (Path(path) / 'pyvenv.cfg').exists()


def choose_kind(environ: Mapping[str, str], find_missing: Callable[[], list[str]]) -> str:
    """Return WHEELS, or ROS where one is sourced; find_missing lists the modules ROS lacks.

    Raises SetupError where a ROS is sourced that this Python cannot use in full.
    """
    prefixes = environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    distribution = environ.get('ROS_DISTRO', '')
    if not any(map(is_ros_prefix, prefixes)):
        return WHEELS
    missing = find_missing()
    if 'rclpy' in missing:
        raise SetupError(
            f'expected a Python that imports rclpy, for ROS {distribution or "(unknown)"} is '
            'sourced; this one does not. Name the one ROS was built for, such as '
            '"make setup PYTHON=/usr/bin/python3", or use a shell in which no ROS is sourced'
        )
    if missing:
        packages = ' '.join(
            f'ros-{distribution or "<distribution>"}-{name.replace("_", "-")}' for name in missing
        )
        sourced = f'the sourced ROS {distribution}'.rstrip()
        raise SetupError(
            f'expected {sourced} to have {", ".join(missing)}, found none. '
            f'Install them: "sudo apt install {packages}", or "rosdep install --from-paths ."'
        )
    return ROS


def fingerprint(files: Iterable[Path], *facts: str) -> str:
    """Return a hash of files, by name and content, and of facts."""
    digest = hashlib.sha256()
    for fact in facts:
        digest.update(f'{fact}\0'.encode())
    for path in sorted(files):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f'{path.name}\0{content}\0'.encode())
    return digest.hexdigest()


def step_keys(root: Path, kind: str, python: str) -> dict[str, str]:
    """Return what each step depends on, as a hash: a step with another key has to be done again.

    A Python environment holds absolute paths, so its key has the checkout's own.
    """
    requirements = [root / 'requirements' / name for name in REQUIREMENT_LISTS[kind]]
    underlay = [p for p in (root / 'underlay').rglob('*') if p.suffix in ('.py', '.msg', '.xml')]
    project = [root / name for name in ('setup.py', 'setup.cfg', 'smoke_ros/__init__.py')]
    underlay = [path for path in underlay if path.name not in SETUP_FILES]
    return {
        'environment': fingerprint([], kind, python, str(root)),
        'packages': fingerprint([*requirements, root / 'requirements/constraints.txt'], kind),
        'underlay': fingerprint(underlay, kind),
        'project': fingerprint(project),
    }


def first_due(state: State, keys: Mapping[str, str]) -> str | None:
    """Return the first step that is due, or None where all are done.

    Half an installation cannot be told from a whole one by looking at it, so an interruption in
    'packages' starts over; the other steps can simply be done again.
    """
    if state.running in ('environment', 'packages'):
        return 'environment'
    for step in STEPS:
        if step == state.running or state.finished.get(step) != keys[step]:
            return step
    return None


def spare_the_system(constraints: Iterable[str], system: Mapping[str, str]) -> list[str]:
    """Return constraints under which pip takes what a ROS machine has, and replaces none of it.

    A package that the system has may be as old as it is; one too old for something else, or that
    the system lacks, gets the pinned version, in the environment only. What compiled ROS code
    shares is held where it is, and what would need a newer one of it may be older than its pin.

    Args:
        constraints: the lines of constraints.txt.
        system: version by normalised name of every package the system's Python sees.

    """
    spared = []
    for line in constraints:
        match = re.match(r'([A-Za-z0-9][\w.-]*)==([^\s;]+)(.*)', line)
        if match is None:
            continue
        name, pinned, marker = normalise(match.group(1)), match.group(2), match.group(3)
        there = system.get(name)
        if there is None or (name not in SHARED_WITH_ROS and is_older(there, pinned)):
            spared.append(f'{name}<={pinned}{marker}')
    held = sorted(SHARED_WITH_ROS & set(system))
    return [*spared, *(f'{name}=={system[name]}' for name in held)]


def is_older(version: str, other: str) -> bool:
    """Compare the numbers of two versions, which is enough to choose a constraint."""
    first, second = ([int(n) for n in re.findall(r'\d+', v)] for v in (version, other))
    return first < second


def normalise(name: str) -> str:
    """Return a package's name in the one spelling that package tools compare."""
    return re.sub(r'[-_.]+', '-', name).lower()
