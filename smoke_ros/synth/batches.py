"""A scene's instances in the order in which they are drawn, all of a mesh in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from smoke_ros.structures import FloatArray
from smoke_ros.synth.gpu_meshes import GpuMesh, GpuMeshes
from smoke_ros.synth.projection import world_from_object, worlds_from_objects
from smoke_ros.synth.scene import BACKGROUND, Instance, Mesh, Viewpoint

if TYPE_CHECKING:
    import moderngl

#: Floats of an instance: a (3, 4) matrix, then paint and id.
INSTANCE_FLOATS = 16
#: Texture unit of the surfaces.
SURFACE_UNIT = 0


@dataclass(frozen=True, eq=False)
class Batch:
    """Instances `first` to `first + count` of one mesh."""

    mesh: GpuMesh
    first: int
    count: int


def draw_batch(context: moderngl.Context, name: str, batch: Batch) -> None:
    """Draw all instances of a mesh in one pass."""
    if batch.mesh.texture is not None:
        batch.mesh.texture.use(SURFACE_UNIT)
    (context.enable if batch.mesh.one_sided else context.disable)(context.CULL_FACE)
    array = batch.mesh.arrays[name]
    array.program['first_instance'] = batch.first
    array.render(instances=batch.count)


class Batches:
    """Instances by mesh, the nearest first, in a buffer that the shaders read.

    Parameters
    ----------
    context
        Where it is drawn.
    meshes
        The meshes there.
    instances
        What there is.
    view
        The nearest to it is drawn first, which spares the shading of what is behind.
    """

    def __init__(
        self, context: moderngl.Context, meshes: GpuMeshes, instances: Sequence[Instance],
        view: Viewpoint,
    ) -> None:  # fmt: skip
        casters = [each.mesh.coarse or each.mesh for each in instances]
        self._meshes = [meshes.get(instance.mesh) for instance in instances]
        self._casters = [meshes.get(mesh) for mesh in casters]
        self._matrices = worlds_from_objects(instances)
        centres = np.array([mesh.centre for mesh in self._meshes]).reshape(-1, 3)
        self._centres = _transform(self._matrices, centres)
        radii = np.array([mesh.radius for mesh in self._meshes])
        scales = np.array([max(each.scale) for each in instances])
        self._radii = radii * scales
        eye = np.linalg.inv(view.camera_from_world)[:3, 3]
        # The far side: large things, such as the ground, come last.
        self._distances = np.linalg.norm(self._centres - eye, axis=1) + self._radii
        is_coarse = [each.mesh is mesh for each, mesh in zip(instances, casters, strict=True)]
        order = _group_by_mesh(casters, is_coarse, self._distances)
        self._order = np.array(order, dtype=int)
        self._places = np.argsort(self._order).tolist()
        rows = np.zeros((len(instances), INSTANCE_FLOATS), np.float32)
        rows[:, :12] = self._matrices.reshape(-1, 12)
        rows[:, 12:15] = np.array([each.paint for each in instances]).reshape(-1, 3)
        rows[:, 15] = [each.object_id for each in instances]
        contacts = self._contact_rows(instances)
        self.contacts = len(rows), len(contacts)
        data = np.concatenate((rows[self._order], contacts))
        # A buffer may not be empty.
        self._buffer = context.buffer(data.tobytes() or bytes(4 * INSTANCE_FLOATS))

    def bind(self) -> None:
        """Make this buffer the one that the shaders read."""
        self._buffer.bind_to_storage_buffer(0)

    def of(self, indices: Sequence[int]) -> list[Batch]:
        """Return instances by their places among those given, each for itself."""
        return [Batch(self._meshes[index], self._places[index], 1) for index in indices]

    def reached_by(self, clip_from_world: FloatArray, *, casting: bool = False) -> list[Batch]:
        """Return what may be inside a view, by the spheres around the instances.

        Parameters
        ----------
        clip_from_world
            The view.
        casting
            Whether a shadow is all that is drawn, for which coarse meshes do.
        """
        meshes = self._casters if casting else self._meshes
        planes = np.concatenate([clip_from_world[3] + s * clip_from_world[:3] for s in (1, -1)])
        planes = planes / np.linalg.norm(planes[:, :3], axis=1, keepdims=True)
        inside = self._centres @ planes[:, :3].T + planes[:, 3] > -self._radii[:, None]
        reached = inside.all(axis=1)[self._order]
        batches: list[Batch] = []
        last: GpuMesh | None = None
        for position, (index, drawn) in enumerate(zip(self._order, reached, strict=True)):
            mesh = meshes[index]
            if not drawn:
                last = None
            elif last is not None and mesh is last:
                batches[-1] = Batch(mesh, batches[-1].first, batches[-1].count + 1)
            else:
                batches.append(Batch(mesh, position, 1))
                last = mesh
        return batches

    def _contact_rows(self, instances: Sequence[Instance]) -> np.ndarray:
        """Place a dark patch below every object: its footprint's frame, and half its size."""
        parts: dict[int, list[int]] = {}
        for index, each in enumerate(instances):
            if each.object_id != BACKGROUND:
                parts.setdefault(each.object_id, []).append(index)
        rows = np.zeros((len(parts), INSTANCE_FLOATS), np.float32)
        for row, indices in zip(rows, parts.values(), strict=True):
            first = instances[indices[0]]
            scale = np.array(first.scale[:2])
            low = np.min([self._meshes[i].low[:2] for i in indices], axis=0) * scale
            high = np.max([self._meshes[i].high[:2] for i in indices], axis=0) * scale
            unscaled = Instance(first.mesh, first.position, first.yaw)
            matrix = world_from_object(unscaled)
            matrix[:, 3] += matrix[:, :2] @ ((low + high) / 2)
            row[:12] = matrix.reshape(-1)
            row[12:14] = (high - low) / 2
        return rows


def _transform(matrices: FloatArray, points: FloatArray) -> FloatArray:
    return np.einsum('nij,nj->ni', matrices[:, :, :3], points) + matrices[:, :, 3]


def _group_by_mesh(
    meshes: Sequence[Mesh], is_coarse: Sequence[bool], distances: FloatArray
) -> list[int]:
    """Order instances by their mesh's nearest, those of one by level and their own distance."""
    groups: dict[int, list[int]] = {}
    for index in np.argsort(distances, kind='stable').tolist():
        groups.setdefault(id(meshes[index]), []).append(index)
    return [
        index for group in groups.values() for index in sorted(group, key=is_coarse.__getitem__)
    ]
