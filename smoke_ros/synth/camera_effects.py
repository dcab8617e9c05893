"""From the light that falls into a camera to the picture that it gives: exposure to JPEG."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from smoke_ros.config.synth import REFERENCE_WIDTH, SynthConfig
from smoke_ros.random_draws import gaussian_grain
from smoke_ros.structures import FloatArray
from smoke_ros.synth.scene import Float32Array
from smoke_ros.synth.street import Generator

Image = npt.NDArray[np.uint8]
#: (H, W, 3) float32, linear light, which OpenCV returns as an array of any type.
Linear = npt.NDArray[Any]

#: Rec. 709: what red, green and blue add to brightness.
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
#: Quality of files whose camera does not compress.
BEST_QUALITY = 97
#: Size of the squares at whose corners the darkening of the corners is worked out.
VIGNETTE_PX = 16
#: Steps of the table from linear to display values.
TONES = 4096


@dataclass(frozen=True)
class Look:
    """How one camera renders one picture; all that is random but the noise.

    Sizes are in pixels of an image REFERENCE_WIDTH wide.
    """

    #: What the scene's typical brightness (the geometric mean of the lower part) becomes, linear.
    exposure: float = 0.075
    bloom: float = 0.0
    #: Stray light, as a part of the mean.
    veil: float = 0.0
    #: Gains of red, green, blue.
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    saturation: float = 1.0
    #: Darkening of the corners.
    vignetting: float = 0.0
    defocus_px: float = 0.0
    motion_px: float = 0.0
    motion_angle: float = 0.0
    sharpening: float = 0.0
    #: Standard deviations for black and, added, for white, linear.
    read_noise: float = 0.0
    shot_noise: float = 0.0
    gamma: float = 1.0
    #: Of an S-curve around the middle.
    contrast: float = 0.0
    black_level: float = 0.0
    quality: int = BEST_QUALITY


def draw_look(config: SynthConfig, rng: Generator) -> Look:
    """Draw a camera's imperfections; each is there in a part of the pictures."""
    strength = config.effects

    def sometimes(share: float, value: float) -> float:
        return strength * value if rng.random() < share else 0.0

    temperature = strength * float(rng.normal(0.0, 0.07))
    tint = strength * float(rng.normal(0.0, 0.025))
    quality = BEST_QUALITY
    if rng.random() < 0.7 and strength > 0.0:
        quality = int(rng.integers(config.quality_low, config.quality_high + 1))
    return Look(
        exposure=0.125 * math.exp(strength * float(np.clip(rng.normal(0.0, 0.4), -1.2, 1.2))),
        bloom=sometimes(0.7, float(rng.exponential(0.08))),
        veil=sometimes(0.3, float(rng.exponential(0.03))),
        balance=(1.0 + temperature, 1.0 + tint, 1.0 - temperature),
        saturation=1.0 + strength * float(np.clip(rng.normal(0.1, 0.25), -0.8, 0.8)),
        vignetting=sometimes(0.5, float(rng.uniform(0.0, 0.45))),
        defocus_px=sometimes(0.5, float(rng.exponential(0.7))),
        motion_px=sometimes(0.25, float(rng.uniform(2.0, 9.0))),
        motion_angle=float(rng.normal(0.0, 0.5)),
        sharpening=sometimes(0.4, float(rng.uniform(0.1, 1.0))),
        read_noise=sometimes(0.8, float(rng.exponential(0.0015))),
        shot_noise=sometimes(0.8, float(rng.exponential(0.008))),
        gamma=math.exp(strength * float(rng.normal(0.17, 0.12))),
        contrast=strength * float(np.clip(rng.normal(0.55, 0.35), -0.3, 1.2)),
        black_level=sometimes(0.3, float(rng.uniform(0.0, 0.012))),
        quality=quality,
    )


def develop(radiance: Float32Array, look: Look, rng: Generator) -> Image:
    """Return the picture that a camera gives.

    Parameters
    ----------
    radiance
        (H, W, 3) linear red, green, blue.
    look
        The camera.
    rng
        For the noise.

    Returns
    -------
    (H, W, 3) uint8, BGR, before compression.
    """
    scale = radiance.shape[1] / REFERENCE_WIDTH
    light: Linear = radiance * np.float32(look.exposure / _typical_brightness(radiance))
    light = _stray_light(light, look, scale)
    # From here on blue comes first.
    light = np.asarray(cv2.transform(light, _colour_matrix(look)[::-1]), np.float32)
    if look.vignetting > 0.0:
        light *= _vignette(light.shape[1], light.shape[0], look.vignetting)
    light = _blur(light, look, scale)
    np.clip(light, 0.0, 1.0, out=light)
    if look.read_noise > 0.0 or look.shot_noise > 0.0:
        spread = np.sqrt(look.read_noise**2 + look.shot_noise**2 * light, dtype=np.float32)
        light += spread * gaussian_grain(rng, light.shape)
        np.clip(light, 0.0, 1.0, out=light)
    steps = (light * np.float32(TONES - 1) + np.float32(0.5)).astype(np.uint16)
    return tone_curve(look).take(steps)


