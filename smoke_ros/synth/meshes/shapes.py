"""Building blocks of meshes: boxes, prisms, tubes, balls, lofts, and a builder that joins them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from smoke_ros.structures import FloatArray, Vector3
from smoke_ros.synth.meshes.textures import Texture
from smoke_ros.synth.scene import Mesh

Triangles = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Look:
    """What a surface looks like."""

    #: Linear reflectance.
    colour: Vector3
    gloss: float = 0.05
    #: How much of an instance's paint it takes, 0 to 1.
    paint: float = 0.0


#: Surfaces in everyday use.
PAINT = Look((1.0, 1.0, 1.0), gloss=0.75, paint=1.0)
GLASS = Look((0.012, 0.014, 0.016), gloss=1.0)
#: Pillars and frames of windows, of black foil or lacquer.
DARK_TRIM = Look((0.014, 0.014, 0.015), gloss=0.6)
RUBBER = Look((0.02, 0.02, 0.021), gloss=0.05)
PLASTIC = Look((0.035, 0.035, 0.036), gloss=0.2)
UNDERBODY = Look((0.015, 0.015, 0.015))
CHROME = Look((0.55, 0.55, 0.56), gloss=0.85)
GALVANISED_ROOF = Look((0.2, 0.2, 0.2), 0.1)
STEEL = Look((0.3, 0.3, 0.31), gloss=0.4)
HEADLIGHT = Look((0.75, 0.76, 0.78), gloss=1.0)
TAILLIGHT = Look((0.38, 0.012, 0.012), gloss=0.8)
INDICATOR = Look((0.75, 0.28, 0.03), gloss=0.7)
GALVANISED = Look((0.32, 0.33, 0.34), gloss=0.3)
PLATE = Look((0.75, 0.75, 0.72), gloss=0.3)


#: Positions, normals, looks, triangles and, if they have any, texture coordinates.
_Part = tuple[FloatArray, FloatArray, FloatArray, Triangles, FloatArray | None]


@dataclass
class Builder:
    """Collects triangles and makes a mesh of them."""

    name: str
    #: Whether the mesh is moved so that it stands on z = 0, its footprint's middle at the origin.
    is_grounded: bool = True
    _parts: list[_Part] = field(default_factory=list)

    def add(
        self, points: npt.ArrayLike, triangles: npt.ArrayLike, look: Look, *,
        normals: npt.ArrayLike | None = None, uv: npt.ArrayLike | None = None,
        shade: npt.ArrayLike = 1.0,
    ) -> Builder:  # fmt: skip
        """Add triangles; without normals each face gets its own and is flat.

        Parameters
        ----------
        points
            (V, 3).
        triangles
            (T, 3), counter-clockwise from outside.
        look
            Of all of them.
        normals
            (V, 3), any length.
        uv
            (V, 2).
        shade
            Factor of the colour, () or (V,).
        """
        points = np.asarray(points, float)
        triangles = np.asarray(triangles, np.int32).reshape(-1, 3)
        shade = np.broadcast_to(np.asarray(shade, float), len(points))
        uv = None if uv is None else np.asarray(uv, float)
        if normals is None:
            order = triangles.reshape(-1)
            points, shade = points[order], shade[order]
            uv = None if uv is None else uv[order]
            corners = points.reshape(-1, 3, 3)
            faces = cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            normals = np.repeat(faces, 3, axis=0)
            triangles = np.arange(len(points), dtype=np.int32).reshape(-1, 3)
        normals = np.asarray(normals, float)
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        normals = np.where(length > 0, normals / np.maximum(length, 1e-12), (0.0, 0.0, 1.0))
        looks = np.column_stack(
            (np.outer(shade, look.colour), np.full((len(points), 2), (look.paint, look.gloss)))
        )
        self._parts.append((points, normals, looks, triangles, uv))
        return self

    def add_mesh(self, mesh: Mesh, positions: FloatArray, normals: FloatArray) -> Builder:
        """Add all of a mesh at other places."""
        looks = np.column_stack((mesh.colours, mesh.paint, mesh.gloss)).astype(float)
        uv = None if mesh.uv is None else np.asarray(mesh.uv, float)
        self._parts.append((positions, normals, looks, mesh.triangles, uv))
        return self

    def build(
        self, texture: Texture | None = None, *, one_sided: bool = False,
        unfold: Callable[[FloatArray], FloatArray] | None = None,
    ) -> Mesh:  # fmt: skip
        """Join everything that was added.

        Parameters
        ----------
        texture
            Multiplies all colours.
        one_sided
            Nobody sees the inside.
        unfold
            Says where on the texture points, (V, 3), of parts are that were added without uv;
            without it they are at its top left corner.
        """
        points, normals, looks, triangles, given = zip(*self._parts, strict=True)
        unfold = unfold or (lambda each: np.zeros((len(each), 2)))
        uv = [unfold(at) if each is None else each for at, each in zip(points, given, strict=True)]
        starts = np.cumsum([0, *(len(each) for each in points[:-1])])
        joined = [each + start for each, start in zip(triangles, starts, strict=True)]
        values = np.concatenate(looks).astype(np.float32)
        place = np.concatenate(points)
        if self.is_grounded:
            low, high = place.min(axis=0), place.max(axis=0)
            place = place - (*((low + high) / 2)[:2], low[2])
        return Mesh(
            self.name,
            place.astype(np.float32),
            np.concatenate(normals).astype(np.float32),
            np.ascontiguousarray(values[:, :3]),
            np.ascontiguousarray(values[:, 3]),
            np.concatenate(joined).astype(np.int32),
            np.ascontiguousarray(values[:, 4]),
            None if texture is None else np.concatenate(uv).astype(np.float32),
            texture,
            one_sided=one_sided,
        )

    def box(
        self, low: Vector3, high: Vector3, look: Look, *, top: float = 1.0, turn: float = 0.0
    ) -> Builder:
        """Add a box from its lowest to its highest corner.

        Parameters
        ----------
        low, high
            Corners.
        look
            Of its surface.
        top
            Factor by which its top is smaller than its foot.
        turn
            About the z axis through its middle, radians.
        """
        middle, half = (np.array(high) + low) / 2, (np.array(high) - low) / 2
        corners = np.array([[x, y, z] for z in (-1, 1) for y in (-1, 1) for x in (-1, 1)], float)
        corners[4:, :2] *= top
        corners *= half
        cos, sin = np.cos(turn), np.sin(turn)
        corners[:, :2] = corners[:, :2] @ np.array([[cos, sin], [-sin, cos]])
        faces = [
            [0, 4, 6, 2],
            [1, 3, 7, 5],
            [0, 1, 5, 4],
            [2, 6, 7, 3],
            [0, 2, 3, 1],
            [4, 5, 7, 6],
        ]
        return self.add(corners + middle, quads(faces), look)

    def quad(self, corners: npt.ArrayLike, look: Look, uv: npt.ArrayLike | None = None) -> Builder:
        """Add a flat square of four corners, counter-clockwise from outside."""
        return self.add(corners, [[0, 1, 2], [0, 2, 3]], look, uv=uv)

    def tube(
        self, start: Vector3, end: Vector3, radius: float | tuple[float, float], look: Look,
        *, sides: int = 8, closed: bool = True,
    ) -> Builder:  # fmt: skip
        """Add a round bar between two points, whose radius may differ at its ends."""
        axis = np.array(end, float) - start
        axis /= np.linalg.norm(axis)
        across = np.cross(axis, (0.0, 0.0, 1.0) if abs(axis[2]) < 0.9 else (0.0, 1.0, 0.0))
        across /= np.linalg.norm(across)
        angles = np.linspace(0.0, 2.0 * np.pi, sides, endpoint=False)[:, None]
        ring = np.cos(angles) * across + np.sin(angles) * np.cross(axis, across)
        first, second = (radius, radius) if isinstance(radius, (int, float)) else radius
        points = np.concatenate((start + first * ring, end + second * ring))
        i = np.arange(sides)
        j = (i + 1) % sides
        self.add(points, quads(np.stack((i, j, j + sides, i + sides), 1)), look,
                 normals=np.concatenate((ring, ring)))  # fmt: skip
        if closed:
            fan = np.stack((np.zeros(sides - 2, int), i[1:-1], i[2:]), 1)
            self.add(points[:sides], fan[:, ::-1], look)
            self.add(points[sides:], fan, look)
        return self

    def ball(
        self, middle: Vector3, radii: Vector3, look: Look, *, sides: int = 8, rings: int = 5,
        bumps: npt.ArrayLike = 0.0, wrapped: bool = True,
    ) -> Builder:  # fmt: skip
        """Add an ellipsoid.

        Parameters
        ----------
        middle, radii
            In the object frame.
        look
            Of its surface.
        sides, rings
            How finely it is divided.
        bumps
            Relative offsets of its vertices along their rays.
        wrapped
            Whether the whole texture goes once around it; otherwise it is unfolded as the rest.
        """
        elevations = np.linspace(-np.pi / 2, np.pi / 2, rings + 1)
        azimuths = np.linspace(0.0, 2.0 * np.pi, sides + 1)
        e, a = np.meshgrid(elevations, azimuths, indexing='ij')
        unit = np.stack((np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)), -1)
        size = 1.0 + np.broadcast_to(np.asarray(bumps, float), unit.shape[:2])[..., None]
        points = middle + unit * size * radii
        uv = np.stack((a / (2.0 * np.pi), -e / np.pi), -1).reshape(-1, 2) if wrapped else None
        return self.add(points.reshape(-1, 3), grid(rings + 1, sides + 1)[:, ::-1], look,
                        normals=(unit / radii).reshape(-1, 3), uv=uv)  # fmt: skip

    def prism(
        self, outline: Sequence[tuple[float, float]], y: tuple[float, float], look: Look
    ) -> Builder:
        """Add an (x, z) outline, counter-clockwise seen from -y, that reaches from y[0] to y[1].

        Its ends are drawn as a fan around their middle, which suits convex outlines and stars.
        """
        profile = np.array(outline, float)
        count = len(profile)
        middle = profile.mean(axis=0)
        sheet = np.concatenate((profile, [middle]))
        near = np.column_stack((sheet[:, 0], np.full(count + 1, y[0]), sheet[:, 1]))
        far = np.add(near, (0.0, y[1] - y[0], 0.0))
        i = np.arange(count)
        j = (i + 1) % count
        fan = np.stack((np.full(count, count), i, j), 1)
        self.add(near, fan, look)
        self.add(far, fan[:, ::-1], look)
        points = np.concatenate((near[:-1], far[:-1]))
        return self.add(points, quads(np.stack((i, i + count, j + count, j), 1)), look)


def quads(corners: npt.ArrayLike) -> Triangles:
    """Split four-cornered faces, (N, 4), into triangles, (2 N, 3)."""
    faces = np.asarray(corners, np.int32)
    return faces[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)


def grid(rows: int, columns: int) -> Triangles:
    """Return the triangles of a grid of vertices, row by row.

    They are counter-clockwise where columns run to the right and rows run down.
    """
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1)
    return quads(np.stack((first, first + columns, first + columns + 1, first + 1), 1))


def smooth_normals(points: FloatArray, rows: int, columns: int) -> FloatArray:
    """Return the normals of a smooth surface through a grid of points, (rows * columns, 3)."""
    surface = points.reshape(rows, columns, 3)
    return cross(_slopes(surface), _slopes(surface.swapaxes(0, 1)).swapaxes(0, 1)).reshape(-1, 3)


def cross(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return vector products along the last axis, for few vectors faster than numpy's."""
    (ax, ay, az), (bx, by, bz) = np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)
    return np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), -1)


