"""Reads mesh files (.obj, .glb, .gltf, .dae) as models that stand in streets."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from smoke_ros.structures import FloatArray
from smoke_ros.synth.meshes.calibration import (
    DEFAULT_NAME,
    MeshCalibration,
    MeshFileError,
    read_mesh_calibrations,
)
from smoke_ros.synth.meshes.catalogue import Model
from smoke_ros.synth.meshes.guess import complete, guess_size
from smoke_ros.synth.meshes.surfaces import Surface, describe, named
from smoke_ros.synth.scene import Mesh

logger = logging.getLogger(__name__)

SUFFIXES = ('.obj', '.glb', '.gltf', '.dae')

#: Lengths below this are no extents to scale.
TINY = 1e-9


@dataclass(frozen=True, eq=False)
class Part:
    """The triangles of one material, one after another, in the file's frame."""

    #: (T, 3, 3).
    corners: FloatArray
    #: (T, 3, 3), unit length.
    normals: FloatArray
    #: (T, 3, 2), or None without a texture.
    uv: npt.NDArray[np.float32] | None
    material: Any

    def moved(self, offset: FloatArray, mirrored: str = '') -> Part:
        """Return it elsewhere, and mirrored along an axis if one is given."""
        flip = np.array([-1.0 if axis == mirrored else 1.0 for axis in 'xyz'])
        order = [0, 2, 1] if mirrored else [0, 1, 2]
        uv = None if self.uv is None else self.uv[:, order]
        corners, normals = self.corners[:, order] * flip, self.normals[:, order] * flip
        return replace(self, corners=corners + offset, normals=normals, uv=uv)


def load_folder(path: Path, calibration: Path | None = None) -> list[Model]:
    """Read all meshes in a folder and below, ordered by file.

    A mesh that cannot be read is left out with a warning; what no calibration tells is guessed,
    and the guess is told as a warning.

    Parameters
    ----------
    path
        The folder.
    calibration
        See calibration.py; by default ``meshes.yaml`` in the folder, if there is one.

    Raises
    ------
    FileNotFoundError
        If there is no such folder or calibration.
    ValueError
        If the calibration has mistakes or not one mesh can be used.
    """
    if not path.is_dir():
        raise FileNotFoundError(f'{path}: no such folder of meshes')
    if calibration is None and (path / DEFAULT_NAME).is_file():
        calibration = path / DEFAULT_NAME
    jobs = list_meshes(path, [] if calibration is None else read_mesh_calibrations(calibration))
    models, failed = [], 0
    for job in jobs:
        try:
            models.append(load_model(path, job))
        except MeshFileError as error:
            failed += 1
            logger.warning('%s: left out: %s', path / job.file, error)
    if failed:
        logger.warning('%s: %d of %d meshes left out', path, failed, len(jobs))
    if not models:
        raise ValueError(
            f'{path}: no mesh that can be used; looked for {", ".join(SUFFIXES)}, '
            f'found {len(jobs)}, of which {failed} failed'
        )
    return models


def list_meshes(folder: Path, calibrations: list[MeshCalibration]) -> list[MeshCalibration]:
    """Return what to read: the calibrated files, and all others that are no part of one."""
    told = {each.file for each in calibrations}
    told |= {attachment[0] for each in calibrations for attachment in each.attach}
    found = (file.relative_to(folder).as_posix() for file in sorted(folder.rglob('*'))
             if file.suffix.lower() in SUFFIXES and file.is_file())  # fmt: skip
    jobs = [each for each in calibrations if not each.skip]
    jobs += [MeshCalibration(file) for file in found if file not in told]
    jobs = [replace(job, name=job.name or job.file.rsplit('.', 1)[0]) for job in jobs]
    twice = [name for name, count in Counter(job.name for job in jobs).items() if count > 1]
    if twice:
        raise ValueError(f'{folder}: two meshes are named {", ".join(twice)}; give them names')
    return sorted(jobs, key=lambda job: job.name)


def load_model(folder: Path, calibration: MeshCalibration) -> Model:
    """Read one mesh file with what is attached to it.

    Raises
    ------
    MeshFileError
        If it cannot be used.
    """
    parts = read_parts(folder / calibration.file)
    attached = {each[0]: read_parts(folder / each[0]) for each in calibration.attach}
    for file, x, y, z, *mirrored in calibration.attach:
        offset = np.array([x, y, z], float)
        parts += [part.moved(offset, *mirrored) for part in attached[file]]
    parts = join(part for part in parts if not named(material_name(part), calibration.drop))
    count = sum(len(part.corners) for part in parts)
    if count == 0:
        raise MeshFileError('it has no triangles')
    if count > calibration.max_triangles:
        raise MeshFileError(
            f'{count} triangles, more than max_triangles: {calibration.max_triangles}; '
            'simplify it, or raise that in the calibration'
        )
    points = np.concatenate([part.corners.reshape(-1, 3) for part in parts])
    calibration, guessed = complete(calibration, points)
    rotation = rotation_from_axes(calibration.up, calibration.forward)
    points = points @ rotation.T
    low, extents = points.min(axis=0), np.ptp(points, axis=0)
    if extents.min() < TINY:
        raise MeshFileError(f'it is flat or empty: {extents.tolist()} along its axes')
    size = calibration.size_m
    if not size:
        size = guess_size(extents, calibration.class_name)
        guessed.append('length, height, width {:.2f}, {:.2f}, {:.2f} m'.format(*size))
    if guessed:
        logger.warning('%s: no calibration; guessed %s', calibration.file, '; '.join(guessed))
    scale = np.array([size[0], size[2], size[1]]) / extents
    origin = low + extents * (0.5, 0.5, 0.0)
    meshes = [convert(part, rotation, origin, scale, calibration) for part in parts]
    return Model.of(calibration.name, calibration.class_name, meshes, calibration.held_out)


