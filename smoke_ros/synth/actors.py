"""Things that are labelled or stand in the way: where each is at a time, and that none overlap."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from smoke_ros.structures import Vector3
from smoke_ros.synth.scene import BACKGROUND, Instance, Mesh

#: x, y, z in metres and yaw in radians, world frame.
Pose = tuple[float, float, float, float]
#: x, y, yaw, and half its length and width, metres and radians.
Rectangle = tuple[float, float, float, float, float]

#: Of the squares by which rectangles are found, metres.
CELL_M = 8.0


class Model(Protocol):
    """What is asked of a catalogue's entry."""

    @property
    def name(self) -> str:
        """Name it apart from others."""

    @property
    def class_name(self) -> str:
        """Give KITTI's type name, '' for what is not labelled."""

    @property
    def meshes(self) -> Sequence[Mesh]:
        """List the parts, which share one object frame."""

    @property
    def dimensions(self) -> Vector3:
        """Give length, height, width, metres."""

    @property
    def base(self) -> tuple[float, float, float, float]:
        """Give x, y of the middle, length and width of what is near the ground, metres."""


class Line(Protocol):
    """What things move along: a street, on whose surface they stand, or its centreline alone."""

    def pose(self, s: float, d: float) -> Pose:
        """Return world x, y, z and heading of a place on it."""


@dataclass(frozen=True)
class Motion:
    """A way along a street at a constant speed; an object that stands has speed 0."""

    line: Line
    s: float
    d: float
    #: m/s along the centreline, negative against it.
    speed: float = 0.0
    #: Of the object against the centreline's direction, radians.
    angle: float = 0.0
    #: m/s to the left, for those who cross.
    sideways: float = 0.0

    @property
    def stands(self) -> bool:
        """Whether it is always at the same place."""
        return self.speed == 0.0 and self.sideways == 0.0

    def pose(self, time_s: float) -> Pose:
        """Return where it is at a time in seconds."""
        x, y, z, heading = self.line.pose(
            self.s + self.speed * time_s, self.d + self.sideways * time_s
        )
        return x, y, z, heading + self.angle


@dataclass(frozen=True, eq=False)
class Actor:
    """An object with its way; everything that is one thing in the id image."""

    model: Model
    motion: Motion
    object_id: int = BACKGROUND
    paint: Vector3 = (1.0, 1.0, 1.0)
    scale: Vector3 = (1.0, 1.0, 1.0)

    @property
    def dimensions(self) -> Vector3:
        """Length, height, width of its box, metres."""
        length, height, width = self.model.dimensions
        return length * self.scale[0], height * self.scale[2], width * self.scale[1]

    def base(self) -> Rectangle:
        """Return what one would walk into of something that stands, a tree's trunk for example."""
        x, y, _, yaw = self.motion.pose(0.0)
        ahead, left, length, width = self.model.base
        ahead, left = ahead * self.scale[0], left * self.scale[1]
        cos, sin = math.cos(yaw), math.sin(yaw)
        return (
            x + ahead * cos - left * sin, y + ahead * sin + left * cos, yaw,
            length / 2 * self.scale[0], width / 2 * self.scale[1],
        )  # fmt: skip

    def instances(self, time_s: float) -> list[Instance]:
        """Return its parts as they stand at a time."""
        x, y, z, yaw = self.motion.pose(time_s)
        return [
            Instance(mesh, (x, y, z), yaw, self.scale, self.paint, self.object_id)
            for mesh in self.model.meshes
        ]


class Footprints:
    """Rectangles of the ground that are taken, found by the squares that they reach into."""

    def __init__(self) -> None:
        self._squares: dict[tuple[int, int], list[Rectangle]] = defaultdict(list)

    def take(self, rectangle: Rectangle) -> None:
        """Take a rectangle, whatever else is there."""
        for square in _squares_around(rectangle):
            self._squares[square].append(rectangle)

    def is_free(self, rectangle: Rectangle) -> bool:
        """Whether a rectangle overlaps nothing that is taken."""
        return not any(
            rectangles_overlap(rectangle, other)
            for square in _squares_around(rectangle)
            for other in self._squares.get(square, ())
        )


