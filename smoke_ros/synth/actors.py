"""Things that are labelled or stand in the way: where each is at a time, and that none overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from smoke_ros.structures import Vector3
from smoke_ros.synth.scene import BACKGROUND, Instance, Mesh
from smoke_ros.synth.street import Centreline

#: x, y, z in metres and yaw in radians, world frame.
Pose = tuple[float, float, float, float]
#: x, y, yaw, and half its length and width, metres and radians.
Rectangle = tuple[float, float, float, float, float]


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


@dataclass(frozen=True)
class Motion:
    """A way along a street at a constant speed; an object that stands has speed 0."""

    line: Centreline
    s: float
    d: float
    #: m/s along the centreline, negative against it.
    speed: float = 0.0
    #: Of the object against the centreline's direction, radians.
    angle: float = 0.0
    #: m/s to the left, for those who cross.
    sideways: float = 0.0
    height: float = 0.0

    def pose(self, time_s: float) -> Pose:
        """Return where it is at a time in seconds."""
        x, y, z, heading = self.line.pose(
            self.s + self.speed * time_s, self.d + self.sideways * time_s
        )
        return x, y, z + self.height, heading + self.angle


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

    def instances(self, time_s: float) -> list[Instance]:
        """Return its parts as they stand at a time."""
        x, y, z, yaw = self.motion.pose(time_s)
        return [
            Instance(mesh, (x, y, z), yaw, self.scale, self.paint, self.object_id)
            for mesh in self.model.meshes
        ]


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
        # Of each time, the rectangles that are taken.
        self._taken: list[list[Rectangle]] = [[] for _ in self.times]
        self._next_id = BACKGROUND + 1

    def reserve(self, motion: Motion, length: float, width: float) -> None:
        """Keep a rectangle free that is no actor, such as the camera's own vehicle."""
        for taken, rectangle in zip(
            self._taken, self._rectangles(motion, length, width), strict=True
        ):
            taken.append(rectangle)

    def add(
        self, model: Model, motion: Motion, *, paint: Vector3 = (1.0, 1.0, 1.0),
        scale: Vector3 = (1.0, 1.0, 1.0), margin: float = 0.15, labelled: bool = True,
    ) -> bool:  # fmt: skip
        """Add an actor unless it would come within `margin` metres of another; say whether."""
        object_id = self._next_id if labelled else BACKGROUND
        actor = Actor(model, motion, object_id, paint, scale)
        length, _, width = actor.dimensions
        wide = self._rectangles(motion, length + 2 * margin, width + 2 * margin)
        for taken, rectangle in zip(self._taken, wide, strict=True):
            if any(rectangles_overlap(rectangle, other) for other in taken):
                return False
        self.reserve(motion, length, width)
        self.actors.append(actor)
        self._next_id += labelled
        return True

    def _rectangles(self, motion: Motion, length: float, width: float) -> list[Rectangle]:
        poses = (motion.pose(time) for time in self.times)
        return [(x, y, yaw, length / 2, width / 2) for x, y, _, yaw in poses]


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
