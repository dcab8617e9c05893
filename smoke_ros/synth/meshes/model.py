"""What a catalogue lists: one thing that can stand in a street."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from smoke_ros.structures import Vector3
from smoke_ros.synth.scene import Mesh


@dataclass(frozen=True, eq=False)
class Model:
    """One vehicle, person or object: parts that share an object frame (see scene.py)."""

    name: str
    #: KITTI's type name, '' for what is not labelled.
    class_name: str
    meshes: Sequence[Mesh]
    #: Kept for testing: training never sees it.
    held_out: bool = False

    @cached_property
    def dimensions(self) -> Vector3:
        """Length (x), height (z), width (y) of the box around all parts, metres."""
        low = np.min([mesh.positions.min(axis=0) for mesh in self.meshes], axis=0)
        high = np.max([mesh.positions.max(axis=0) for mesh in self.meshes], axis=0)
        length, width, height = (high - low).astype(float).tolist()
        return length, height, width
