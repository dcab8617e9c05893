"""All models that scenes are made of, by the part that they play."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np

from smoke_ros.structures import Vector3
from smoke_ros.synth.meshes import (
    bicycles,
    buildings,
    cars,
    furniture,
    light_lorries,
    people,
    plants,
    posts,
    trucks,
)
from smoke_ros.synth.scene import Mesh

#: One model in so many is kept from training, for the test set.
HELD_OUT_EVERY = 6
#: Who walks under something higher than this, metres, does not walk into it.
BASE_M = 1.2
#: How many of each kind are built in.
CARS_PER_STYLE, VANS, PICKUPS, BUSES, TRAMS = 9, 14, 4, 5, 2
TRUCKS_PER_KIND, LIGHT_LORRIES_PER_KIND = 2, 6
PEOPLE, CYCLISTS, MOTORCYCLES, TRAILERS = 48, 20, 4, 6
TREES, BUSHES, HEDGES, BUILDINGS, LAMPS, SIGNS = 14, 6, 6, 30, 6, 16

#: Classes that are large and must not be taken for cars.
LARGE = ('Truck', 'Tram')
#: KITTI's types of vehicles; others of a folder, such as motorcycles, are distractors.
VEHICLES = ('Car', 'Van', *LARGE)

Maker = Callable[[str, np.random.Generator], Sequence[Mesh]]


@dataclass(frozen=True, eq=False)
class Model:
    """Something that can stand in a scene; its meshes are made when they are first asked for."""

    name: str
    #: KITTI's type name, '' for what is never labelled.
    class_name: str
    #: Makes the parts, whose common footprint is around the origin.
    make: Callable[[], Sequence[Mesh]]
    #: Whether it is kept from training.
    held_out: bool = False

    @classmethod
    def of(cls, name: str, class_name: str, meshes: Sequence[Mesh], held_out: bool) -> Model:
        """Make a model of meshes that are there."""
        return cls(name, class_name, lambda: meshes, held_out)

    @cached_property
    def meshes(self) -> tuple[Mesh, ...]:
        """The parts, which share the object frame."""
        return tuple(self.make())

    @cached_property
    def dimensions(self) -> Vector3:
        """Length, height, width of the box around all parts, metres."""
        points = np.concatenate([mesh.positions for mesh in self.meshes])
        length, width, height = np.ptp(points, axis=0).astype(float).tolist()
        return length, height, width

    @cached_property
    def base(self) -> tuple[float, float, float, float]:
        """Middle x, y, length and width of the box around all corners near the ground, metres."""
        points = np.concatenate([mesh.positions for mesh in self.meshes])
        low = points[points[:, 2] < BASE_M, :2].astype(float)
        (x, y), (length, width) = (low.min(axis=0) + low.max(axis=0)) / 2, np.ptp(low, axis=0)
        return float(x), float(y), float(length), float(width)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Models by the part that they play."""

    #: Car, Van, Truck (buses too) and Tram.
    vehicles: list[Model] = field(default_factory=list)
    people: list[Model] = field(default_factory=list)
    cyclists: list[Model] = field(default_factory=list)
    #: Parked bicycles, bins, boards: about as large as what is labelled, and no vehicle, person
    #: or cyclist; motorcycles and trailers, which are labelled Misc.
    distractors: list[Model] = field(default_factory=list)
    trees: list[Model] = field(default_factory=list)
    #: Pieces along x, as the fences; the first fence is a guard rail.
    hedges: list[Model] = field(default_factory=list)
    fences: list[Model] = field(default_factory=list)
    #: Lamps reach to +x.
    poles: list[Model] = field(default_factory=list)
    #: They face -x.
    signs: list[Model] = field(default_factory=list)
    #: Their front is -y.
    buildings: list[Model] = field(default_factory=list)

    @classmethod
    def built_in(cls, rng: np.random.Generator) -> Catalogue:
        """Describe all models that need no files; the same generator makes the same models."""
        make = partial(_make, rng)
        leaf_textures = [plants.draw_leaf_texture(rng) for _ in range(3)]
        wall_textures = buildings.draw_wall_textures(rng)

        def plant(maker: Callable[..., list[Mesh]]) -> Maker:
            return lambda name, rng: maker(name, leaf_textures[int(rng.integers(3))], rng)

        house: Maker = lambda name, rng: buildings.make_building(name, wall_textures, rng)  # noqa: E731
        return cls(
            vehicles=_make_vehicles(rng),
            people=make('pedestrian', 'Pedestrian', _one(people.make_pedestrian), PEOPLE),
            cyclists=make('cyclist', 'Cyclist', _one(people.make_cyclist), CYCLISTS),
            distractors=[
                *make('motorcycle', 'Misc', _one(furniture.make_motorcycle), MOTORCYCLES),
                *make('trailer', 'Misc', _one(furniture.make_trailer), TRAILERS),
                *make('bin', '', _one(furniture.make_bin), 3),
                *make('bollard', '', _one(furniture.make_bollard), 1),
                *make('bus_stop', '', _one(furniture.make_bus_stop), 2),
                *make('parked_bicycles', '', _one(bicycles.make_parked_bicycles), 12),
                *make('litter_bin', '', _one(furniture.make_litter_bin), 4),
                *make('cabinet', '', _one(furniture.make_cabinet), 4),
                *make('pillar', '', _one(furniture.make_pillar), 5),
                *make('barrier', '', posts.make_barrier, 2),
                *make('cone', '', _one(posts.make_cone), 2),
                *make('easel', '', posts.make_easel, 4),
                *make('advertisement', '', posts.make_advertisement, 4),
            ],
            trees=[
                *make('tree', '', plant(plants.make_tree), TREES),
                *make('bush', '', plant(plants.make_bush), BUSHES),
            ],
            hedges=make('hedge', '', plant(plants.make_hedge), HEDGES),
            fences=[
                *make('guard_rail', '', lambda name, _: furniture.make_guard_rail(name), 1),
                *make('fence', '', furniture.make_fence, 4),
                *make('wall', '', furniture.make_wall, 3),
            ],
            poles=[
                *make('lamp', '', _one(furniture.make_lamp), LAMPS),
                *make('mast', '', _one(furniture.make_mast), 3),
                *make('delineator', '', _one(furniture.make_delineator), 3),
            ],
            signs=[
                *make('sign', '', _one(furniture.make_sign), SIGNS),
                *make('traffic_light', '', _one(furniture.make_traffic_light), 4),
                *make('low_sign', '', _one(posts.make_low_sign), 8),
                *make('beacon', '', posts.make_beacon, 5),
                *make('cross', '', _one(posts.make_cross), 3),
                *make('banded_post', '', _one(posts.make_banded_post), 3),
            ],
            buildings=make('building', '', house, BUILDINGS),
        )

    def with_vehicles(self, models: Sequence[Model]) -> Catalogue:
        """Add vehicles; models of any other class become distractors."""
        other = [model for model in models if model.class_name not in VEHICLES]
        return replace(
            self,
            vehicles=[*self.vehicles, *(m for m in models if m.class_name in VEHICLES)],
            distractors=[*self.distractors, *other],
        )


