"""Streets as they may be: their course, lanes, edges and parking rows, without any picture.

A place on a street is ``(s, d)``: metres along its centreline, and to the left of it. The camera's
own street begins at the world's origin and runs along +x; traffic keeps to the right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from smoke_ros.structures import FloatArray

Generator = np.random.Generator
Range = tuple[float, float]

#: How far streets reach behind the origin and ahead of it, metres; a side street less far ahead.
BEHIND_M, AHEAD_M, SIDE_AHEAD_M = 30.0, 190.0, 90.0
#: Of vehicles on side streets, m/s.
SIDE_SPEED = (3.0, 9.0)

#: Heights above one another, metres, that keep surfaces apart where they overlap.
LAND_M, CORNER_M, SIDE_STREET_M = -0.06, -0.04, -0.02


class Centreline:
    """A curve in the plane that bends gently, and the rise of the land under it.

    Parameters
    ----------
    curvatures
        1/m, one each for equally long parts from the origin on; before it the street is straight.
    origin, heading
        Where s = 0 is, metres, and which way it leads there, radians.
    rise
        1/m: the land is rise * x^2 / 2 high, the same for all streets of a scene.
    length, behind
        Metres ahead of the origin, and behind it.
    """

    def __init__(
        self,
        curvatures: tuple[float, ...] = (0.0,),
        origin: tuple[float, float] = (0.0, 0.0),
        heading: float = 0.0,
        rise: float = 0.0,
        length: float = AHEAD_M,
        behind: float = BEHIND_M,
    ) -> None:
        self.rise, self.length, self.behind = rise, length, behind
        self._before = zero = math.ceil(behind)
        self._s = np.arange(-zero, length + 1.0)
        part = np.clip(self._s / length * len(curvatures), 0, len(curvatures) - 1).astype(int)
        bend = np.where(self._s < 0.0, 0.0, np.asarray(curvatures)[part])
        # A car's wheel turns gradually.
        bend = np.convolve(np.pad(bend, 10, mode='edge'), np.full(21, 1 / 21), 'valid')
        angle = np.cumsum(bend)
        self._angle = angle - angle[zero] + heading
        x, y = np.cumsum(np.cos(self._angle)), np.cumsum(np.sin(self._angle))
        self._x, self._y = x - x[zero] + origin[0], y - y[zero] + origin[1]
        # Single places are looked up by the thousand: lists are faster there than arrays.
        columns = (self._x.tolist(), self._y.tolist(), self._angle.tolist())
        self._table = list(zip(*columns, strict=True))

    def place(self, s: npt.ArrayLike, d: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return world points (..., 3) and headings (...) of places on the street."""
        s, d = np.broadcast_arrays(np.asarray(s, float), np.asarray(d, float))
        angle = np.interp(s, self._s, self._angle)
        x = np.interp(s, self._s, self._x) - d * np.sin(angle)
        y = np.interp(s, self._s, self._y) + d * np.cos(angle)
        return np.stack((x, y, self.land(x)), -1), angle

    def pose(self, s: float, d: float) -> tuple[float, float, float, float]:
        """Return world x, y, z and heading of one place on the street."""
        at = s + self._before
        index = int(min(max(at, 0.0), len(self._table) - 2.0))
        part = at - index  # beyond 0 and 1 the street goes on straight ahead
        x0, y0, angle0 = self._table[index]
        x1, y1, angle1 = self._table[index + 1]
        angle = angle0 + min(max(part, 0.0), 1.0) * (angle1 - angle0)
        x = x0 + part * (x1 - x0) - d * math.sin(angle)
        y = y0 + part * (y1 - y0) + d * math.cos(angle)
        return x, y, 0.5 * self.rise * min(max(x, -200.0), 300.0) ** 2, angle

    def locate(self, x: float, y: float) -> tuple[float, float]:
        """Return s and d of a world point: what :meth:`pose` undoes."""
        i = int(np.argmin((self._x - x) ** 2 + (self._y - y) ** 2))
        dx, dy, angle = x - self._x[i], y - self._y[i], self._angle[i]
        cos, sin = math.cos(angle), math.sin(angle)
        return float(self._s[i] + dx * cos + dy * sin), float(dy * cos - dx * sin)

    def land(self, x: FloatArray) -> FloatArray:
        """Return how high the land is, metres."""
        return np.asarray(0.5 * self.rise * np.clip(x, -200.0, 300.0) ** 2)


@dataclass(frozen=True)
class Lane:
    """A lane, its middle `offset` metres left of the centreline."""

    offset: float
    width: float
    #: +1 along the centreline, -1 against it.
    direction: int


