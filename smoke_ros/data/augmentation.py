"""Variations of labelled frames: mirrored, shifted and scaled, recoloured.

What is done is drawn first, as an :class:`Augmentation`, and then applied; so a sample follows
from its frame and those few numbers alone.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from smoke_ros.config.data import SHIFT_SCALE_STEP, DataConfig
from smoke_ros.config.model import ModelConfig
from smoke_ros.data.kitti import DONT_CARE, KittiObject
from smoke_ros.geometry import wrap_angle
from smoke_ros.preprocess import Image, InputGeometry
from smoke_ros.random_draws import gaussian_grain, log_uniform
from smoke_ros.structures import CameraModel

#: Shares of blue, green and red in brightness (ITU-R BT.601).
_LUMA_BGR = np.array([0.114, 0.587, 0.299], dtype=np.float32)

#: Standard deviation of the blur that sharpness is measured against, in pixels.
_BLUR_PX = 1.2
#: Standard deviations of the mixture's and of the filter's weights.
_MIXING, _FILTERING = 0.25, 0.08


@dataclass(frozen=True)
class ShiftScale:
    """A window of the image that is laid into the network's input instead of the whole of it."""

    #: By how much the window is moved, in parts of the image's width and height.
    shift: tuple[float, float]
    #: The window's width in widths of the image: above 1 everything looks smaller.
    scale: float


@dataclass(frozen=True)
class Crop:
    """A window within the image along each axis or, where it is larger, around it."""

    #: Where between the two outermost places, along the width and the height, 0 to 1.
    place: tuple[float, float]
    #: The window's width in widths of the image; its height follows from its size.
    scale: float
    #: Width and height that the window gets, instead of the network's input's.
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Augmentation:
    """What is done to one sample; nothing by default."""

    flip: bool = False
    #: Sizes tell depth in such a sample only where the scale is accounted for, as another focal
    #: length; the authors do not, and only the heatmap learns from it.
    shift_scale: ShiftScale | Crop | None = None
    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    #: Exponent of the tone curve.
    gamma: float = 1.0
    #: What a blur would take away is added again so many times; below 0: is taken away.
    sharpness: float = 0.0
    #: Standard deviation, in grey levels.
    noise: float = 0.0
    #: (3, 3) of each channel's new colour, and (3, 3) filter, drawn from this; None: as they are.
    mixing_seed: int | None = None
    noise_seed: int = 0
    #: Shapes that are laid into the image, and what they are drawn from.
    distractors: int = 0
    distractor_seed: int = 0
    #: Patches of other light on it, and what they are drawn from.
    shadows: int = 0
    shadow_seed: int = 0

    @property
    def changes_look(self) -> bool:
        """Whether pixels have other colours afterwards, rather than only other places."""
        others = Augmentation(
            self.flip, self.shift_scale, noise_seed=self.noise_seed,
            distractors=self.distractors, distractor_seed=self.distractor_seed,
            shadows=self.shadows, shadow_seed=self.shadow_seed,
        )  # fmt: skip
        return self != others


def draw_augmentation(config: DataConfig, seed: tuple[int, ...]) -> Augmentation:
    """Draw what is done to a sample; the same for the same seed, such as (seed, epoch, index)."""
    rng = np.random.default_rng(seed)
    # Everything is drawn always, so that one option does not change what another draws.
    flip, shifts = rng.random(2)
    shift_x, shift_y, rescale = rng.random(3)
    brightness, contrast, saturation = 1.0 + config.colour_jitter * rng.uniform(-1.0, 1.0, 3)
    sharp, noise, mixes = rng.random(3)
    sharpness = config.sharpness_jitter * (sharp if sharp > 0.25 else -2.0 * (0.25 - sharp))
    mixing_seed, noise_seed = map(int, rng.integers(1 << 31, size=2))
    distractors = int(rng.integers(config.distractors + 1))
    distractor_seed = int(rng.integers(1 << 31))
    gamma = log_uniform(rng, config.gamma_low, config.gamma_high)
    shadows = int(rng.integers(config.shadows + 1))
    shadow_seed = int(rng.integers(1 << 31))
    shift_scale: ShiftScale | Crop | None = None
    if config.crop_low:
        scale = config.crop_low + (config.crop_high - config.crop_low) * rescale
        size = (config.crop_width, config.crop_height) if config.crop_width else None
        shift_scale = Crop((shift_x, shift_y), scale, size)
    elif shifts < config.shift_scale_probability:
        shift = (_step(shift_x, config.max_shift), _step(shift_y, config.max_shift))
        shift_scale = ShiftScale(shift, 1.0 + _step(rescale, config.max_scale))
    return Augmentation(
        flip=bool(flip < config.flip_probability),
        shift_scale=shift_scale,
        brightness=float(brightness),
        contrast=float(contrast),
        saturation=float(saturation),
        gamma=gamma,
        sharpness=float(sharpness),
        noise=float(config.noise * noise),
        mixing_seed=mixing_seed if mixes < config.colour_mixing else None,
        noise_seed=noise_seed if config.noise else 0,
        distractors=distractors,
        distractor_seed=distractor_seed if distractors else 0,
        shadows=shadows,
        shadow_seed=shadow_seed if shadows else 0,
    )