class Crowd:
    """Actors that keep clear of one another at all times that matter.

    Parameters
    ----------
    times
        Seconds at which nothing may overlap.
    """

    def __init__(self, times: Sequence[float] = (0.0,)) -> None:
        self.times = tuple(times)
        self.actors: list[Actor] = []
        self._standing = Footprints()
        self._moving = [Footprints() for _ in self.times]
        self._next_id = BACKGROUND + 1

    def avoid(self, prop: Actor) -> None:
        """Keep clear of something that is no actor, such as a house or a tree."""
        self._standing.take(prop.base())

    def reserve(self, motion: Motion, length: float, width: float) -> None:
        """Keep a rectangle free that is no actor, such as the camera's own vehicle."""
        if motion.stands:
            self._standing.take(_rectangle(motion, length, width, 0.0))
            return
        for time, taken in zip(self.times, self._moving, strict=True):
            taken.take(_rectangle(motion, length, width, time))

    def add(
        self, model: Model, motion: Motion, *, paint: Vector3 = (1.0, 1.0, 1.0),
        scale: Vector3 = (1.0, 1.0, 1.0), margin: float = 0.15, labelled: bool = True,
    ) -> bool:  # fmt: skip
        """Add an actor unless it would come within `margin` metres of another; say whether."""
        object_id = self._next_id if labelled else BACKGROUND
        actor = Actor(model, motion, object_id, paint, scale)
        length, _, width = actor.dimensions
        if not self._has_room(motion, length + 2 * margin, width + 2 * margin):
            return False
        self.reserve(motion, length, width)
        self.actors.append(actor)
        self._next_id += labelled
        return True

    def _has_room(self, motion: Motion, length: float, width: float) -> bool:
        rectangle = _rectangle(motion, length, width, 0.0)
        if motion.stands and not self._standing.is_free(rectangle):
            return False
        for time, moving in zip(self.times, self._moving, strict=True):
            if not motion.stands:
                rectangle = _rectangle(motion, length, width, time)
                if not self._standing.is_free(rectangle):
                    return False
            if not moving.is_free(rectangle):
                return False
        return True


def _rectangle(motion: Motion, length: float, width: float, time_s: float) -> Rectangle:
    x, y, _, yaw = motion.pose(time_s)
    return x, y, yaw, length / 2, width / 2


def _squares_around(rectangle: Rectangle) -> Iterator[tuple[int, int]]:
    """Return the squares that a rectangle may reach into."""
    x, y, yaw, half_l, half_w = rectangle
    cos, sin = abs(math.cos(yaw)), abs(math.sin(yaw))
    out_x, out_y = half_l * cos + half_w * sin, half_l * sin + half_w * cos
    columns, rows = (
        range(math.floor((at - out) / CELL_M), math.floor((at + out) / CELL_M) + 1)
        for at, out in ((x, out_x), (y, out_y))
    )
    return itertools.product(columns, rows)


def rectangles_overlap(a: Rectangle, b: Rectangle) -> bool:
    """Whether two rectangles overlap.

    Two convex shapes are apart if they are so along the normal of one of their sides.
    """
    dx, dy = b[0] - a[0], b[1] - a[1]
    reach = a[3] + a[4] + b[3] + b[4]
    if dx * dx + dy * dy > reach * reach:
        return False
    turn = b[2] - a[2]
    cos, sin = abs(math.cos(turn)), abs(math.sin(turn))
    for (_, _, yaw, own_l, own_w), (_, _, _, other_l, other_w) in ((a, b), (b, a)):
        along = abs(dx * math.cos(yaw) + dy * math.sin(yaw))
        across = abs(dy * math.cos(yaw) - dx * math.sin(yaw))
        if along > own_l + cos * other_l + sin * other_w:
            return False
        if across > own_w + sin * other_l + cos * other_w:
            return False
    return True
