"""What lies on the ground: the land, the streets' surfaces and the paint on them, as meshes."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from smoke_ros.structures import FloatArray
from smoke_ros.synth.scene import Instance, Mesh
from smoke_ros.synth.street import CORNER_M, LAND_M, Centreline, Generator, Street, Strip

#: How high paint lies on the carriageway, metres.
PAINT_M = 0.012

#: Linear reflectances: the darkest and the lightest that a surface has.
REFLECTANCES = {
    'asphalt': ((0.045, 0.045, 0.048), (0.24, 0.235, 0.225)),
    'paving': ((0.10, 0.09, 0.085), (0.36, 0.33, 0.30)),
    'kerb': ((0.15, 0.15, 0.145), (0.42, 0.40, 0.38)),
    'grass': ((0.025, 0.045, 0.01), (0.13, 0.15, 0.05)),
    'soil': ((0.08, 0.055, 0.035), (0.24, 0.19, 0.13)),
}
#: Metres that a texture covers.
TILE_M = {'asphalt': 7.0, 'paving': 3.0, 'kerb': 4.0, 'grass': 6.0, 'soil': 8.0}
TEXTURE_PX = 256
TEXTURE_VARIANTS = 3

Texture = npt.NDArray[np.uint8]
Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class Quads:
    """Squares of a mesh in the making: corners counter-clockwise, with their look."""

    corners: FloatArray  # (N, 4, 3)
    colours: FloatArray  # (N, 4, 3)
    uv: FloatArray | None = None  # (N, 4, 2)

    def mesh(self, name: str, texture: Texture | None = None) -> Mesh:
        """Make a mesh that faces where its corners' order says."""
        count = len(self.corners)
        edges = self.corners[:, 1:3] - self.corners[:, :1]
        normals = np.cross(edges[:, 0], edges[:, 1])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        first = 4 * np.arange(count)[:, None]
        triangles = (first + np.array([[0, 1, 2, 0, 2, 3]])).reshape(-1, 3)
        return Mesh(
            name,
            self.corners.reshape(-1, 3).astype(np.float32),
            np.repeat(normals, 4, axis=0).astype(np.float32),
            self.colours.reshape(-1, 3).astype(np.float32),
            np.zeros(4 * count, np.float32),
            triangles.astype(np.int32),
            np.full(4 * count, 0.05, np.float32),
            None if self.uv is None else self.uv.reshape(-1, 2).astype(np.float32),
            texture,
        )


def build_ground(street: Street, rng: Generator) -> list[Instance]:
    """Return the land, the street with its side streets, and what is painted on them."""
    meshes = [_land(street, rng)]
    colours = {name: _draw_reflectance(name, rng) for name in REFLECTANCES}
    meshes += _surfaces(street, colours, rng)
    for _, other in street.crossings:
        meshes += _surfaces(other, colours, rng)
    paint = _paint(street, rng)
    for _, other in street.crossings:
        paint += _paint(other, rng)
    if paint:
        worn = np.full(3, rng.uniform(0.35, 0.9)) * (1.0, 1.0, rng.uniform(0.8, 1.0))
        corners = np.concatenate(paint)
        wear = rng.uniform(0.75, 1.0, (len(corners), 4, 1))
        meshes.append(Quads(corners, worn * wear).mesh('paint'))
    return [Instance(mesh, (0.0, 0.0, 0.0)) for mesh in meshes]


def _draw_reflectance(surface: str, rng: Generator) -> FloatArray:
    dark, light = (np.array(colour) for colour in REFLECTANCES[surface])
    return np.asarray(dark + (light - dark) * rng.beta(1.5, 2.0))


def _land(street: Street, rng: Generator) -> Mesh:
    """Make the land around the street, up to the horizon wherever the camera travels."""
    surface = str(rng.choice(['grass', 'soil', 'paving', 'asphalt'], p=[0.55, 0.1, 0.2, 0.15]))
    x = np.array([-60, -30, -10, 0, 10, 20, 35, 50, 70, 100, 140, 200, 300, 600.0])
    y = np.array([-500, -150, -60, -25, -10, 0, 10, 25, 60, 150, 500.0])
    farther = np.arange(200.0, street.travel_m, 200.0)
    x = np.concatenate((x, x[-1] + farther))
    y = np.concatenate((y[0] - farther[::-1], y, y[-1] + farther))
    grid = np.stack(np.meshgrid(x, y, indexing='ij'), -1)
    points = np.concatenate((grid, street.centreline.land(grid[..., :1]) + LAND_M), -1)
    colour = _draw_reflectance(surface, rng) * rng.uniform(0.7, 1.2, (*grid.shape[:2], 1))
    uv = grid / TILE_M[surface]
    return Quads(_squares(points), _squares(colour), _squares(uv)).mesh(
        'land', _pick_texture(surface, rng)
    )


