"""The shape of a car's body and cabin, as surfaces that lights and windows can be laid onto.

Both are functions of two or three parameters, so that a patch of a surface (a window, a headlight,
a bumper) is the same function on a smaller range.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smoke_ros.structures import FloatArray

#: Metres that windows and lights stand out of the surface that they lie on.
LIFT_M = 0.007
#: Half width of the body's side at parts of its height (0 the sill, 1 the edge of the bonnet).
SIDE_HEIGHTS = (0.0, 0.12, 0.5, 0.75, 0.92, 1.0)
SIDE_WIDTHS = (0.93, 0.97, 1.0, 0.985, 0.95, 0.88)
#: How far the ends stand back at these heights, as parts of the overhang.
END_BACK = (0.22, 0.05, 0.0, 0.10, 0.35, 0.75)


@dataclass(frozen=True)
class Glazing:
    """Where a car's windows are."""

    #: Start and end of each of a side's, metres along the car; with one there is none behind.
    sides: tuple[tuple[float, float], ...]
    #: Width of the rear one, as a part of the cabin's.
    rear: float
    #: Whether what is between a side's is as dark as they are.
    dark_pillars: bool

    @property
    def pillars(self) -> list[tuple[float, float]]:
        """Start and end of what is as dark as a side's windows between them."""
        if not self.dark_pillars:
            return []
        return [(before[1], after[0]) for before, after in itertools.pairwise(self.sides)]

    @property
    def has_rear(self) -> bool:
        """Whether there is any behind."""
        return len(self.sides) > 1