def compress(image: Image, quality: int) -> bytes:
    """Return a BGR image as the bytes of a JPEG file."""
    done, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f'cannot compress an image of shape {image.shape}')
    return data.tobytes()


def tone_curve(look: Look) -> npt.NDArray[np.uint8]:
    """Return the table (TONES,) from linear light to display values."""
    linear = np.linspace(0.0, 1.0, TONES)
    linear = look.black_level + (1.0 - look.black_level) * linear
    low = linear <= 0.0031308
    # sRGB, IEC 61966-2-1.
    display = np.where(low, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)
    display = np.clip(display, 0.0, 1.0) ** look.gamma
    curved = display * display * (3.0 - 2.0 * display)
    display = display + look.contrast * (curved - display)
    return (255.0 * np.clip(display, 0.0, 1.0) + 0.5).astype(np.uint8)


def _typical_brightness(radiance: Float32Array) -> float:
    """Return the geometric mean of the brightness below the upper third, as a camera meters."""
    sample = radiance[radiance.shape[0] // 3 :: 4, ::4] @ LUMINANCE.astype(np.float32)
    return float(np.exp(np.mean(np.log(np.maximum(sample, 1e-4)))))


def _stray_light(light: Linear, look: Look, scale: float) -> Linear:
    """Add the glow around what is too bright, and the haze of a dirty or dazzled lens."""
    if look.bloom > 0.0:
        height, width = light.shape[:2]
        # By a whole number, which is several times as fast as by nearly one.
        small = cv2.resize(
            light[: height // 4 * 4, : width // 4 * 4], None, fx=0.25, fy=0.25,
            interpolation=cv2.INTER_AREA,
        )  # fmt: skip
        bright = np.clip(np.asarray(small, np.float32) - np.float32(0.9), 0.0, 8.0)
        wide = cv2.GaussianBlur(bright, (0, 0), 9.0 * scale)
        narrow = cv2.GaussianBlur(bright, (0, 0), 2.5 * scale + 0.3)
        glow = cv2.resize(cv2.add(wide, narrow), (width, height), interpolation=cv2.INTER_LINEAR)
        light = np.asarray(cv2.scaleAdd(glow, look.bloom, light), np.float32)
    if look.veil > 0.0:
        light = light + np.float32(look.veil) * np.minimum(light[::8, ::8], 2.0).mean((0, 1))
    return light


def _colour_matrix(look: Look) -> FloatArray:
    grey = np.tile(LUMINANCE, (3, 1))
    saturated = look.saturation * np.eye(3) + (1.0 - look.saturation) * grey
    return np.asarray(np.diag(look.balance) @ saturated)


def _vignette(width: int, height: int, strength: float) -> Linear:
    """Return (h, w, 3) factors; they are smooth, so that a few of them say all."""
    x = np.linspace(-1.0, 1.0, max(2, width // VIGNETTE_PX))
    y = np.linspace(-1.0, 1.0, max(2, height // VIGNETTE_PX)) * (height / width)
    factors = 1.0 - strength * (x * x + (y * y)[:, None]) ** 1.3
    return cv2.merge([cv2.resize(factors.astype(np.float32), (width, height))] * 3)


def _blur(light: Linear, look: Look, scale: float) -> Linear:
    if look.defocus_px * scale > 0.3:
        light = cv2.GaussianBlur(light, (0, 0), look.defocus_px * scale)
    if look.motion_px * scale > 1.5:
        light = cv2.filter2D(light, -1, _streak(look.motion_px * scale, look.motion_angle))
    if look.sharpening > 0.0:
        soft = cv2.GaussianBlur(light, (0, 0), 1.0)
        light = cv2.addWeighted(light, 1.0 + look.sharpening, soft, -look.sharpening, 0.0)
    return light


def _streak(length_px: float, angle: float) -> Linear:
    """Return a kernel that smears along a line."""
    half = math.ceil(length_px / 2)
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    dx, dy = 0.5 * length_px * math.cos(angle), 0.5 * length_px * math.sin(angle)
    for t in np.linspace(-1.0, 1.0, 4 * half + 1):
        kernel[round(half + t * dy), round(half + t * dx)] += 1.0
    return np.asarray(kernel / kernel.sum())
