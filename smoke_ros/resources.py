"""Where the package's data files are: in a checkout, or under share/ once installed."""

from __future__ import annotations

from pathlib import Path


def resource(relative: str) -> Path:
    """Return the path of a data file such as ``models/registry.yaml``.

    Looks beside the package (a checkout, an editable or a symlinked install), then in
    ``share/smoke_ros`` of every folder above it (colcon, pip).

    Raises
    ------
    FileNotFoundError
        Naming the places that were looked at.
    """
    package = Path(__file__).resolve().parent
    candidates = [package.parent / relative]
    candidates += [parent / 'share' / 'smoke_ros' / relative for parent in package.parents]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    places = ', '.join(str(candidate) for candidate in candidates)
    raise FileNotFoundError(f'no {relative} of smoke_ros; looked for {places}; install it again')
