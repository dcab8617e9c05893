"""Boxes in place of a catalogue's meshes: small, and exactly as large as their labels say."""

from dataclasses import dataclass, field

import numpy as np

from smoke_ros.structures import Vector3
from smoke_ros.synth.ground import Quads
from smoke_ros.synth.scene import Mesh

FACES = [[4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]]


@dataclass
class BoxModel:
    name: str
    class_name: str
    dimensions: Vector3
    held_out: bool = False
    meshes: list[Mesh] = field(default_factory=list)
    base: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        length, height, width = self.dimensions
        x, y = length / 2, width / 2
        self.base = self.base or (0.0, 0.0, length, width)
        low = [[-x, -y, 0.0], [x, -y, 0.0], [x, y, 0.0], [-x, y, 0.0]]
        corners = np.array(low + [[a, b, height] for a, b, _ in low])[np.array(FACES)]
        self.meshes = [Quads(corners, np.ones_like(corners)).mesh(self.name)]


@dataclass
class BoxCatalogue:
    vehicles: list[BoxModel] = field(
        default_factory=lambda: [
            BoxModel('car', 'Car', (4.0, 1.5, 1.6)),
            BoxModel('test car', 'Car', (4.5, 1.4, 1.7), held_out=True),
            BoxModel('van', 'Van', (5.0, 2.1, 1.9)),
            BoxModel('truck', 'Truck', (9.0, 3.3, 2.5)),
        ]
    )
    people: list[BoxModel] = field(
        default_factory=lambda: [BoxModel('person', 'Pedestrian', (0.8, 1.75, 0.6))]
    )
    cyclists: list[BoxModel] = field(
        default_factory=lambda: [BoxModel('rider', 'Cyclist', (1.8, 1.7, 0.6))]
    )
    trees: list[BoxModel] = field(
        default_factory=lambda: [BoxModel('tree', '', (2.0, 6.0, 2.0), base=(0.0, 0.0, 0.3, 0.3))]
    )
    buildings: list[BoxModel] = field(
        default_factory=lambda: [BoxModel('house', '', (12.0, 9.0, 8.0))]
    )
    hedges: list[BoxModel] = field(default_factory=list)
    fences: list[BoxModel] = field(default_factory=list)
    poles: list[BoxModel] = field(default_factory=list)
    signs: list[BoxModel] = field(default_factory=list)
    distractors: list[BoxModel] = field(default_factory=lambda: [BoxModel('bin', '', (1, 1, 1))])
