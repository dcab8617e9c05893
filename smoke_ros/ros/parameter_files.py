"""YAML files of ROS parameters: which of their sections are a node's.

Launch files use it too, so it imports nothing of ROS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smoke_ros.config.options import read_yaml


def read_parameters(path: Path, node: str) -> dict[str, Any]:
    """Read what a file says of a node; of several sections the last one counts, as in ROS.

    Parameters
    ----------
    path
        Its sections are named after nodes, where namespaces may be levels; ``*`` stands for one
        word of a name, ``**`` for any number.
    node
        Its full name, such as '/front/smoke_node'.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not YAML, or has no section for the node: ROS passes over those of other nodes
        without a word.
    """
    sections = list(_sections(read_yaml(path)))
    found = [parameters for name, parameters in sections if _is_of_node(name, node)]
    if not found:
        names = ', '.join(name for name, _ in sections)
        raise ValueError(
            f'{path}: expected parameters of {node}, or of /** for every node, got '
            + (f'those of {names}' if names else 'none')
        )
    return {name: value for parameters in found for name, value in parameters.items()}


def _sections(content: Any, above: str = '') -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the names of nodes, and their parameters."""
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        name = f'{above}/{str(key).strip("/")}'
        if isinstance(value, Mapping) and 'ros__parameters' in value:
            yield name, value['ros__parameters'] or {}
        else:
            yield from _sections(value, name)


def _is_of_node(name: str, node: str) -> bool:
    pattern = re.escape(name).replace(r'/\*\*', r'(/\w+)*').replace(r'/\*', r'/\w+')
    return re.fullmatch(pattern, node) is not None