def _make(
    rng: np.random.Generator, name: str, class_name: str, maker: Maker, count: int
) -> list[Model]:
    """Describe models of one kind; one in :data:`HELD_OUT_EVERY` is held out."""
    models = []
    for index in range(count):
        label = f'{name}_{index}'
        held_out = index % HELD_OUT_EVERY == HELD_OUT_EVERY - 1
        # Of its own random numbers: it does not matter which model is made first.
        seed = int(rng.integers(2**63))
        make = partial(_make_one, maker, label, seed)
        models.append(Model(label, class_name, make, held_out))
    return models


def _make_one(maker: Maker, name: str, seed: int) -> Sequence[Mesh]:
    return maker(name, np.random.default_rng(seed))


def _make_vehicles(rng: np.random.Generator) -> list[Model]:
    make = partial(_make, rng)
    models = []
    for style, shape in cars.STYLES.items():
        models += make(style, 'Car', partial(_make_car, shape), CARS_PER_STYLE)
    models += make('pickup', 'Car', partial(_make_car, cars.PICKUP), PICKUPS)
    models += make('van', 'Van', _make_van, VANS)
    for kind in trucks.TRUCKS:
        models += make(kind, 'Truck', partial(_make_truck, kind), TRUCKS_PER_KIND)
    for kind in light_lorries.LIGHT_LORRIES:
        maker = partial(_make_light_lorry, kind)
        models += make(kind, 'Truck', maker, LIGHT_LORRIES_PER_KIND)
    models += make('bus', 'Truck', _one(trucks.make_bus), BUSES)
    models += make('tram', 'Tram', _one(partial(trucks.make_bus, tram=True)), TRAMS)
    # Of large kinds there are few, so every so many of all of them are held out.
    return [
        replace(model, held_out=index % HELD_OUT_EVERY == HELD_OUT_EVERY - 1)
        if model.class_name in LARGE
        else model
        for index, model in enumerate(models)
    ]


def _make_car(shape: cars.Shape, name: str, rng: np.random.Generator) -> Sequence[Mesh]:
    return [cars.make_car(name, cars.draw_shape(shape, rng), cars.draw_trim(rng))]


def _make_van(name: str, rng: np.random.Generator) -> Sequence[Mesh]:
    trim = cars.draw_trim(rng, tail_lights='upright')
    trim = replace(trim, rear_windows=bool(rng.random() < 0.5))
    return [cars.make_car(name, cars.draw_shape(cars.VAN, rng), trim)]


def _make_truck(kind: str, name: str, rng: np.random.Generator) -> Sequence[Mesh]:
    return [trucks.make_truck(name, kind, rng)]


def _make_light_lorry(kind: str, name: str, rng: np.random.Generator) -> Sequence[Mesh]:
    return [light_lorries.make_light_lorry(name, kind, rng)]


def _one(maker: Callable[[str, np.random.Generator], Mesh]) -> Maker:
    return lambda name, rng: [maker(name, rng)]