def _surfaces(street: Street, reflectances: dict[str, FloatArray], rng: Generator) -> list[Mesh]:
    """Make one mesh for each surface of a street."""
    strips = list(street.strips)
    if street.crossings:
        # Corners between two streets are asphalt, where nothing else covers them.
        strips.append(Strip('asphalt', street.right, street.left, CORNER_M))
    meshes = []
    for surface in sorted({strip.surface for strip in strips}):
        quads = [
            quad
            for strip in strips
            if strip.surface == surface
            for quad in _strip(street, strip, reflectances[surface], rng)
        ]
        joined = Quads(
            np.concatenate([quad.corners for quad in quads]),
            np.concatenate([quad.colours for quad in quads]),
            np.concatenate([quad.uv for quad in quads if quad.uv is not None]),
        )
        meshes.append(joined.mesh(surface, _pick_texture(surface, rng)))
    return meshes


def _strip(street: Street, strip: Strip, reflectance: FloatArray, rng: Generator) -> list[Quads]:
    """Make a strip's top, and its sides where it is raised."""
    s = _stations(street.centreline, [edge for gap in street.gaps for edge in gap])
    d = np.linspace(strip.right, strip.left, max(2, int((strip.left - strip.right) / 1.5) + 1))
    points, _ = street.centreline.place(s[:, None], d)
    points[..., 2] += street.height + strip.height
    # Large patches, and lanes that many tyres have polished.
    shade = rng.normal(1.0, 0.08, (len(s), 1, 1)) + rng.normal(0.0, 0.06, (1, len(d), 1))
    colours = reflectance * np.clip(shade, 0.6, 1.4)
    uv = np.stack(np.broadcast_arrays(s[:, None], d), -1) / TILE_M[strip.surface]
    middles = (s[1:] + s[:-1]) / 2
    # A crossing interrupts what is raised; the carriageway itself goes on.
    is_road = strip.right < 0.0 < strip.left and strip.surface == 'asphalt'
    free = np.array([street.is_free(middle) for middle in middles])
    keep = ~free if strip.height == CORNER_M else free | is_road
    keep = np.repeat(keep, len(d) - 1)
    parts = [Quads(_squares(points)[keep], _squares(colours)[keep], _squares(uv)[keep])]
    if strip.height > 0.0:
        for column, order in ((0, [0, 1]), (-1, [1, 0])):
            edge = points[:, [column, column]]
            edge[:, 0, 2] -= strip.height + 0.05
            side = np.stack((edge[:, order[0]], edge[:, order[1]]), 1)
            looks = np.broadcast_to(reflectance * 0.8, (*side.shape[:2], 3))
            coordinates = np.stack(np.broadcast_arrays(s[:, None], [0.0, 0.1]), -1)
            coordinates = coordinates / TILE_M[strip.surface]
            parts.append(
                Quads(_squares(side)[free], _squares(looks)[free], _squares(coordinates)[free])
            )
    return parts


def _stations(line: Centreline, extra: list[float]) -> FloatArray:
    """Return places along a street that lie closer together near the camera."""
    steps = np.concatenate(
        (
            np.arange(-line.behind, 0.0, 5.0),
            np.arange(0.0, 40.0, 2.5),
            np.arange(40.0, line.length, 6.0),
        )
    )
    inside = [value for value in extra if -line.behind < value < line.length]
    return np.unique(np.concatenate((steps, inside)))


def _squares(grid: FloatArray) -> FloatArray:
    """Return the corners (N, 4, K) of a grid's cells (S, D, K), d growing to the left."""
    corners = (grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:])
    return np.stack(corners, 2).reshape(-1, 4, grid.shape[-1])


def _paint(street: Street, rng: Generator) -> list[FloatArray]:
    """Return the corners of painted lines and zebra crossings, each (N, 4, 3)."""
    quads = []
    dash, pause = [(3.0, 6.0), (6.0, 12.0), (3.0, 3.0)][int(rng.integers(3))]
    width = float(rng.uniform(0.1, 0.2))
    reach = min(street.centreline.length, 120.0 + street.travel_m)
    for offset, dashed in street.lines:
        length = dash if dashed else 5.0
        first = -street.centreline.behind + rng.uniform(0, 5)
        starts = np.arange(first, reach - 6.0, length + dashed * pause)
        free = [s for s in starts.tolist() if street.is_free(s + length / 2, length / 2)]
        if free:
            quads.append(_bars(street, np.array(free), length, np.array([offset]), width))
    road = street.strips[0]
    for zebra in street.zebras:
        offsets = np.arange(road.right + 0.6, road.left - 0.3, 1.0)
        quads.append(_bars(street, np.array([zebra]), 3.0, offsets, 0.5))
    for s in (edge for gap in street.gaps for edge in gap):
        lanes = [lane for lane in street.lanes if (lane.direction > 0) == (s == street.gaps[0][0])]
        if lanes and rng.random() < 0.5:
            middles = np.array([lane.offset for lane in lanes])
            quads.append(_bars(street, np.array([s - 0.2]), 0.4, middles, lanes[0].width - 0.3))
    return quads


