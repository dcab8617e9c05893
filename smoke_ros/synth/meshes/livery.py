"""What is written on a lorry and what the road leaves on it: one texture for all of its surfaces.

The upper half of the texture is wear, by height above the ground: washed-out paint with streaks,
dirt towards the wheels. The lower half holds signs that panels show: lettering, a picture, the
warning stripes of Europe's lorries.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from smoke_ros.structures import FloatArray
from smoke_ros.synth.meshes.shapes import Builder
from smoke_ros.synth.meshes.textures import Texture
from smoke_ros.synth.meshes.wear import draw_wear, unfold_wear
from smoke_ros.synth.scene import Mesh

SIZE_PX = 512
#: The texture's width on a lorry, and the height above the ground that its upper half reaches.
TILE_M, REACH_M = 4.0, 4.2
#: Signs are this many in a column and in a row, four times as wide as high.
ROWS, COLUMNS = 4, 2
#: Their height; the lower half of the texture is full of them.
SIGN_PX = SIZE_PX // 2 // ROWS
#: Which of them are the warning stripes that lean to the left and to the right, and the picture.
STRIPES, PICTURE = (6, 7), 5
LETTERS = 'ABCDEFGHIKLMNOPRSTUVWZ'
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX)
#: Of paint on lorries, sRGB.
INKS = ((245, 245, 240), (20, 20, 24), (170, 20, 25), (20, 50, 130), (10, 100, 50),
        (235, 190, 20), (225, 100, 15), (90, 95, 100))  # fmt: skip
RED, YELLOW, WHITE = (190, 25, 25), (240, 205, 40), (240, 240, 235)


@dataclass(frozen=True, eq=False)
class Livery:
    """A texture with wear above and signs below."""

    texture: Texture

    def unfold(self, points: FloatArray) -> FloatArray:
        """Return where on the texture's wear some points, (V, 3), of a lorry are, (V, 2)."""
        return unfold_wear(points, TILE_M, REACH_M)

    def build(self, builder: Builder) -> Mesh:
        """Make a lorry that looks so of all its parts; nobody sees their inside."""
        return builder.build(self.texture, one_sided=True, unfold=self.unfold)

    @staticmethod
    def sign(index: int) -> FloatArray:
        """Return a sign's corners, (4, 2): the lower left one first, then against the clock."""
        row, column = divmod(index % (ROWS * COLUMNS), COLUMNS)
        edge = 1.5 / SIZE_PX
        left, right = column / COLUMNS + edge, (column + 1) / COLUMNS - edge
        top = 0.5 + row * SIGN_PX / SIZE_PX + edge
        bottom = 0.5 + (row + 1) * SIGN_PX / SIZE_PX - edge
        return np.array([(left, bottom), (right, bottom), (right, top), (left, top)])


def draw_livery(rng: np.random.Generator) -> Livery:
    """Draw how worn a lorry is and what is written on it."""
    half = SIZE_PX // 2
    texture = np.full((SIZE_PX, SIZE_PX, 4), 255, np.uint8)
    texture[:half, :, :3] = draw_wear(rng, (SIZE_PX, half), REACH_M)
    wide = SIZE_PX // COLUMNS
    for index in range(ROWS * COLUMNS):
        row, column = divmod(index, COLUMNS)
        if index in STRIPES:
            sign = _draw_stripes(rng, index == STRIPES[0])
        elif index == PICTURE:
            sign = _draw_picture(rng)
        else:
            sign = _draw_lettering(rng)
        top = half + row * SIGN_PX
        texture[top : top + SIGN_PX, column * wide : (column + 1) * wide, :3] = sign
    return Livery(texture)


def _blank(rng: np.random.Generator) -> tuple[np.ndarray, tuple[int, ...], tuple[int, ...]]:
    """Return an empty sign and the colours of its ground and of its ink."""
    ground, ink = rng.choice(len(INKS), 2, replace=False).tolist()
    sign = np.full((SIGN_PX, SIZE_PX // COLUMNS, 3), INKS[ground], np.uint8)
    return sign, INKS[ground], INKS[ink]


def _draw_lettering(rng: np.random.Generator) -> np.ndarray:
    sign, _, ink = _blank(rng)
    font = FONTS[int(rng.integers(len(FONTS)))]
    lines = int(rng.integers(1, 3))
    for line in range(lines):
        count = int(rng.integers(4, 13))
        text = ''.join(LETTERS[int(i)] for i in rng.integers(len(LETTERS), size=count))
        thick = int(rng.integers(1, 5))
        (wide, high), _ = cv2.getTextSize(text, font, 1.0, thick)
        scale = min(0.9 * sign.shape[1] / wide, 0.75 * SIGN_PX / lines / high)
        foot = int((line + 0.87) * SIGN_PX / lines)
        left = int(rng.uniform(0.04, 0.1) * sign.shape[1])
        cv2.putText(sign, text, (left, foot), font, scale, ink, thick, cv2.LINE_AA)
    return sign


def _draw_picture(rng: np.random.Generator) -> np.ndarray:
    """Return what adverts look like from afar: large round and slanted patches."""
    sign, _, _ = _blank(rng)
    high, wide = sign.shape[:2]
    for _ in range(int(rng.integers(2, 6))):
        colour = INKS[int(rng.integers(len(INKS)))]
        middle = int(rng.integers(wide)), int(rng.integers(high))
        if rng.random() < 0.5:
            cv2.circle(sign, middle, int(rng.integers(8, 40)), colour, -1, cv2.LINE_AA)
        else:
            end = int(rng.integers(wide)), int(rng.integers(high))
            cv2.line(sign, middle, end, colour, int(rng.integers(3, 30)), cv2.LINE_AA)
    return sign


def _draw_stripes(rng: np.random.Generator, leans_left: bool) -> np.ndarray:
    ground = YELLOW if rng.random() < 0.6 else WHITE
    across, down = np.meshgrid(np.arange(SIZE_PX // COLUMNS), np.arange(SIGN_PX))
    sign = 1 if leans_left else -1
    is_red = (across + sign * down) % (0.75 * SIGN_PX) < 0.375 * SIGN_PX
    return np.asarray(np.where(is_red[..., None], RED, ground)).astype(np.uint8)
