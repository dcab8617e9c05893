"""The camera of a scene: its lens and how it is mounted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from smoke_ros.config.synth import REFERENCE_WIDTH, SynthConfig
from smoke_ros.structures import CameraModel, Vector3
from smoke_ros.synth.rotations import about_x, about_z
from smoke_ros.synth.scene import Viewpoint
from smoke_ros.synth.street import Generator

#: A camera that looks along the world's x: its x is the world's -y, its y the world's -z.
OPTICAL_FROM_WORLD = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])

#: Where KITTI's horizon lies, as a part of the image's height.
PRINCIPAL_POINT_Y = 0.47


@dataclass(frozen=True)
class Mounting:
    """How a camera is fixed to its vehicle."""

    height: float
    #: Radians: downwards, clockwise seen from behind, and to the left of the vehicle's heading.
    pitch: float
    roll: float
    yaw: float


def draw_camera(config: SynthConfig, rng: Generator) -> CameraModel:
    """Draw a pinhole: KITTI's scaled to the image's size, or one of another focal length."""
    width, height = config.width, config.height
    focal = config.focal_length * width / REFERENCE_WIDTH
    if rng.random() < config.focal_varied_share:
        low, high = np.log((config.focal_factor_low, config.focal_factor_high))
        focal *= float(np.exp(rng.uniform(low, high)))
    centre_x = (width - 1) / 2 + float(rng.normal(0.0, 0.01)) * width
    # Tall images have their horizon in the middle, wide ones had their sky cut off.
    wide = min(1.0, max(0.0, width / height - 2.0))
    centre_y = (0.5 + (PRINCIPAL_POINT_Y - 0.5) * wide) * (height - 1)
    centre_y += float(rng.normal(0.0, 0.012)) * height
    K = [[focal, 0.0, centre_x], [0.0, focal, centre_y], [0.0, 0.0, 1.0]]
    return CameraModel.from_intrinsics(K, width, height)


def draw_mounting(config: SynthConfig, rng: Generator) -> Mounting:
    """Draw height and attitude of a camera."""
    # Half of them at a car's roof, as KITTI's.
    low, high = config.camera_height_low, config.camera_height_high
    height = float(np.clip(rng.normal(1.65, 0.08), low, high))
    if rng.random() < 0.5:
        height = float(rng.uniform(low, high))
    pitch, roll, yaw = (
        math.radians(float(np.clip(rng.normal(0.0, sigma), -3 * sigma, 3 * sigma)))
        for sigma in (config.pitch, config.roll, config.yaw)
    )
    return Mounting(height, pitch, roll, yaw)


def make_viewpoint(
    camera: CameraModel, mounting: Mounting, position: Vector3, heading: float
) -> Viewpoint:
    """Mount a camera on a vehicle.

    Parameters
    ----------
    camera
        Its lens.
    mounting
        How it is fixed.
    position
        The point of the ground under the camera, world frame, metres.
    heading
        Where the vehicle drives, radians.
    """
    yaw = heading + mounting.yaw
    level_from_world = OPTICAL_FROM_WORLD @ about_z(-yaw)
    rotation = about_z(-mounting.roll) @ about_x(mounting.pitch) @ level_from_world
    eye = np.asarray(position) + np.array([0.0, 0.0, mounting.height])
    camera_from_world = np.eye(4)
    camera_from_world[:3, :3] = rotation
    camera_from_world[:3, 3] = -rotation @ eye
    return Viewpoint(camera, camera_from_world)