@dataclass(frozen=True)
class Strip:
    """A band of one surface along a street, from `right` to `left` metres of the centreline."""

    surface: str
    right: float
    left: float
    height: float = 0.0


@dataclass(frozen=True)
class ParkingRow:
    """Where cars stand in a row, side by side or one behind another."""

    offset: float
    #: Of the cars against the street, radians.
    angle: float


@dataclass(frozen=True)
class StreetKind:
    """What streets of one kind have in common; ranges are drawn from uniformly."""

    share: float
    lanes: tuple[int, int] = (1, 1)
    oncoming: tuple[int, int] = (1, 1)
    lane_width: Range = (3.0, 3.6)
    median: Range = (0.0, 0.0)
    parking: float = 0.0
    pavement: float = 1.0
    verge: Range = (0.0, 0.0)
    #: Probability of a row of buildings on a side, and how far behind the pavement they stand.
    buildings: float = 0.0
    setback: Range = (0.0, 2.0)
    hedges: float = 0.2
    fences: float = 0.15
    guard_rail: float = 0.0
    #: Metres between trees on a side that has some, and the probability of that.
    tree_gap: Range = (7.0, 20.0)
    trees: float = 0.6
    #: Trees without order behind everything else.
    woods: float = 0.3
    #: Standard deviation, 1/m.
    curvature: float = 0.003
    crossing: float = 0.3
    #: Metres between vehicles in a lane.
    gap: Range = (8.0, 60.0)
    #: Mean numbers of people and cyclists.
    people: float = 3.0
    cyclists: float = 1.0
    large: float = 0.1
    centre_line: float = 0.9
    speed: Range = (7.0, 14.0)