def _bars(
    street: Street, starts: Numbers, length: float, offsets: Numbers, width: float
) -> FloatArray:
    """Return corners (N, 4, 3) of bars along the street, one for each start and offset."""
    s, d = (grid.ravel() for grid in np.meshgrid(starts, offsets))
    along = s[:, None] + np.array([0.0, length, length, 0.0])
    across = d[:, None] + np.array([-0.5, -0.5, 0.5, 0.5]) * width
    points, _ = street.centreline.place(along, across)
    points[..., 2] += PAINT_M
    return points


def _pick_texture(surface: str, rng: Generator) -> Texture:
    return surface_texture(surface, int(rng.integers(TEXTURE_VARIANTS)))


@functools.cache
def surface_texture(surface: str, variant: int) -> Texture:
    """Return a texture (TEXTURE_PX, TEXTURE_PX, 4) that repeats without a seam, always the same.

    It multiplies a reflectance, so that it is light: 1 is the surface's own colour.
    """
    rng = np.random.default_rng([sorted(REFLECTANCES).index(surface), variant])
    coarse, fine = _noise(rng, 6.0), _noise(rng, 0.8)
    light = 0.82 + 0.05 * coarse + 0.06 * fine
    if surface == 'grass':
        light = 0.65 + 0.14 * _noise(rng, 1.5) + 0.1 * coarse
    elif surface == 'soil':
        light = 0.72 + 0.12 * coarse + 0.08 * fine
    elif surface == 'asphalt' and variant > 0:
        light = light * (1.0 - 0.45 * _cracks(rng, 3))
    elif surface in ('paving', 'kerb'):
        columns = 5 if surface == 'paving' else 1
        light = light * _joints(rng, stones=(5, columns), staggered=variant)
    texture = np.full((TEXTURE_PX, TEXTURE_PX, 4), 255, np.uint8)
    tint = 1.0 + 0.03 * np.stack([_noise(rng, 8.0) for _ in range(3)], -1)
    linear = np.clip(light[..., None] * tint, 0.0, 1.0)
    texture[..., :3] = (255.0 * linear ** (1 / 2.2) + 0.5).astype(np.uint8)
    return texture


def _noise(rng: Generator, blur_px: float) -> FloatArray:
    """Return smooth noise of standard deviation 1 that repeats at the borders."""
    noise = rng.normal(size=(TEXTURE_PX, TEXTURE_PX))
    size = TEXTURE_PX // 4
    padded = np.pad(noise, size, mode='wrap')
    smooth = cv2.GaussianBlur(padded, (0, 0), blur_px)[size:-size, size:-size]
    return np.asarray((smooth - smooth.mean()) / smooth.std())


def _cracks(rng: Generator, count: int) -> FloatArray:
    canvas = np.zeros((TEXTURE_PX, TEXTURE_PX), np.float32)
    for _ in range(count):
        steps = rng.normal(0.0, 6.0, (40, 2)) + rng.normal(0.0, 6.0, 2)
        points = (rng.uniform(0, TEXTURE_PX, 2) + np.cumsum(steps, axis=0)).astype(np.int32)
        cv2.polylines(canvas, [points[:, None]], False, 1.0, 1, cv2.LINE_AA)
    return np.asarray(canvas, float)


def _joints(rng: Generator, stones: tuple[int, int], staggered: int) -> FloatArray:
    """Return the shade of stones of slightly different lightness, dark between them."""
    rows, columns = (2 * n for n in stones)
    row, column = np.indices((TEXTURE_PX, TEXTURE_PX)) / TEXTURE_PX
    across = column * columns + (staggered % 2) * 0.5 * (np.floor(row * rows) % 2)
    own = rng.uniform(0.85, 1.05, (rows, columns))
    which = np.floor(row * rows).astype(int) % rows, np.floor(across).astype(int) % columns
    joint = ((row * rows) % 1.0 < 0.06) | (across % 1.0 < 0.06)
    return np.where(joint, 0.6, own[which])
