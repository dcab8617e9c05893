"""The weights of a named seed that the reference outputs were made with.

The recipe is that of the reference's README: a tensor's values follow from its name, its shape
and the seed.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import torch

#: The key in a checkpoint of each family under which the tensors lie.
STATE_KEYS = {'official': 'model', 'mmdet3d': 'state_dict'}


def seeded_state(reference: Path, family: str, seed: int = 1) -> dict[str, torch.Tensor]:
    """Return a family's tensors by their names in that family's files."""
    shapes = json.loads((reference / f'{family}_seed1_keys.json').read_text())
    return {name: _seeded_tensor(name, shape, seed) for name, shape in shapes.items()}


def save_checkpoint_of(reference: Path, family: str, path: Path, seed: int = 1) -> Path:
    """Write the seeded tensors as a checkpoint file of the family."""
    torch.save({STATE_KEYS[family]: seeded_state(reference, family, seed)}, path)
    return path


def _seeded_tensor(name: str, shape: list[int], seed: int) -> torch.Tensor:
    rng = np.random.default_rng(zlib.crc32(name.encode()) + seed)
    values = rng.standard_normal(shape).astype(np.float32)
    if len(shape) >= 2:
        values /= np.float32(np.sqrt(np.prod(shape[1:])))
        if 'conv_offset' in name:
            values *= np.float32(0.3)
    elif name.endswith('.bias'):
        values *= np.float32(0.1)
        if name.endswith(('class_head.3.bias', 'conv_cls.bias')):
            values -= np.float32(1.5)
    else:
        values = 1 + np.float32(0.1) * values
    return torch.from_numpy(values)
