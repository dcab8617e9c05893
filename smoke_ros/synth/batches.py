"""A scene's instances in the order in which they are drawn, all of a mesh in one go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from smoke_ros.structures import FloatArray
from smoke_ros.synth.gpu_meshes import GpuMesh, GpuMeshes
from smoke_ros.synth.levels import coarsest
from smoke_ros.synth.projection import (
    SHADOW_CASTERS_M,
    world_from_object,
    worlds_from_objects,
)
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
        casters = [coarsest(each.mesh) for each in instances]
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
        triangles = [len(each.mesh.triangles) for each in instances]
        order = _group_by_mesh(casters, triangles, self._distances)
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

    def reached_by(self, clip_from_world: FloatArray) -> list[Batch]:
        """Return what may be inside a view, by the spheres around the instances."""
        planes = _sides(clip_from_world)
        return self._batches(self._meshes, _inside(planes, self._centres, self._radii))

    def casting_into(
        self, clip_from_world: FloatArray, shadow_clip_from_world: FloatArray, sun: FloatArray,
        lowest: float,
    ) -> list[Batch]:  # fmt: skip
        """Return what may shade something in a view, with coarse meshes where there are any.

        Parameters
        ----------
        clip_from_world
            The view.
        shadow_clip_from_world
            That of the shadow map.
        sun
            (3,) unit vector to the sun.
        lowest
            Height below which nothing is, metres.
        """
        casts = _inside(_sides(shadow_clip_from_world), self._centres, self._radii)
        # A sphere's shadow is a tube down to the ground; the view sees none of it if all of it is
        # outside of one of the view's sides.
        fall = (self._centres[:, 2] + self._radii - lowest) / max(float(sun[2]), 1e-3)
        ends = self._centres - np.clip(fall, 0.0, SHADOW_CASTERS_M)[:, None] * sun
        planes = _sides(clip_from_world)
        seen = _reach(planes, self._centres, self._radii) | _reach(planes, ends, self._radii)
        return self._batches(self._casters, casts & seen.all(axis=1))

    def _batches(self, meshes: Sequence[GpuMesh], drawn: npt.NDArray[np.bool_]) -> list[Batch]:
        """Join neighbours of one mesh among the instances that are drawn."""
        batches: list[Batch] = []
        last: GpuMesh | None = None
        for position, index in enumerate(self._order.tolist()):
            mesh = meshes[index]
            if not drawn[index]:
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


def _sides(clip_from_world: FloatArray) -> FloatArray:
    """Return a view's six sides, (6, 4): unit normals that point inwards, and offsets."""
    planes = np.concatenate([clip_from_world[3] + s * clip_from_world[:3] for s in (1, -1)])
    return planes / np.linalg.norm(planes[:, :3], axis=1, keepdims=True)


def _reach(planes: FloatArray, centres: FloatArray, radii: FloatArray) -> npt.NDArray[np.bool_]:
    """Return which spheres are not entirely on the outer side of which plane, (N, 6)."""
    return np.asarray(centres @ planes[:, :3].T + planes[:, 3] > -radii[:, None])


def _inside(planes: FloatArray, centres: FloatArray, radii: FloatArray) -> npt.NDArray[np.bool_]:
    return np.asarray(_reach(planes, centres, radii).all(axis=1))


def _transform(matrices: FloatArray, points: FloatArray) -> FloatArray:
    return np.einsum('nij,nj->ni', matrices[:, :, :3], points) + matrices[:, :, 3]


def _group_by_mesh(
    casters: Sequence[Mesh], triangles: Sequence[int], distances: FloatArray
) -> list[int]:
    """Order instances by their model's nearest, those of one by level and their own distance."""
    groups: dict[int, list[int]] = {}
    for index in np.argsort(distances, kind='stable').tolist():
        groups.setdefault(id(casters[index]), []).append(index)
    return [
        index for group in groups.values() for index in sorted(group, key=lambda i: -triangles[i])
    ]
