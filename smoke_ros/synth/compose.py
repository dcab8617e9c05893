"""One place at one time of day: a street with all that is on it, and a camera in a lane."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smoke_ros.config.synth import SynthConfig
from smoke_ros.structures import CameraModel
from smoke_ros.synth.actors import Actor, Crowd, Motion
from smoke_ros.synth.daylight import draw_light
from smoke_ros.synth.ground import build_ground
from smoke_ros.synth.meshes.catalogue import LARGE, Catalogue
from smoke_ros.synth.scene import Instance, Light, Scene, Viewpoint
from smoke_ros.synth.street import Generator, draw_street
from smoke_ros.synth.surroundings import Props, furnish
from smoke_ros.synth.traffic import Cast, Density, fill_street
from smoke_ros.synth.viewpoints import Mounting, draw_camera, draw_mounting, make_viewpoint

#: The vehicle that carries the camera: from 1.6 m ahead of it to 3 m behind it.
OWN_LENGTH_M, OWN_WIDTH_M, OWN_MIDDLE_M = 4.6, 2.0, -0.7
#: How far it is turned against its street at most, where it turns, radians.
LARGEST_TURN = math.radians(60.0)


@dataclass(frozen=True, eq=False)
class Composition:
    """What can be drawn at any of its times."""

    ground: Sequence[Instance]
    props: Sequence[Actor]
    actors: Sequence[Actor]
    light: Light
    camera: CameraModel
    mounting: Mounting
    own: Motion

    def at(self, time_s: float) -> tuple[Scene, Viewpoint]:
        """Return the scene and the camera's place at a time in seconds."""
        moving = (actor.instances(time_s) for actor in (*self.actors, *self.props))
        scene = Scene([*itertools.chain.from_iterable(moving), *self.ground], self.light)
        x, y, z, yaw = self.own.pose(time_s)
        return scene, make_viewpoint(self.camera, self.mounting, (x, y, z), yaw)


def sort_models(catalogue: Catalogue, held_out: bool) -> tuple[Cast, Props]:
    """Choose a catalogue's models for training, or those held out of it, by their part."""

    def chosen(models: Sequence) -> list:  # type: ignore[type-arg]
        # A kind of which nothing is held out is the same in both.
        return [model for model in models if model.held_out == held_out] or list(models)

    vehicles = catalogue.vehicles
    cast = Cast(
        cars=chosen([model for model in vehicles if model.class_name == 'Car']),
        vans=chosen([model for model in vehicles if model.class_name == 'Van']),
        large=chosen([model for model in vehicles if model.class_name in LARGE]),
        people=chosen(catalogue.people),
        cyclists=chosen(catalogue.cyclists),
        distractors=chosen(catalogue.distractors),
    )
    props = Props(
        buildings=chosen(catalogue.buildings),
        trees=chosen(catalogue.trees),
        hedges=chosen(catalogue.hedges),
        fences=chosen(catalogue.fences),
        poles=chosen(catalogue.poles),
        signs=chosen(catalogue.signs),
    )
    return cast, props


def compose(
    config: SynthConfig, cast: Cast, props: Props, rng: Generator,
    *, camera: CameraModel | None = None, times: Sequence[float] = (0.0,), kind: str = '',
    density: Density | None = None,
) -> Composition:  # fmt: skip
    """Draw a scene.

    Parameters
    ----------
    config
        Camera and content.
    cast, props
        The models to choose from.
    rng
        Everything is drawn from it.
    camera
        In place of one that is drawn.
    times
        Seconds at which no two objects may overlap.
    kind
        The street's kind; drawn by default.
    density
        How full the street is, and how far the camera drives; drawn by default.
    """
    turn = 0.0
    has_crossing = density is not None  # on a drive something is to happen
    if density is None:
        empty = bool(rng.random() < config.empty_share)
        density = Density(
            empty,
            large_close=bool(rng.random() < config.large_vehicle_share),
            queue=bool(rng.random() < config.queue_share),
            people=0.4 if empty else 1.0,
        )
        has_crossing = bool(rng.random() < config.crossing_share)
        if rng.random() < config.turning_share:
            turn = float(rng.uniform(-LARGEST_TURN, LARGEST_TURN))
    own_speed = density.own_speed
    travel_m = own_speed * density.duration_s
    street = draw_street(
        rng, kind, travel_m=travel_m, duration_s=density.duration_s, eventful=has_crossing
    )
    own_lane = street.lanes[int(rng.choice([i for i, lane in enumerate(street.lanes)
                                            if lane.direction > 0]))]  # fmt: skip
    own = Motion(
        street, 0.0, own_lane.offset + float(rng.normal(0.0, 0.25)), own_speed, turn,
    )  # fmt: skip
    crowd = Crowd(times)
    surroundings = furnish(street, props, rng)
    for prop in surroundings:
        crowd.avoid(prop)
    middle = Motion(
        street, OWN_MIDDLE_M * math.cos(turn), own.d + OWN_MIDDLE_M * math.sin(turn),
        own_speed, turn,
    )  # fmt: skip
    crowd.reserve(middle, OWN_LENGTH_M, OWN_WIDTH_M)
    fill_street(street, own_lane, cast, density, crowd, rng)
    return Composition(
        build_ground(street, rng),
        surroundings,
        crowd.actors,
        draw_light(rng),
        camera or draw_camera(config, rng),
        draw_mounting(config, rng),
        own,
    )


def frame_generator(seed: int, index: int) -> Generator:
    """Return the random numbers of one frame, which depend on nothing but these two."""
    if seed < 0 or index < 0:
        raise ValueError(f'seed and index must be at least 0, got {seed} and {index}')
    return np.random.default_rng([seed, index])