def _step(uniform: float, most: float) -> float:
    """Turn a number in [0, 1) into one of the multiples of the step from -most to most."""
    steps = math.floor(most / SHIFT_SCALE_STEP + 1e-9)
    return float(SHIFT_SCALE_STEP * (math.floor(uniform * (2 * steps + 1)) - steps))


def input_geometry(
    augmentation: Augmentation, image_size: tuple[int, int], model: ModelConfig
) -> InputGeometry:
    """Return how a frame, mirrored already where it is, is laid into the network's input."""
    width, height = image_size
    x, y = width / 2, height / 2
    if augmentation.flip:
        # As the authors: the centre is mirrored like a pixel's index, so it moves by one pixel.
        x = width - x - 1
    window_width = float(width)
    input_size = (model.input_width, model.input_height)
    window = augmentation.shift_scale
    if isinstance(window, Crop):
        input_size = window.size or input_size
        window_width = window.scale * width
        window_height = window_width * input_size[1] / input_size[0]
        x += abs(width - window_width) * (window.place[0] - 0.5)
        y += abs(height - window_height) * (window.place[1] - 0.5)
    elif window:
        # In single precision as theirs: it decides some grey levels, and so the last digits.
        x = float(np.float32(x + window.shift[0] * width))
        y = float(np.float32(y + window.shift[1] * height))
        window_width = float(np.float32(window.scale * width))
    scale = input_size[0] / window_width
    return InputGeometry.centred(image_size, input_size, scale, (x, y))


def flip_camera(camera: CameraModel) -> CameraModel:
    """Return the camera that sees the mirrored world as the mirrored image."""
    mirror_pixels = np.array([[-1.0, 0.0, camera.width - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    K = mirror_pixels @ camera.K @ np.diag([-1.0, 1.0, 1.0])
    x, y, z = map(float, mirror_pixels @ camera.projection_offset)
    return dataclasses.replace(camera, K=K, projection_offset=(x, y, z))


def flip_object(item: KittiObject, image_width: int) -> KittiObject:
    """Return an object of the mirrored world."""
    x1, y1, x2, y2 = item.bbox_xyxy_px
    mirrored_box = (image_width - 1 - x2, y1, image_width - 1 - x1, y2)
    if item.class_name == DONT_CARE:
        return dataclasses.replace(item, bbox_xyxy_px=mirrored_box)
    x, y, z = item.location
    return dataclasses.replace(
        item,
        location=(-x, y, z),
        rotation_y=float(wrap_angle(math.pi - item.rotation_y)),
        observation_angle=float(wrap_angle(math.pi - item.observation_angle)),
        bbox_xyxy_px=mirrored_box,
    )


def jitter_colours(image: Image, augmentation: Augmentation) -> Image:
    """Change the look of a BGR image (h, w, 3).

    In this order: its colours' mixture, saturation, contrast, brightness, tone curve, sharpness
    and noise.
    """
    if not augmentation.changes_look:
        return image
    varied: npt.NDArray[Any] = image.astype(np.float32)
    if augmentation.mixing_seed is not None:
        varied = _mix_colours(varied, np.random.default_rng(augmentation.mixing_seed))
    changes = (augmentation.brightness, augmentation.contrast, augmentation.saturation)
    if changes != (1.0, 1.0, 1.0):
        grey = (varied @ _LUMA_BGR)[..., None]
        coloured = grey + np.float32(augmentation.saturation) * (varied - grey)
        mean = grey.mean()
        varied = augmentation.brightness * (mean + augmentation.contrast * (coloured - mean))
    if augmentation.gamma != 1.0:
        varied = 255.0 * (varied.clip(0.0, 255.0) / 255.0) ** np.float32(augmentation.gamma)
    if augmentation.sharpness:
        blurred = cv2.GaussianBlur(varied, (0, 0), _BLUR_PX)
        varied = varied + np.float32(augmentation.sharpness) * (varied - blurred)
    if augmentation.noise:
        rng = np.random.default_rng(augmentation.noise_seed)
        grain = gaussian_grain(rng, varied.shape, fine=True)
        varied = varied + np.float32(augmentation.noise) * grain
    return (varied + 0.5).clip(0, 255).astype(np.uint8)


def _mix_colours(image: npt.NDArray[Any], rng: np.random.Generator) -> npt.NDArray[Any]:
    """Give each channel a random mixture of the colours, and filter all of them alike.

    A random convolution (Xu et al., ICLR 2021) near the identity, which keeps brightness.
    """
    mixture = np.eye(3) + rng.normal(0.0, _MIXING, (3, 3))
    mixture /= np.maximum(mixture.sum(axis=1, keepdims=True), 0.3)
    kernel = rng.normal(0.0, _FILTERING, (3, 3))
    kernel[1, 1] += 1.0 - kernel.sum()
    filtered = cv2.filter2D(image, -1, kernel.astype(np.float32), borderType=cv2.BORDER_REFLECT)
    return np.asarray(cv2.transform(filtered, mixture.astype(np.float32)))
