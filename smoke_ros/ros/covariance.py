"""How far off a published pose is: a 6x6 covariance from an error model."""

from __future__ import annotations

import math

import numpy as np

from smoke_ros.config.error_model import ErrorModel
from smoke_ros.structures import Box3D, CameraModel, FloatArray


def pose_covariance(
    box: Box3D, camera: CameraModel, feature_width: int, errors: ErrorModel,
    depth_error: float | None = None,
) -> FloatArray:  # fmt: skip
    """Return the covariance of a box's pose in the camera's optical frame.

    A camera sees directions well and distances badly: the position's error is a cigar that points
    at the camera. Along the ray its deviation grows with the distance, so its variance with the
    distance squared; across, it is what a pixel of the heatmap covers at that distance.

    Parameters
    ----------
    box
        In the optical frame of ``camera``.
    camera
        The image's camera.
    feature_width
        Width of the network's heatmap in pixels; it spans the image's width.
    errors
        The standard deviations.
    depth_error
        The mean relative error that the network expects of this box's distance, in place of the
        model's; with errors as Laplace's distribution has them.

    Returns
    -------
    (6, 6), symmetric and positive definite: x, y, z in m, then rotations about the x, y, z axes
    of the optical frame in rad, as geometry_msgs/PoseWithCovariance orders them.
    """
    location = np.asarray(box.location)
    distance = float(np.linalg.norm(location))
    ray = location / distance if distance > 0.0 else np.array([0.0, 0.0, 1.0])
    # The standard deviation of Laplace's distribution is so many times the mean of its errors.
    fraction = errors.depth_fraction if depth_error is None else math.sqrt(2.0) * depth_error
    along = math.hypot(fraction * distance, errors.depth_floor_m)
    pixels = errors.keypoint_feat * camera.width / feature_width
    # Across, too, something remains at the camera itself, where angles no longer matter.
    across = math.hypot(distance * pixels / camera.K[0, 0], 0.1 * errors.depth_floor_m)
    outer = np.outer(ray, ray)
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = across**2 * (np.eye(3) - outer) + along**2 * outer
    tilt, heading = math.radians(errors.tilt_deg), math.radians(errors.heading_deg)
    # The optical frame's y axis points down: turning about it changes the heading.
    covariance[3:, 3:] = np.diag([tilt**2, heading**2, tilt**2])
    return covariance