KINDS = {
    'urban': StreetKind(
        share=0.3, parking=0.75, buildings=0.85, hedges=0.15, trees=0.45, people=4.0,
        cyclists=1.3, crossing=0.35,
    ),
    'residential': StreetKind(
        share=0.24, lane_width=(2.5, 3.0), parking=0.8, verge=(0.0, 1.5), buildings=0.7,
        setback=(3.0, 9.0), hedges=0.6, fences=0.5, trees=0.6, curvature=0.005, gap=(20.0, 90.0),
        people=2.5, centre_line=0.15, large=0.06, speed=(5.0, 9.0),
    ),
    'avenue': StreetKind(
        share=0.2, lanes=(2, 3), oncoming=(1, 3), lane_width=(3.1, 3.6), median=(0.0, 6.0),
        parking=0.3, verge=(0.0, 4.0), buildings=0.45, setback=(2.0, 12.0), hedges=0.3, trees=0.75,
        curvature=0.002, crossing=0.45, gap=(7.0, 40.0), cyclists=1.2, large=0.16,
        speed=(9.0, 15.0),
    ),
    'country': StreetKind(
        share=0.1, lane_width=(3.0, 3.7), pavement=0.2, verge=(1.0, 4.0), hedges=0.45,
        guard_rail=0.3, tree_gap=(6.0, 30.0), trees=0.7, woods=0.8, curvature=0.004, crossing=0.1,
        gap=(15.0, 110.0), people=0.4, cyclists=0.4, large=0.15, speed=(14.0, 22.0),
    ),
    'motorway': StreetKind(
        share=0.08, lanes=(2, 3), oncoming=(2, 3), lane_width=(3.4, 3.8), median=(1.5, 5.0),
        pavement=0.0, verge=(2.0, 5.0), hedges=0.3, guard_rail=0.8, trees=0.6, woods=0.7,
        curvature=0.001, crossing=0.0, gap=(12.0, 70.0), people=0.0, cyclists=0.0, large=0.3,
        speed=(20.0, 32.0),
    ),
    'parking_lot': StreetKind(
        share=0.07, lane_width=(2.8, 3.6), parking=1.0, buildings=0.5, setback=(1.0, 10.0),
        hedges=0.4, fences=0.3, trees=0.4, curvature=0.001, crossing=0.0, gap=(25.0, 120.0),
        centre_line=0.1, speed=(3.0, 6.0),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Street:
    """One street: what stands and drives on it comes later."""

    kind: StreetKind
    centreline: Centreline
    lanes: tuple[Lane, ...]
    strips: tuple[Strip, ...]
    rows: tuple[ParkingRow, ...]
    #: Middles of the pavements, where people walk; metres left of the centreline.
    walks: tuple[float, ...]
    #: Outer edges of all strips: metres right (negative) and left of the centreline.
    right: float
    left: float
    #: Offsets of painted lines, and whether they are dashed.
    lines: tuple[tuple[float, bool], ...]
    #: Where it is crossed, metres along it, and by what.
    crossings: tuple[tuple[float, Street], ...] = ()
    #: Where a zebra crossing lies.
    zebras: tuple[float, ...] = ()
    #: Parts [from, to] that belong to another street: nothing is built there.
    gaps: tuple[Range, ...] = field(default=())
    #: How far the camera will drive: the street is furnished so much farther, metres.
    travel_m: float = 0.0
    #: Of the carriageway above the land's rise, metres.
    height: float = 0.0

    def is_free(self, s: float, margin: float = 0.0) -> bool:
        """Whether a place along it is not part of a crossing."""
        return all(not start - margin < s < end + margin for start, end in self.gaps)

    def pose(self, s: float, d: float) -> tuple[float, float, float, float]:
        """Return world x, y, z and heading of a place on whatever surface is there."""
        x, y, z, heading = self.centreline.pose(s, d)
        return x, y, z + self.height_at(s, d), heading

    def height_at(self, s: float, d: float) -> float:
        """Return how high the uppermost surface is at a place, metres above the land's rise."""
        heights = [LAND_M]
        is_inside, is_free = self.right <= d <= self.left, self.is_free(s)
        if is_inside:
            # A crossing interrupts all but the carriageway, which is the first.
            strips = self.strips if is_free else self.strips[:1]
            heights += [
                self.height + strip.height for strip in strips if strip.right <= d <= strip.left
            ]
        if self.crossings and not (is_inside and is_free):
            x, y, *_ = self.centreline.pose(s, d)
            heights += [
                other.height_at(*other.centreline.locate(x, y)) for _, other in self.crossings
            ]
            if is_inside:
                heights.append(CORNER_M)
        return max(heights)


def draw_street(
    rng: Generator, kind_name: str = '', *, travel_m: float = 0.0, duration_s: float = 0.0,
    eventful: bool = False,
) -> Street:  # fmt: skip
    """Draw the street that the camera is on.

    Parameters
    ----------
    rng
        What everything is drawn from.
    kind_name
        One of :data:`KINDS`; drawn too where it is empty.
    travel_m, duration_s
        How far the camera will drive on it, metres, and for how long.
    eventful
        Whether there is a crossing and a zebra crossing in any case.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    if kind_name and kind_name not in KINDS:
        known = ', '.join(KINDS)
        raise ValueError(f'the kind of street must be one of {known}, got {kind_name!r}')
    if not kind_name:
        shares = np.array([kind.share for kind in KINDS.values()])
        kind_name = str(rng.choice(list(KINDS), p=shares / shares.sum()))
    kind = KINDS[kind_name]
    parts = tuple(rng.normal(0.0, kind.curvature, int(rng.integers(1, 4))).tolist())
    rise = float(rng.normal(0.0, 1.5e-4)) * (travel_m == 0.0)
    centreline = Centreline(parts, rise=rise, length=AHEAD_M + travel_m)
    street = _lay_out(kind_name, centreline, rng)
    if rng.random() < kind.crossing or eventful:
        street = _with_crossing(street, SIDE_SPEED[1] * duration_s, rng)
    zebras: tuple[float, ...] = ()
    if kind_name not in ('country', 'motorway') and (rng.random() < 0.3 or eventful):
        drawn = rng.uniform(5.0, 45.0, 5).tolist()
        zebras = tuple(s for s in drawn if street.is_free(s, 4.0))[:1]
    return replace(street, zebras=zebras, travel_m=travel_m)


def _lay_out(name: str, centreline: Centreline, rng: Generator, plain: bool = False) -> Street:
    """Draw lanes and edges of a street of one kind; a plain one has no parking rows."""
    kind = KINDS[name]
    width = float(rng.uniform(*kind.lane_width))
    median = float(rng.uniform(*kind.median))
    own, oncoming = (int(rng.integers(low, high + 1)) for low, high in (kind.lanes, kind.oncoming))
    lanes = [Lane(-median / 2 - (i + 0.5) * width, width, +1) for i in range(own)]
    lanes += [Lane(median / 2 + (i + 0.5) * width, width, -1) for i in range(oncoming)]
    strips = [Strip('asphalt', -median / 2 - own * width, median / 2 + oncoming * width)]
    if median > 1.0:
        surface, height = ('grass', 0.1) if rng.random() < 0.7 else ('paving', 0.12)
        strips.append(Strip(surface, -median / 2 + 0.3, median / 2 - 0.3, height))
    rows: list[ParkingRow] = []
    walks: list[float] = []
    edges = {-1: strips[0].right, +1: strips[0].left}
    lines = _lane_lines(kind, own, oncoming, width, median, rng)
    for side in (-1, +1):
        if not plain and rng.random() < kind.parking:
            edges[side] = _add_parking(name, side, edges[side], rows, strips, rng)
        if rng.random() < kind.pavement:
            edges[side] = _add_pavement(kind, side, edges[side], walks, strips, rng)
        else:
            edges[side] = _add_band('grass', side, edges[side], rng.uniform(*kind.verge), strips)
    return Street(
        kind, centreline, tuple(lanes), tuple(strips), tuple(rows), tuple(walks),
        edges[-1], edges[+1], tuple(lines),
    )  # fmt: skip


def _lane_lines(
    kind: StreetKind, own: int, oncoming: int, width: float, median: float, rng: Generator
) -> list[tuple[float, bool]]:
    lines = []
    if rng.random() < kind.centre_line:
        if median > 1.0:
            lines += [(-median / 2, False), (median / 2, False)]
        else:
            lines.append((0.0, bool(rng.random() < 0.7)))
        lines += [(-median / 2 - i * width, True) for i in range(1, own)]
        lines += [(median / 2 + i * width, True) for i in range(1, oncoming)]
    if rng.random() < 0.4 * kind.centre_line:
        inset = 0.2
        lines += [(-median / 2 - own * width + inset, False)]
        lines += [(median / 2 + oncoming * width - inset, False)]
    return lines


def _add_band(
    surface: str, side: int, edge: float, width: float, strips: list[Strip], height: float = 0.0
) -> float:
    """Add a strip beyond an edge of the street; return the new edge."""
    far = edge + side * float(width)
    if width > 0.05:
        strips.append(Strip(surface, min(edge, far), max(edge, far), height))
    return far


def _add_parking(
    name: str, side: int, edge: float, rows: list[ParkingRow], strips: list[Strip], rng: Generator
) -> float:
    along = {-1: 0.0, +1: math.pi}[side]
    surface = 'asphalt' if rng.random() < 0.7 else 'paving'
    if name == 'parking_lot':
        for _ in range(int(rng.integers(1, 3))):
            for _ in range(int(rng.integers(1, 3))):
                angle = along + side * float(rng.uniform(1.2, 1.57))
                rows.append(ParkingRow(edge + side * 2.6, angle))
                edge = _add_band(surface, side, edge, 5.2, strips)
            edge = _add_band(surface, side, edge, float(rng.uniform(5.0, 7.0)), strips)
        return edge
    style = rng.random()
    if style < 0.85:
        rows.append(ParkingRow(edge + side * 1.05, along))
        return _add_band(surface, side, edge, 2.1, strips)
    # Angled or square to the kerb.
    angle = along + side * (math.pi / 2 if style < 0.94 else float(rng.uniform(0.6, 1.2)))
    rows.append(ParkingRow(edge + side * 2.6, angle))
    return _add_band(surface, side, edge, 5.2, strips)


def _add_pavement(
    kind: StreetKind, side: int, edge: float, walks: list[float], strips: list[Strip],
    rng: Generator,
) -> float:  # fmt: skip
    height = float(rng.choice([0.05, 0.1, 0.14]))
    edge = _add_band('kerb', side, edge, float(rng.uniform(0.12, 0.3)), strips, height)
    verge = float(rng.uniform(*kind.verge)) if rng.random() < 0.5 else 0.0
    edge = _add_band('grass', side, edge, verge, strips, height)
    width = float(rng.uniform(1.2, 4.0))
    surface = 'paving' if rng.random() < 0.7 else 'asphalt'
    walks.append(edge + side * width / 2)
    return _add_band(surface, side, edge, width, strips, height)


def _with_crossing(street: Street, come_m: float, rng: Generator) -> Street:
    """Add a street that crosses this one, on which traffic comes from `come_m` farther away."""
    s = float(rng.uniform(9.0, 50.0))
    x, y, _, heading = street.centreline.pose(s, 0.0)
    line = Centreline(
        origin=(x, y), heading=heading + math.pi / 2 + float(rng.normal(0.0, 0.12)),
        rise=street.centreline.rise, length=SIDE_AHEAD_M + come_m, behind=BEHIND_M + come_m,
    )  # fmt: skip
    name = 'residential' if rng.random() < 0.6 else 'urban'
    other = _lay_out(name, line, rng, plain=True)
    half = max(-other.right, other.left)
    gap = (s - half, s + half)
    # Of the other street, this one's width is asphalt already.
    reach = max(-street.right, street.left) + 0.5
    other = replace(other, gaps=((-reach, reach),), height=SIDE_STREET_M)
    return replace(street, crossings=((s, other),), gaps=(gap,))