@dataclass(frozen=True)
class Shape:
    """A car's proportions: lengths in metres, places as parts of the length from the front."""

    length: float
    height: float
    width: float
    #: Foot of the windscreen, front and rear end of the roof, foot of the rear window.
    screen: float
    roof_front: float
    roof_rear: float
    rear_foot: float
    #: Heights as parts of the height: bonnet at the front and at the windscreen, waist, tail.
    nose: float
    cowl: float
    tail: float
    #: How narrow the roof is against the waist.
    roof_width: float = 0.78
    clearance: float = 0.19
    wheel_radius: float = 0.31
    #: Axles, as parts of the length.
    front_axle: float = 0.19
    rear_axle: float = 0.83
    #: How far corners are rounded off, metres.
    corner: float = 0.28
    #: How much the roof is arched, metres.
    arch: float = 0.05

    def x(self, part: npt.ArrayLike) -> FloatArray:
        """Return where a part of the length, counted from the front, is in the object frame."""
        return np.asarray(self.length * (0.5 - np.asarray(part, float)))

    @property
    def axles(self) -> tuple[float, float]:
        """Places of the axles in the object frame, metres."""
        return float(self.x(self.front_axle)), float(self.x(self.rear_axle))

    def waist(self, x: npt.ArrayLike) -> FloatArray:
        """Return the height of the body's upper edge."""
        part = 0.5 - np.asarray(x, float) / self.length
        places: tuple[float, ...] = (0.0, 0.05, self.screen, self.rear_foot, 1.0)
        heights: tuple[float, ...] = (
            self.nose - 0.03,
            self.nose,
            self.cowl,
            self.tail,
            self.tail - 0.015,
        )
        if self.rear_foot >= 1.0:
            places, heights = places[:4], heights[:4]
        return np.asarray(self.height * np.interp(part, places, heights))

    def body(self, x: npt.ArrayLike, s: npt.ArrayLike, t: npt.ArrayLike) -> FloatArray:
        """Return points of the body.

        Parameters
        ----------
        x
            Along it, metres; the ends are moved back where they are rounded.
        s
            Across, -1 (right) to 1 (left).
        t
            Upwards, 0 (sill, or arch above a wheel) to 1.
        """
        x, s, t = np.broadcast_arrays(*(np.asarray(v, float) for v in (x, s, t)))
        half = self.length / 2
        towards_end = np.clip((np.abs(x) - half + 0.55) / 0.55, 0.0, 1.0)
        narrowing = 1.0 - 0.07 * towards_end**2
        y = s * self.width / 2 * narrowing * np.interp(t, SIDE_HEIGHTS, SIDE_WIDTHS)
        foot = self._foot(x)
        z = foot + t * (self.waist(x) - foot) + 0.035 * t**4 * (1.0 - s**2)
        rounding = self.corner * (1.0 - np.sqrt(np.maximum(1.0 - np.abs(s) ** 4.5, 0.0)))
        back = 0.16 * np.interp(t, SIDE_HEIGHTS, END_BACK)
        moved = x - np.sign(x) * towards_end**2 * (rounding + back)
        return np.stack((moved, y, z), -1)

    def _foot(self, x: FloatArray) -> FloatArray:
        """Return the height of the body's lower edge, which arches over the wheels."""
        radius = 1.13 * self.wheel_radius
        foot = np.full(x.shape, self.clearance)
        for axle in self.axles:
            rise = np.sqrt(np.maximum(radius**2 - (x - axle) ** 2, 0.0))
            is_open = np.abs(x - axle) <= self.arch_reach + 1e-4
            foot = np.maximum(foot, np.where(is_open, self.wheel_radius + rise, 0.0))
        return foot

    @property
    def arch_reach(self) -> float:
        """How far before and behind an axle the sill is cut open, metres."""
        below = self.clearance - self.wheel_radius
        return float(np.sqrt(max((1.13 * self.wheel_radius) ** 2 - below**2, 0.0)))

    def stations(self) -> FloatArray:
        """Return places along the body that show its shape, from front to rear."""
        half, radius = self.length / 2, 1.13 * self.wheel_radius
        reach = self.arch_reach
        around = np.append(radius * np.cos(np.linspace(0.4, np.pi - 0.4, 6)), (reach, -reach))
        outside = (reach + 2e-3, -reach - 2e-3)
        arches = [axle + np.append(around, outside) for axle in self.axles]
        ends = half - np.array([0.0, 0.06, 0.16, 0.3])
        feet = self.x([self.screen, self.rear_foot])
        middle = np.linspace(*self.axles, 4)[1:-1]
        places = np.concatenate((*arches, ends, -ends, feet, middle))
        return np.unique(np.clip(np.round(places, 4), -half, half))[::-1]

    def profile(self, q: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return x and z along the middle of the cabin.

        q is 0 to 1 up the windscreen, to 2 along the roof, to 3 down the rear window.
        """
        q = np.asarray(q, float)
        places = self.x([self.screen, self.roof_front, self.roof_rear, self.rear_foot])
        x = np.interp(q, [0, 1, 2, 3], places)
        low_front, low_rear = self.waist(places[0]) - 0.02, self.waist(places[3]) - 0.02
        edge_front, edge_rear = self.height - 0.6 * self.arch, self.height - self.arch
        z = np.interp(q, [0, 1, 2, 3], [low_front, edge_front, edge_rear, low_rear])
        along = np.clip(q - 1.0, 0.0, 1.0)
        top = edge_front + along * (edge_rear - edge_front)
        bow = 4.0 * along * (1.0 - along)
        z = np.where(
            (q > 1) & (q < 2), top + bow * (self.height - (edge_front + edge_rear) / 2), z
        )
        # Glass is bent outwards.
        bend = np.sin(np.pi * np.where(q < 1, q, q - 2.0))
        z = np.where(q < 1, z + 0.035 * bend, np.where(q > 2, z + 0.035 * bend, z))
        return x, z

    def cabin(self, q: npt.ArrayLike, s: npt.ArrayLike) -> FloatArray:
        """Return points of windscreen, roof and rear window; q as in :meth:`profile`, s across."""
        q, s = np.broadcast_arrays(np.asarray(q, float), np.asarray(s, float))
        x, z = self.profile(q)
        y = s * self._half_width(x, z)
        bulge = np.where((q > 1) & (q < 2), 0.0, 1.0)
        ends = np.sign(x - self.x((self.roof_front + self.roof_rear) / 2))
        x = x - ends * bulge * 0.14 * s**2 * np.minimum(1.0, self.width / 1.7)
        return np.stack((x, y, z - 0.055 * np.abs(s) ** 5), -1)

    def cabin_side(self, x: npt.ArrayLike, v: npt.ArrayLike, side: int) -> FloatArray:
        """Return points of a side of the cabin; v is 0 at the waist and 1 at the roof."""
        x, v = np.broadcast_arrays(np.asarray(x, float), np.asarray(v, float))
        q = np.linspace(0.0, 3.0, 121)
        edge = self.cabin(q, 1.0)
        order = np.argsort(edge[:, 0])
        top = np.interp(x, edge[order, 0], edge[order, 2])
        top_y = np.interp(x, edge[order, 0], edge[order, 1])
        low = np.minimum(self.waist(x) - 0.02, top)
        low_y = self._half_width(x, low)
        bow = 0.02 * np.sin(np.pi * v)
        y = low_y + v * (top_y - low_y) + bow
        return np.stack((x, side * y, low + v * (top - low)), -1)

    def side_ends(self) -> tuple[float, float]:
        """Return where the cabin's side starts at the front and ends at the rear, metres."""
        edge = self.cabin([0.0, 3.0], 1.0)
        return float(edge[0, 0]), float(edge[1, 0])

    def _half_width(self, x: npt.ArrayLike, z: npt.ArrayLike) -> FloatArray:
        waist = self.waist(x)
        up = np.clip((np.asarray(z, float) - waist) / (self.height - waist), 0.0, 1.0)
        return np.asarray(self.width / 2 * 0.885 * (1.0 - (1.0 - self.roof_width) * up**1.2))
