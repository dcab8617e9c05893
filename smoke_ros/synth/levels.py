"""Which objects are drawn with fewer triangles: those that are small in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from smoke_ros.synth.projection import NEAR_M
from smoke_ros.synth.scene import Instance, Mesh, Viewpoint

#: Heights in the picture below which a mesh's coarse form does, and that one's, pixels.
COARSE_BELOW_PX = (80.0, 28.0)


def choose_levels(instances: Sequence[Instance], view: Viewpoint) -> list[Instance]:
    """Return the instances with the meshes that a view of them needs.

    The same instance in the same view always gets the same mesh, so that picture, ids and areas
    agree.
    """
    return [
        each if each.mesh.coarse is None else replace(each, mesh=_level(each, view))
        for each in instances
    ]


def coarsest(mesh: Mesh) -> Mesh:
    """Return the form of a mesh that has the fewest triangles."""
    while mesh.coarse is not None:
        mesh = mesh.coarse
    return mesh


def _level(instance: Instance, view: Viewpoint) -> Mesh:
    height, mesh = _height_px(instance, view), instance.mesh
    for below in COARSE_BELOW_PX:
        if height < below and mesh.coarse is not None:
            mesh = mesh.coarse
    return mesh


def _height_px(instance: Instance, view: Viewpoint) -> float:
    """Return how high an instance is in the picture at most; 0 behind the camera."""
    length, height, width = instance.dimensions
    radius = float(np.hypot(length, width)) / 2
    depth = float(view.camera_from_world[2, :3] @ instance.position + view.camera_from_world[2, 3])
    if depth < -radius:
        return 0.0
    return float(view.camera.K[1, 1]) * height / max(depth - radius, NEAR_M)