def _slopes(surface: FloatArray) -> FloatArray:
    """Return the direction of a surface along its first axis, not to scale."""
    slopes = np.empty_like(surface)
    slopes[1:-1] = 0.5 * (surface[2:] - surface[:-2])
    slopes[0], slopes[-1] = surface[1] - surface[0], surface[-1] - surface[-2]
    return slopes


def add_sheet(
    builder: Builder, points: FloatArray, look: Look, outwards: npt.ArrayLike, *,
    lift: float = 0.0, shade: npt.ArrayLike = 1.0, uv: FloatArray | None = None,
) -> None:  # fmt: skip
    """Add a smooth surface through a grid of points.

    Parameters
    ----------
    builder
        What it is added to.
    points
        (rows, columns, 3).
    look
        Of the surface.
    outwards
        A direction on the surface's outer side, seen from its middle.
    lift
        Metres to move it outwards, to lie on top of another surface.
    shade
        Factor of the colour.
    uv
        (rows, columns, 2), or None.
    """
    rows, columns = points.shape[:2]
    normals = smooth_normals(points, rows, columns)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    triangles = grid(rows, columns)
    if normals.mean(axis=0) @ np.asarray(outwards, float) < 0:
        normals = -normals
        triangles = triangles[:, ::-1]
    lifted = points.reshape(-1, 3) + lift * normals
    flat = None if uv is None else uv.reshape(-1, 2)
    builder.add(lifted, triangles, look, normals=normals, shade=shade, uv=flat)


def add_panel(
    builder: Builder, x: tuple[float, float], y: float, z: tuple[float, float], look: Look
) -> None:
    """Add a flat panel on the side of a vehicle, which is that of y's sign."""
    corners = np.array([(x[0], y, z[0]), (x[1], y, z[0]), (x[1], y, z[1]), (x[0], y, z[1])])
    builder.quad(corners if y < 0 else corners[::-1], look)


def add_end_panel(
    builder: Builder, x: tuple[float, ...], half: float, z: tuple[float, float], look: Look
) -> None:
    """Add a panel at the end of a vehicle, whose foot and top may be at different places."""
    corners = np.array([(x[0], -half, z[0]), (x[0], half, z[0]), (x[1], half, z[1]),
                        (x[1], -half, z[1])])  # fmt: skip
    builder.quad(corners if x[0] > 0 else corners[::-1], look)
