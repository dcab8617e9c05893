"""Number plates of cars and the dirt on them: one texture for all of a car's surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from smoke_ros.structures import FloatArray
from smoke_ros.synth.meshes.livery import LETTERS
from smoke_ros.synth.meshes.shapes import Builder
from smoke_ros.synth.meshes.textures import Texture
from smoke_ros.synth.meshes.wear import draw_wear, unfold_wear
from smoke_ros.synth.scene import Mesh

#: Width and height of the texture; the wear has its upper half, the plate its lower one.
WIDTH_PX, HEIGHT_PX = 256, 128
#: Metres that the texture is wide on a car, and how high the wear reaches.
TILE_M, REACH_M = 2.5, 2.4
#: Where on the texture the plate is: a margin of a texel keeps the wear out of it.
PLATE_TOP, PLATE_FOOT = 0.5 + 1.5 / HEIGHT_PX, 1.0 - 1.5 / HEIGHT_PX
BLUE, INK = (15, 50, 140), (25, 25, 28)
GROUNDS = ((245, 245, 240), (245, 245, 240), (235, 205, 60))


@dataclass(frozen=True, eq=False)
class Finish:
    """A texture with wear above and a number plate below."""

    texture: Texture

    def build(self, builder: Builder) -> Mesh:
        """Make a car that looks so of all its parts; nobody sees their inside."""
        return builder.build(self.texture, one_sided=True, unfold=self._unfold)

    @staticmethod
    def _unfold(points: FloatArray) -> FloatArray:
        return unfold_wear(points, TILE_M, REACH_M)

    @staticmethod
    def plate(across: FloatArray, up: FloatArray) -> FloatArray:
        """Return where on the texture parts of the plate are, (..., 2).

        Parameters
        ----------
        across
            0 to 1 from the left to the right, as it is read.
        up
            0 to 1 from its foot to its top.
        """
        across, up = np.broadcast_arrays(across, up)
        return np.stack((across, PLATE_FOOT + up * (PLATE_TOP - PLATE_FOOT)), -1)


def draw_finish(rng: np.random.Generator) -> Finish:
    """Draw how dirty a car is and its number."""
    texture = np.full((HEIGHT_PX, WIDTH_PX, 4), 255, np.uint8)
    half = HEIGHT_PX // 2
    texture[:half, :, :3] = draw_wear(
        rng, (WIDTH_PX, half), REACH_M, most_faded=0.06, cleanness=4.0
    )
    texture[half:, :, :3] = _draw_plate(rng, half)
    return Finish(texture)


def _draw_plate(rng: np.random.Generator, high: int) -> np.ndarray:
    """Return (high, WIDTH_PX, 3): letters and digits, mostly beside a blue band."""
    plate = np.full((high, WIDTH_PX, 3), GROUNDS[int(rng.integers(len(GROUNDS)))], np.uint8)
    left = 0
    if rng.random() < 0.8:
        left = WIDTH_PX // 11
        plate[:, :left] = BLUE
    town, series = (
        ''.join(LETTERS[int(i)] for i in rng.integers(len(LETTERS), size=int(rng.integers(1, 3))))
        for _ in range(2)
    )
    text = f'{town} {series} {int(rng.integers(1, 9999))}'
    font, thick = cv2.FONT_HERSHEY_SIMPLEX, 6
    (wide, tall), _ = cv2.getTextSize(text, font, 1.0, 2)
    room = WIDTH_PX - left
    scale = min(0.9 * room / wide, 0.62 * high / tall)
    start = left + int((room - scale * wide) / 2)
    cv2.putText(plate, text, (start, int((high + scale * tall) / 2)), font, scale, INK, thick,
                cv2.LINE_AA)  # fmt: skip
    cv2.rectangle(plate, (0, 0), (WIDTH_PX - 1, high - 1), INK, 2)
    return plate
