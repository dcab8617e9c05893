"""Files that engines make once and find again: ``engines/`` in the cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch import nn

from smoke_ros.engines.errors import EngineUnavailableError
from smoke_ros.files import check_target
from smoke_ros.models import cache_folder


def engine_file(name: str, facts: Mapping[str, object]) -> Path:
    """Return where the file of an engine lies, or will lie.

    Parameters
    ----------
    name
        Of the file; its suffix stays.
    facts
        All that decides what is in it: weights, options, versions, and the machine where it is for
        one only. Where any of it changes, the file is another one.
    """
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()
    path = Path(name)
    return cache_folder() / 'engines' / f'{path.stem}_{digest[:20]}{path.suffix}'


@contextlib.contextmanager
def kept_at(path: Path) -> Iterator[None]:
    """Make a file of the cache in the block; an engine that cannot keep its own cannot run.

    Raises
    ------
    EngineUnavailableError
        If it cannot be written, before anything is done where that is known.
    """
    try:
        check_target(path)
        yield
    except OSError as error:
        raise EngineUnavailableError(
            f'its file cannot be kept ({error}): set SMOKE_ROS_CACHE to a folder that can be '
            'written to'
        ) from error


def weights_digest(network: nn.Module) -> str:
    """Return the SHA-256 of all weights and their names."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f'{name} {tuple(value.shape)} {value.dtype}'.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
