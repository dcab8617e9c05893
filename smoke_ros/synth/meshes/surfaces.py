"""What a mesh file's materials look like here: colours, paint, gloss and textures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from smoke_ros.structures import FloatArray
from smoke_ros.synth.meshes.calibration import MeshCalibration
from smoke_ros.synth.scene import Float32Array

#: Names that say so themselves, where the calibration names no materials.
PAINT_NAMES = ('body*', '*paint*', '*_body', 'karosserie*')
GLASS_NAMES = ('*window*', '*glass*', '*windshield*', '*windscreen*')
SHINY_NAMES = ('*light*', '*chrome*', '*metal*', '*lamp*')

GLASS_COLOUR, GLASS_GLOSS = (0.012, 0.014, 0.016), 1.0
PAINT_GLOSS, SHINY_GLOSS, DULL_GLOSS = 0.75, 0.6, 0.1

#: Textures are shrunk to this: a car is rarely larger in a picture.
TEXTURE_PX = 512
#: Of a triangle's samples that are body from which on all of it is painted: dark windows hide it,
#: bare patches of body do not.
PAINTED_SHARE = 0.2
#: Of unit vectors of linear colours: how alike a texel's hue is to the body's.
SAME_HUE = 0.985
#: Texels that are looked at to tell whether a triangle is painted: barycentric weights.
SAMPLES = np.array(
    [[1, 1, 1], [4, 1, 1], [1, 4, 1], [1, 1, 4], [2, 2, 0.5], [0.5, 2, 2], [2, 0.5, 2]]
)
SAMPLES /= SAMPLES.sum(axis=1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Surface:
    """What one material's triangles, (T, 3, ...), look like."""

    #: (T, 3): linear.
    colours: FloatArray
    #: (T,).
    paint: FloatArray
    gloss: float
    #: (H, W, 4) or None.
    texture: npt.NDArray[np.uint8] | None


def linear_from_srgb(values: npt.ArrayLike) -> FloatArray:
    """Turn sRGB values of 0 to 255 into linear ones of 0 to 1."""
    values = np.asarray(values, float) / 255.0
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def named(name: str, patterns: Sequence[str]) -> bool:
    """Whether a material's name is like one of some patterns; case does not matter."""
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


def describe(
    material: Any, uv: Float32Array | None, count: int, calibration: MeshCalibration
) -> Surface:
    """Work out a material's looks.

    Parameters
    ----------
    material
        trimesh's.
    uv
        (T, 3, 2) with (0, 0) at the top left, or None.
    count
        Number of triangles, T.
    calibration
        Names painted materials and says what textures mean.
    """
    name = str(getattr(material, 'name', None) or '')
    if named(name, calibration.glass or GLASS_NAMES):
        colours = np.tile(GLASS_COLOUR, (count, 1))
        return Surface(colours, np.zeros(count), GLASS_GLOSS, None)
    painted = named(name, calibration.paint or PAINT_NAMES)
    gloss = PAINT_GLOSS if painted else DULL_GLOSS
    if not painted and named(name, SHINY_NAMES):
        gloss = SHINY_GLOSS
    image = find_image(material)
    if image is None or uv is None:
        colour = (1.0, 1.0, 1.0) if painted else find_colour(material)
        return Surface(np.tile(colour, (count, 1)), np.full(count, float(painted)), gloss, None)
    texture = np.array(image.convert('RGBA'))
    texels = sample(texture, uv)
    if not painted:
        paint = np.zeros(count)
    else:
        paint = (paint_mask(texels, calibration).mean(axis=1) > PAINTED_SHARE).astype(float)
    if calibration.bake:
        texels = bleach(texels, calibration) if painted else texels
        return Surface(linear_from_srgb(texels[:, 0, :3]), paint, gloss, None)
    texture = shrink(texture)
    if painted:
        texture = bleach(texture, calibration)
    if calibration.alpha != 'opacity':
        texture[..., 3] = 255
    return Surface(np.ones((count, 3)), paint, gloss, texture)


def find_image(material: Any) -> Image.Image | None:
    """Return a material's picture; one of a few texels only stands in for none."""
    image = getattr(material, 'image', None) or getattr(material, 'baseColorTexture', None)
    return image if isinstance(image, Image.Image) and min(image.size) > 2 else None


def find_colour(material: Any) -> FloatArray:
    """Return a material's plain colour, linear."""
    factor = getattr(material, 'baseColorFactor', None)
    if factor is not None:  # glTF's factors are linear, and trimesh keeps them so, times 255
        return np.asarray(factor, float)[:3] / 255.0
    diffuse = getattr(material, 'diffuse', None)
    return linear_from_srgb((150, 150, 150) if diffuse is None else np.asarray(diffuse)[:3])


def paint_mask(
    texels: npt.NDArray[np.uint8], calibration: MeshCalibration
) -> npt.NDArray[np.bool_]:
    """Return which texels, (..., 4), of a painted material are the body's."""
    if calibration.alpha == 'paint':
        return texels[..., 3] >= 128
    if calibration.body_colour:
        body = linear_from_srgb(calibration.body_colour)
        colours = linear_from_srgb(texels[..., :3])
        length = np.maximum(np.linalg.norm(colours, axis=-1), 1e-3)
        return np.asarray(colours @ body > SAME_HUE * length * np.linalg.norm(body))
    return np.ones(texels.shape[:-1], bool)


def bleach(texels: npt.NDArray[np.uint8], calibration: MeshCalibration) -> npt.NDArray[np.uint8]:
    """Make the body's texels grey, white where they have the body's colour, to be painted."""
    if not calibration.body_colour:
        return texels
    grey = 255.0 * texels[..., :3].astype(float).max(axis=-1) / max(calibration.body_colour)
    mask = paint_mask(texels, calibration)
    bleached = texels.copy()
    bleached[mask, :3] = np.clip(grey[mask], 0.0, 255.0).astype(np.uint8)[:, None]
    return bleached


def sample(values: npt.NDArray[Any], uv: Float32Array) -> npt.NDArray[Any]:
    """Return the texels of (H, W, ...) at some points of each triangle, (T, S, ...)."""
    points = np.einsum('sc,tcu->tsu', SAMPLES, uv.astype(float))
    # Textures repeat, but who says 1 means the last texel, not the first.
    points = np.where(np.abs(points - 1.0) < 1e-6, 1.0 - 1e-6, points % 1.0)
    height, width = values.shape[:2]
    columns = np.minimum((points[..., 0] * width).astype(int), width - 1)
    rows = np.minimum((points[..., 1] * height).astype(int), height - 1)
    return np.asarray(values[rows, columns])


def shrink(texture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a texture of at most TEXTURE_PX a side."""
    height, width = texture.shape[:2]
    factor = TEXTURE_PX / max(height, width)
    if factor >= 1:
        return texture
    size = max(1, round(width * factor)), max(1, round(height * factor))
    # Each channel on its own: Pillow would weigh colours with the opacity.
    box = Image.BOX  # type: ignore[attr-defined]  # Ubuntu 22.04's Pillow has no newer name
    channels = [
        Image.fromarray(np.ascontiguousarray(texture[..., i])).resize(size, box) for i in range(4)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)
