"""Where the cameras put points: the picture's, the sun's, and windows of the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from smoke_ros.structures import CameraModel, FloatArray
from smoke_ros.synth.scene import Instance, Viewpoint

#: Nearest and farthest distance along the optical axis that is drawn, metres.
NEAR_M, FAR_M = 0.15, 1200.0

#: How far ahead of the camera the sun throws shadows, and how far off what throws them may be,
#: metres.
SHADOW_AHEAD_M, SHADOW_CASTERS_M = 65.0, 120.0
#: How far below the camera the ground is at most where shadows fall, metres.
LOWEST_M = 4.0

#: x1, y1, x2, y2 in pixels.
Window = tuple[float, float, float, float]


def clip_from_camera(camera: CameraModel, window: Window | None = None) -> FloatArray:
    """Return the matrix from the optical frame to clip space, whose y runs down the image.

    Parameters
    ----------
    camera
        The pinhole; pixel (0, 0) is the *centre* of its top-left pixel.
    window
        Edges of the part of the image plane to show, in pixels where pixel centres are integers;
        by default the whole image, from -0.5 to size - 0.5.
    """
    x1, y1, x2, y2 = window or (-0.5, -0.5, camera.width - 0.5, camera.height - 0.5)
    project = np.column_stack((camera.K, camera.projection_offset))
    depth = project[2]
    matrix = np.zeros((4, 4))
    matrix[0] = (2.0 * project[0] - (x1 + x2) * depth) / (x2 - x1)
    matrix[1] = (2.0 * project[1] - (y1 + y2) * depth) / (y2 - y1)
    matrix[2] = (FAR_M + NEAR_M) / (FAR_M - NEAR_M) * depth
    matrix[2, 3] -= 2.0 * FAR_M * NEAR_M / (FAR_M - NEAR_M)
    matrix[3] = depth
    return matrix


def world_from_object(instance: Instance) -> FloatArray:
    """Return the (3, 4) matrix from an instance's object frame to the world."""
    cos, sin = np.cos(instance.yaw), np.sin(instance.yaw)
    sx, sy, sz = instance.scale
    x, y, z = instance.position
    return np.array([[cos * sx, -sin * sy, 0.0, x], [sin * sx, cos * sy, 0.0, y], [0, 0, sz, z]])


def worlds_from_objects(instances: Sequence[Instance]) -> FloatArray:
    """Return the matrices of all instances at once, (N, 3, 4)."""
    poses = np.array([(each.yaw, *each.position, *each.scale) for each in instances])
    yaw, x, y, z, sx, sy, sz = poses.reshape(-1, 7).T
    cos, sin, zero = np.cos(yaw), np.sin(yaw), np.zeros_like(yaw)
    rows = (cos * sx, -sin * sy, zero, x), (sin * sx, cos * sy, zero, y), (zero, zero, sz, z)
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1)


def project_extent(points: FloatArray, triangles: npt.NDArray[np.int32], camera: CameraModel
                   ) -> Window | None:  # fmt: skip
    """Return the box around triangles' image, clipped at the near plane, or None behind it.

    Parameters
    ----------
    points
        (V, 3) vertices in the camera's optical frame.
    triangles
        (T, 3) indices of vertices.
    camera
        The pinhole.
    """
    ahead = points[:, 2] >= NEAR_M
    seen = points[ahead]
    if not ahead.all():
        edges = np.concatenate((triangles[:, :2], triangles[:, 1:], triangles[:, ::2]))
        edges = edges[ahead[edges[:, 0]] != ahead[edges[:, 1]]]
        first, second = points[edges[:, 0]], points[edges[:, 1]]
        part = (NEAR_M - first[:, 2:]) / (second[:, 2:] - first[:, 2:])
        seen = np.concatenate((seen, first + part * (second - first)))
    if len(seen) == 0:
        return None
    pixels = camera.project(seen)
    x1, y1 = pixels.min(axis=0).tolist()
    x2, y2 = pixels.max(axis=0).tolist()
    return x1, y1, x2, y2


def shadow_from_world(view: Viewpoint, sun: FloatArray) -> FloatArray:
    """Return the matrix from the world to the shadow map, all of whose axes run from 0 to 1.

    The map covers the part of the view that is near, seen from the sun, with one of its axes along
    the view: nothing of it is spent on what is behind the camera.
    """
    world_from_camera = np.linalg.inv(view.camera_from_world)
    eye, forward = world_from_camera[:3, 3], world_from_camera[:3, 2]
    across = np.cross(forward, sun)
    if np.linalg.norm(across) < 0.05:  # looking at the sun
        across = world_from_camera[:3, 0]
    across /= np.linalg.norm(across)
    along = np.cross(sun, across)
    axes = np.stack((across, along, -sun))
    camera = view.camera
    corners_px = np.array([[0, 0], [camera.width, 0], [camera.width, camera.height],
                           [0, camera.height]], dtype=float)  # fmt: skip
    rays = np.column_stack((corners_px, np.ones(4))) @ np.linalg.inv(camera.K).T
    far = eye + SHADOW_AHEAD_M * rays @ world_from_camera[:3, :3].T
    # What is high above the road is not worth the map's resolution.
    far[:, 2] = np.clip(far[:, 2], eye[2] - LOWEST_M, eye[2] + 8.0)
    points = (
        np.concatenate((far, [eye, eye + np.array([0, 0, 3.0]), eye - np.array([0, 0, 2.0])]))
        @ axes.T
    )
    low, high = points.min(axis=0) - 1.0, points.max(axis=0) + 1.0
    low[2] -= SHADOW_CASTERS_M
    matrix = np.eye(4)
    matrix[:3, :3] = axes / (high - low)[:, None]
    matrix[:3, 3] = -low / (high - low)
    return matrix


def camera_points(view: Viewpoint, instance: Instance) -> FloatArray:
    """Return an instance's vertices in the camera's optical frame, (V, 3)."""
    matrix = view.camera_from_world[:3, :3] @ world_from_object(instance)
    matrix[:, 3] += view.camera_from_world[:3, 3]
    return instance.mesh.positions @ matrix[:, :3].T + matrix[:, 3]
