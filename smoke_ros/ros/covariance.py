"""How far off a published pose is: a 6x6 covariance from an error model."""

from __future__ import annotations

import math

import numpy as np

from smoke_ros.config.error_model import ErrorModel
from smoke_ros.structures import CameraModel, Detection3D, FloatArray


def pose_covariance(
    detection: Detection3D, camera: CameraModel, heatmap_pixel_px: float, errors: ErrorModel
) -> FloatArray:
    """Return the covariance of a detection's pose in the camera's optical frame.

    A camera sees directions well and distances badly: the position's error is a cigar that points
    at the camera. Along the ray its deviation grows with the distance, so its variance with the
    distance squared; across, it is what a pixel of the heatmap covers at that distance.

    Parameters
    ----------
    detection
        In the optical frame of ``camera``. Where the network says how far off its depth is to be
        expected, that is believed; errors are then distributed as Laplace's distribution is.
    camera
        The image's camera.
    heatmap_pixel_px
        Pixels of the image, along one axis, that a pixel of the network's heatmap covers: see
        :class:`smoke_ros.detector.CameraSetup`.
    errors
        The standard deviations.

    Returns
    -------
    (6, 6), symmetric and positive definite: x, y, z in m, then rotations about the x, y, z axes
    of the optical frame in rad, as geometry_msgs/PoseWithCovariance orders them.
    """
    location = np.asarray(detection.location)
    distance = float(np.linalg.norm(location))
    ray = location / distance if distance > 0.0 else np.array([0.0, 0.0, 1.0])
    # The standard deviation of Laplace's distribution is so many times the mean of its errors.
    mean = detection.depth_error
    fraction = errors.error_depth if mean is None else math.sqrt(2.0) * mean
    along = math.hypot(fraction * distance, errors.error_depth_floor)
    pixels = errors.error_keypoint * heatmap_pixel_px
    # Across, too, something remains at the camera itself, where angles no longer matter.
    across = math.hypot(distance * pixels / camera.K[0, 0], 0.1 * errors.error_depth_floor)
    outer = np.outer(ray, ray)
    covariance = np.zeros((6, 6))
    covariance[:3, :3] = across**2 * (np.eye(3) - outer) + along**2 * outer
    tilt, heading = math.radians(errors.error_tilt), math.radians(errors.error_heading)
    # The optical frame's y axis points down: turning about it changes the heading.
    covariance[3:, 3:] = np.diag([tilt**2, heading**2, tilt**2])
    return covariance
