"""The light of a scene: sun, clouds, dusk and haze."""

from __future__ import annotations

import math

import numpy as np

from smoke_ros.random_draws import log_uniform
from smoke_ros.structures import FloatArray, Vector3
from smoke_ros.synth.scene import Light
from smoke_ros.synth.street import Generator

#: Direct sun at noon and a clear sky, linear; 1 is a white wall in full sun.
SUN = np.array([1.0, 0.96, 0.88])
CLEAR_ZENITH = np.array([0.22, 0.37, 0.70])
CLEAR_HORIZON = np.array([0.78, 0.86, 0.96])
CLOUD = np.array([0.92, 0.95, 1.0])


def draw_light(rng: Generator) -> Light:
    """Draw the light: mostly sun with few clouds, then overcast, then a low or a set sun."""
    kind = rng.choice(['sunny', 'hazy', 'overcast', 'dusk'], p=[0.62, 0.12, 0.16, 0.1])
    azimuth = float(rng.uniform(-math.pi, math.pi))
    if kind == 'sunny':
        return _light(rng, azimuth, float(rng.uniform(12, 65)), float(rng.beta(1.2, 3.0) * 0.6))
    if kind == 'hazy':
        return _light(rng, azimuth, float(rng.uniform(12, 60)), float(rng.uniform(0.5, 0.85)))
    if kind == 'overcast':
        return _light(rng, azimuth, float(rng.uniform(20, 60)), float(rng.uniform(0.92, 1.0)))
    return _light(rng, azimuth, float(rng.uniform(2, 12)), float(rng.uniform(0.0, 0.9)))


def _light(rng: Generator, azimuth: float, elevation_deg: float, clouds: float) -> Light:
    """Compose a light; `clouds` is 0 to 1."""
    elevation = math.radians(elevation_deg)
    direction = (
        math.cos(elevation) * math.cos(azimuth),
        math.cos(elevation) * math.sin(azimuth),
        math.sin(elevation),
    )
    # The lower, the more of the blue the air takes.
    air = 1.0 / max(math.sin(elevation), 0.08)
    through_air = np.exp(-np.array([0.03, 0.07, 0.14]) * air)
    sun = 2.2 * SUN * through_air * max(0.0, 1.0 - clouds) ** 0.8
    dim = float(np.clip(math.sin(elevation) * 2.2, 0.15, 1.0))
    zenith = (CLEAR_ZENITH * (1.0 - clouds) + CLOUD * clouds) * dim
    horizon = (CLEAR_HORIZON * (1.0 - clouds) + 1.05 * CLOUD * clouds) * dim
    if elevation_deg < 15.0:
        horizon = horizon * (1.15, 0.95, 0.8)
    brightness = log_uniform(rng, 0.7, 1.8)
    haze = log_uniform(rng, 2e-4, 2.5e-3)
    if rng.random() < 0.03:
        haze = float(rng.uniform(0.004, 0.012))
    return Light(
        direction, _vector(sun), _vector(zenith * brightness), _vector(horizon * brightness),
        clouds, haze,
    )  # fmt: skip


def _vector(values: FloatArray) -> Vector3:
    x, y, z = values.tolist()
    return x, y, z