def join(parts: Iterable[Part]) -> list[Part]:
    """Make one part of those that share a material: fewer are drawn faster."""
    groups: dict[tuple[int, bool], list[Part]] = {}
    for part in parts:
        groups.setdefault((id(part.material), part.uv is None), []).append(part)
    return [
        Part(
            np.concatenate([part.corners for part in group]),
            np.concatenate([part.normals for part in group]),
            np.concatenate([part.uv for part in group if part.uv is not None])
            if textured
            else None,
            group[0].material,
        )
        for group in groups.values()
        for textured in [group[0].uv is not None]
    ]


def read_parts(path: Path) -> list[Part]:
    """Read a file's triangles by material.

    Raises
    ------
    MeshFileError
        If trimesh cannot read it, whatever it stumbles over.
    """
    import trimesh

    class Neighbours(trimesh.resolvers.FilePathResolver):  # type: ignore[misc]
        """Finds a texture also where its address is of another place (model://...)."""

        def get(self, name: str) -> bytes:
            here = Path(self.parent)
            own = here / name
            return (own if own.is_file() else here / name.replace('\\', '/').split('/')[-1]
                    ).read_bytes()  # fmt: skip

    if not path.is_file():
        raise MeshFileError('no such file')
    try:
        scene = trimesh.load_scene(path, process=False, resolver=Neighbours(str(path)))
        return list(_list_parts(scene))
    except Exception as error:  # its readers raise whatever broken files lead to
        raise MeshFileError(f'cannot be read: {type(error).__name__}: {error}') from error


def _list_parts(scene: Any) -> Iterator[Part]:
    for node in scene.graph.nodes_geometry:
        matrix, name = scene.graph[node]
        mesh = scene.geometry[name]
        if not len(getattr(mesh, 'faces', ())):
            continue  # points or lines
        corners = np.asarray(mesh.vertices, float) @ matrix[:3, :3].T + matrix[:3, 3]
        # trimesh would work out missing ones too, but round off every edge.
        stored = 'vertex_normals' in mesh._cache
        normals = np.asarray(mesh.vertex_normals, float) if stored else np.zeros(corners.shape)
        normals = normals @ np.linalg.inv(matrix[:3, :3])
        faces = np.asarray(mesh.faces)
        if np.linalg.det(matrix[:3, :3]) < 0:
            faces = faces[:, ::-1]
        if not np.isfinite(corners[faces]).all():
            raise MeshFileError('a vertex is not finite')
        uv = getattr(mesh.visual, 'uv', None)
        if uv is not None:  # trimesh counts from the bottom
            uv = (np.asarray(uv) * (1, -1) + (0, 1)).astype(np.float32)[faces]
        material = getattr(mesh.visual, 'material', None)
        yield Part(corners[faces], _unit(normals[faces], corners[faces]), uv, material)


def _unit(normals: FloatArray, corners: FloatArray) -> FloatArray:
    """Normalise, and use the triangle's own where a corner has none."""
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    normals = np.where(length > TINY, normals, flat[:, None])
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.where(length > 0, normals / np.maximum(length, 1e-30), (0.0, 0.0, 1.0))


def material_name(part: Part) -> str:
    """Return a part's material, '' if it has none."""
    return str(getattr(part.material, 'name', None) or '')


def rotation_from_axes(up: str, forward: str) -> FloatArray:
    """Return the (3, 3) rotation that turns `forward` to +x and `up` to +z."""
    x, z = (np.eye(3)['xyz'.index(axis[-1])] * (-1 if axis[0] == '-' else 1)
            for axis in (forward, up))  # fmt: skip
    return np.stack((x, np.cross(z, x), z))


def convert(
    part: Part, rotation: FloatArray, origin: FloatArray, scale: FloatArray,
    calibration: MeshCalibration,
) -> Mesh:  # fmt: skip
    """Bring a part into the object frame, with its looks.

    Parameters
    ----------
    part
        In the file's frame.
    rotation, origin, scale
        (3, 3), then (3,) in the turned frame, then (3,) factors to metres.
    calibration
        What takes paint, and the name.
    """
    count = len(part.corners)
    surface: Surface = describe(part.material, part.uv, count, calibration)
    corners = (part.corners @ rotation.T - origin) * scale
    normals = _unit(part.normals @ rotation.T / scale, corners)
    textured = surface.texture is not None and part.uv is not None
    columns = [corners, normals, np.repeat(surface.colours[:, None], 3, axis=1),
               np.repeat(surface.paint[:, None, None], 3, axis=1)]  # fmt: skip
    if textured:
        columns.append(np.asarray(part.uv, float))
    vertices = np.concatenate(columns, axis=-1).reshape(3 * count, -1).astype(np.float32)
    unique, indices = np.unique(vertices, axis=0, return_inverse=True)
    return Mesh(
        f'{calibration.name}/{material_name(part)}',
        np.ascontiguousarray(unique[:, :3]),
        np.ascontiguousarray(unique[:, 3:6]),
        np.ascontiguousarray(unique[:, 6:9]),
        np.ascontiguousarray(unique[:, 9]),
        indices.reshape(-1, 3).astype(np.int32),
        np.full(len(unique), surface.gloss, np.float32),
        np.ascontiguousarray(unique[:, 10:]) if textured else None,
        surface.texture if textured else None,
    )
