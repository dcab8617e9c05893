"""Cars, vans and pick-ups of many proportions: a body with windows, lights and wheels."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np

from smoke_ros.random_draws import log_uniform
from smoke_ros.structures import FloatArray
from smoke_ros.synth.meshes.car_body import LIFT_M, Glazing, Shape
from smoke_ros.synth.meshes.car_finish import Finish, draw_finish
from smoke_ros.synth.meshes.car_lights import Lights, draw_lights
from smoke_ros.synth.meshes.coarse_cars import Fitting, make_coarse_car
from smoke_ros.synth.meshes.shapes import (
    CHROME,
    DARK_TRIM,
    GLASS,
    HEADLIGHT,
    INDICATOR,
    PAINT,
    PLASTIC,
    PLATE,
    STEEL,
    TAILLIGHT,
    UNDERBODY,
    Builder,
    Look,
    add_sheet,
)
from smoke_ros.synth.meshes.wheels import add_wheel
from smoke_ros.synth.scene import Mesh

WHEEL_WIDTH_M = 0.2
RIMS = (
    Look((0.42, 0.42, 0.43), 0.6), Look((0.25, 0.25, 0.26), 0.5), Look((0.07, 0.07, 0.075), 0.5)
)  # fmt: skip
#: Where the body is sampled up its side, and across its ends: patches bend at the same places.
ROWS = np.array([0.0, 0.12, 0.5, 0.75, 0.92, 1.0])
END_ACROSS = np.array(
    [-1, -0.985, -0.94, -0.85, -0.65, -0.3, 0.0, 0.3, 0.65, 0.85, 0.94, 0.985, 1]
)
#: Where the cabin is sampled, along its middle and across.
CABIN_Q = np.array([0.0, 0.35, 0.7, 1.0, 1.08, 1.3, 1.6, 1.85, 2.0, 2.3, 2.65, 3.0])
CABIN_ACROSS = np.array([-1.0, -0.93, -0.8, -0.4, 0.0, 0.4, 0.8, 0.93, 1.0])
#: Lights beside the rear window are for cars whose window reaches as far back as their tail.
HATCH_FOOT = 0.95
SEAM = Look((0.02, 0.02, 0.02), 0.1)
#: Above a rear plate: nothing, chrome, or something dark.
STRIPS = (None, None, CHROME, PLASTIC)
#: Kinds of tail lights, and how many cars have them.
TAIL_LIGHTS = {'upright': 0.27, 'block': 0.33, 'wide': 0.2, 'pillar': 0.2}
#: Bars across a grille besides the one at its upper edge, or None for no grille; what bars are of.
GRILLES = (None, 0, 0, 1, 2, 3)
SLATS = (CHROME, CHROME, STEEL, PAINT, PLASTIC)
#: Kinds of bumpers, alike at both ends, and how many cars have them: painted as the body, with a
#: strip of plastic, or of plastic altogether.
BUMPERS = {'painted': 0.55, 'strip': 0.2, 'plastic': 0.25}
#: Where these start, and where all of them end, as parts of the body's height.
BUMPER_FEET, BUMPER_TOP = {'strip': 0.3, 'plastic': 0.0}, 0.44
#: Linear reflectance of such plastic.
BUMPER_GREYS = (0.02, 0.12)

#: Means of the proportions; a model varies all of them.
STYLES = {
    'hatchback': Shape(3.95, 1.47, 1.69, 0.25, 0.43, 0.86, 0.975, 0.50, 0.64, 0.66),
    'sedan': Shape(4.45, 1.44, 1.73, 0.285, 0.45, 0.72, 0.87, 0.49, 0.63, 0.68),
    'estate': Shape(4.5, 1.48, 1.73, 0.275, 0.42, 0.91, 0.985, 0.49, 0.62, 0.64),
    'suv': Shape(4.35, 1.68, 1.80, 0.255, 0.39, 0.89, 0.975, 0.55, 0.65, 0.67, clearance=0.23,
                 wheel_radius=0.35),
    'city': Shape(3.45, 1.49, 1.6, 0.18, 0.38, 0.86, 0.975, 0.50, 0.65, 0.66, wheel_radius=0.28,
                  front_axle=0.165, rear_axle=0.845),
    'coupe': Shape(4.25, 1.34, 1.75, 0.32, 0.48, 0.68, 0.91, 0.49, 0.63, 0.68,
                   wheel_radius=0.32),
    'minivan': Shape(4.3, 1.66, 1.76, 0.17, 0.38, 0.92, 0.985, 0.50, 0.61, 0.61,
                     roof_width=0.82),
}  # fmt: skip
VAN = Shape(5.1, 2.15, 1.92, 0.14, 0.27, 0.94, 0.968, 0.43, 0.56, 0.55, roof_width=0.88,
            wheel_radius=0.33, clearance=0.22, front_axle=0.18, rear_axle=0.8,
            arch=0.07)  # fmt: skip
PICKUP = Shape(5.1, 1.77, 1.82, 0.27, 0.38, 0.56, 0.595, 0.56, 0.63, 0.63, wheel_radius=0.37,
               clearance=0.27, rear_axle=0.8)  # fmt: skip


@dataclass(frozen=True)
class Bumper:
    """One that has not the body's paint."""

    foot: float
    look: Look


@dataclass(frozen=True)
class Trim:
    """What tells cars of one shape apart, besides their paint."""

    rim: Look
    spokes: int
    #: Whether tail lights stand beside the rear window.
    pillar_lights: bool
    #: At both ends; None if painted.
    bumper: Bumper | None
    dark_lower_grille: bool
    finish: Finish
    lights: Lights
    rear_windows: bool = True
    tail_height: float = 0.7
    #: Width of the rear window as a part of the cabin's, and whether a dark frame is around it.
    rear_width: float = 0.84
    framed: bool = False
    dark_pillars: bool = False
    wiper: bool = False
    #: A brake light above the rear window.
    high_light: bool = False
    #: What the strip above the rear plate is made of, if there is one.
    strip: Look | None = None
    rails: bool = False
    #: Bars across the grille, besides the one at its upper edge; None without a grille.
    slats: int | None = 0
    slat: Look = CHROME


def draw_shape(mean: Shape, rng: np.random.Generator) -> Shape:
    """Vary the proportions of a style."""

    def about(value: float, spread: float) -> float:
        return float(value + np.clip(rng.normal(0.0, spread), -2 * spread, 2 * spread))

    scale = about(1.0, 0.03)
    screen = about(mean.screen, 0.015)
    nose = about(mean.nose, 0.02)
    return replace(
        mean,
        length=mean.length * scale * about(1.0, 0.025),
        height=mean.height * about(1.0, 0.025),
        width=mean.width * (0.5 + 0.5 * scale) * about(1.0, 0.015),
        screen=screen,
        roof_front=about(mean.roof_front - mean.screen, 0.015) + screen,
        roof_rear=min(about(mean.roof_rear, 0.012), mean.rear_foot - 0.015),
        nose=nose,
        cowl=max(about(mean.cowl, 0.012), nose + 0.05),
        tail=about(mean.tail, 0.015),
        roof_width=about(mean.roof_width, 0.025),
        clearance=about(mean.clearance, 0.012),
        wheel_radius=about(mean.wheel_radius, 0.012),
        front_axle=about(mean.front_axle, 0.008),
        rear_axle=about(mean.rear_axle, 0.01),
        corner=max(0.12, about(mean.corner, 0.06)),
        arch=max(0.02, about(mean.arch, 0.012)),
    )


def draw_trim(rng: np.random.Generator, *, tail_lights: str = '') -> Trim:
    """Draw lights, rims and bumpers; tail lights of any kind unless one is given."""
    rim = RIMS[int(rng.choice(3, p=[0.6, 0.25, 0.15]))]
    spokes = int(rng.choice([0, 5, 6, 7, 9]))
    kind = tail_lights or str(rng.choice(list(TAIL_LIGHTS), p=list(TAIL_LIGHTS.values())))
    bumper, dark_lower_grille = _draw_bumper(rng), bool(rng.random() < 0.7)
    finish = draw_finish(rng)
    tail_height, front_foot = float(rng.uniform(0.62, 0.78)), float(rng.uniform(0.56, 0.68))
    front_inner = 0.97 - float(rng.uniform(0.3, 0.42))
    front_top = front_foot + float(rng.uniform(0.14, 0.24))
    return Trim(
        rim,
        spokes,
        kind == 'pillar',
        bumper,
        dark_lower_grille,
        finish,
        draw_lights((front_inner, front_foot, front_top), _tail_place(kind, tail_height), rng),
        tail_height=tail_height,
        rear_width=float(rng.uniform(0.82, 0.94)),
        framed=bool(rng.random() < 0.4),
        dark_pillars=bool(rng.random() < 0.6),
        wiper=bool(rng.random() < 0.6),
        high_light=bool(rng.random() < 0.7),
        strip=STRIPS[int(rng.integers(len(STRIPS)))],
        rails=bool(rng.random() < 0.25),
        slats=GRILLES[int(rng.integers(len(GRILLES)))],
        slat=SLATS[int(rng.integers(len(SLATS)))],
    )


def _draw_bumper(rng: np.random.Generator) -> Bumper | None:
    kind = str(rng.choice(list(BUMPERS), p=list(BUMPERS.values())))
    grey = log_uniform(rng, *BUMPER_GREYS)
    if kind == 'painted':
        return None
    return Bumper(BUMPER_FEET[kind], Look((grey, grey, grey), PLASTIC.gloss))


def _tail_place(kind: str, height: float) -> tuple[float, float, float]:
    """Return inner edge, foot and top of tail lights, as :class:`Lights` has them."""
    return {
        'upright': (0.76, height - 0.16, 0.99),
        'block': (0.64, height, height + 0.22),
        'wide': (0.5, height + 0.02, height + 0.17),
        'pillar': (0.84, height - 0.08, 0.99),
    }[kind]


def make_car(name: str, shape: Shape, trim: Trim) -> Mesh:
    """Make a car of any shape."""
    builder = Builder(name)
    _add_body(builder, shape)
    _add_cabin(builder, shape)
    glazing = Glazing(tuple(_side_windows(shape, trim)), trim.rear_width, trim.dark_pillars)
    _add_windows(builder, shape, trim, glazing)
    fittings = _end_fittings(shape, trim)
    for each in fittings:
        _patch(builder, shape, each.look, x=each.end * shape.length / 2,
               s=(-each.half_width, each.half_width), t=(each.foot, each.top),
               lift=each.lift_m, is_plate=each.look is PLATE)  # fmt: skip
    _add_front(builder, shape, trim)
    _add_rear(builder, shape, trim)
    _add_sides(builder, shape, trim)
    _add_wheels(builder, shape, trim)
    mesh = trim.finish.build(builder)
    coarse = make_coarse_car(mesh, shape, trim.rim, glazing, trim.lights, fittings)
    return replace(mesh, coarse=coarse)


def _end_fittings(shape: Shape, trim: Trim) -> list[Fitting]:
    """Return what is across the middle of front and rear: it is seen from far away, too."""
    inner, low, high = trim.lights.front_place
    fittings = [Fitting(1, 0.94, 0.0, 0.09, PLASTIC), Fitting(-1, 0.94, 0.0, 0.15, PLASTIC)]
    if trim.bumper is not None:
        foot, look = trim.bumper.foot, trim.bumper.look
        fittings += [Fitting(end, 0.97, foot, BUMPER_TOP, look, 1.2) for end in (1, -1)]
    if trim.dark_lower_grille:
        fittings.append(Fitting(1, 0.6, 0.1, 0.34, PLASTIC, 1.5))
    if trim.slats is not None:
        fittings.append(Fitting(1, inner - 0.04, low - 0.02, high - 0.04, PLASTIC))
    fittings.append(Fitting(1, 0.3, 0.36, 0.36 + 0.11 / shape.nose * 0.9, PLATE, 2.0))
    plate = 0.52 if trim.tail_height > 0.7 else 0.34
    fittings.append(Fitting(-1, 0.31, plate, plate + 0.15, PLATE, 2.0))
    if trim.strip is not None:
        fittings.append(Fitting(-1, 0.36, plate + 0.17, plate + 0.21, trim.strip))
    return fittings


def _patch(
    builder: Builder, shape: Shape, look: Look, *, x: tuple[float, float] | float,
    s: tuple[float, float] | float, t: tuple[float, float], lift: float = LIFT_M,
    is_plate: bool = False,
) -> None:  # fmt: skip
    """Lay a patch onto the body's end (x is one number) or side (s is one number).

    One at an end may be the number plate, to be read from outside.
    """
    rows = _between(ROWS, *t)[:, None]
    uv = None
    if isinstance(x, tuple):
        places = shape.stations()[::-1]
        points = shape.body(_between(places, *x), s, rows)
        outwards = (0.0, float(np.sign(s)), 0.0)
    else:
        assert isinstance(s, tuple)
        across = _between(END_ACROSS, *s)
        points = shape.body(x, across, rows)
        outwards = (float(np.sign(x)), 0.0, 0.0)
        if is_plate:  # Seen from behind the car's left is on the left.
            part = (across - s[0]) / (s[1] - s[0])
            up = (rows - t[0]) / (t[1] - t[0])
            uv = Finish.plate(part if x > 0 else 1.0 - part, up)
    add_sheet(builder, points, look, outwards, lift=lift, uv=uv)


def _between(places: FloatArray, low: float, high: float) -> FloatArray:
    """Return the ends of a range, and the places inside it."""
    margin = 1e-3
    return np.concatenate(
        ([low], places[(places > low + margin) & (places < high - margin)], [high])
    )


def _add_body(builder: Builder, shape: Shape) -> None:
    stations = shape.stations()
    rows = ROWS[:, None]
    for side in (-1, 1):
        add_sheet(builder, shape.body(stations, side, rows), PAINT, (0, side, 0))
    across = np.array([-1.0, -0.96, -0.85, -0.5, 0.0, 0.5, 0.85, 0.96, 1.0])
    front, rear = shape.x([shape.screen, shape.rear_foot])
    for part in (stations[stations >= front - 1e-3], stations[stations <= rear + 1e-3]):
        if len(part) > 1:
            points = shape.body(part[:, None], across, 1.0)
            add_sheet(builder, points, PAINT, (0, 0, 1))
    half = shape.length / 2
    for x in (half, -half):
        add_sheet(builder, shape.body(x, END_ACROSS, rows), PAINT, (x, 0, 0))
    inner = 0.40 * shape.width
    top = 0.55 * shape.height * shape.nose + 0.25
    low = (-half + 0.22, -inner, shape.clearance - 0.03)
    builder.box(low, (half - 0.22, inner, top), UNDERBODY)


def _add_cabin(builder: Builder, shape: Shape) -> None:
    add_sheet(builder, shape.cabin(CABIN_Q[:, None], CABIN_ACROSS), PAINT, (0, 0, 1))
    front, rear = shape.side_ends()
    x = np.unique(np.append(np.linspace(front, rear, 9), shape.cabin([1.0, 2.0], 1.0)[:, 0]))
    for side in (-1, 1):
        points = shape.cabin_side(x, np.array([0.0, 0.5, 1.0])[:, None], side)
        add_sheet(builder, points, PAINT, (0, side, 0))
    # It is dark behind the seams: nobody shall see through to the other side.
    screen, roof_front, roof_rear = shape.x([shape.screen, shape.roof_front, shape.roof_rear])
    low = (float(roof_rear), -0.36 * shape.width, float(shape.waist(roof_front)) - 0.1)
    high = (float(0.7 * roof_front + 0.3 * screen), 0.36 * shape.width, shape.height - 0.13)
    builder.box(low, high, UNDERBODY, top=0.8)


def _add_windows(builder: Builder, shape: Shape, trim: Trim, glazing: Glazing) -> None:
    across = np.linspace(-0.9, 0.9, 7)
    screen = shape.cabin(np.linspace(0.04, 0.93, 5)[:, None], across)
    add_sheet(builder, screen, GLASS, (1, 0, 0.5), lift=LIFT_M)
    if trim.rear_windows:
        _add_rear_window(builder, shape, trim)
    spans = [(span, GLASS) for span in glazing.sides]
    spans += [(span, DARK_TRIM) for span in glazing.pillars]
    for (first, last), look in spans:
        x = np.linspace(first, last, 6 if look is GLASS else 2)
        for side in (-1, 1):
            points = shape.cabin_side(x, np.linspace(0.1, 0.86, 3)[:, None], side)
            add_sheet(builder, points, look, (0, side, 0), lift=LIFT_M)


def _add_rear_window(builder: Builder, shape: Shape, trim: Trim) -> None:
    """Add it with what is around it: a frame, a wiper, a brake light, lights beside it."""

    def lay(look: Look, q: tuple[float, float], s: tuple[float, float], lift: float = 1.0) -> None:
        # Where the cabin bends, so that none of its paint stands through.
        points = shape.cabin(_between(CABIN_Q, *q)[:, None], _between(CABIN_ACROSS, *s))
        add_sheet(builder, points, look, (-1, 0, 0.3), lift=lift * LIFT_M)

    wide = trim.rear_width
    if trim.framed:
        frame = min(wide + 0.07, 0.97)
        lay(DARK_TRIM, (2.06, 2.9), (-frame, frame))
    lay(GLASS, (2.1, 2.82), (-wide, wide), 2.0)
    if trim.high_light:
        lay(TAILLIGHT, (2.07, 2.1), (-0.16, 0.16), 3.0)
    if trim.wiper:
        lay(PLASTIC, (2.76, 2.79), (-0.06, 0.45), 3.0)
    if trim.pillar_lights and shape.rear_foot > HATCH_FOOT:
        for side in (-1, 1):
            low, high = sorted((side * (wide + 0.02), side * 0.985))
            lay(trim.lights.rear, (2.3, 2.97), (low, high), 2.0)


def _side_windows(shape: Shape, trim: Trim) -> list[tuple[float, float]]:
    """Return where the windows of a side start and end, metres along the car."""
    front, rear = shape.side_ends()
    roof_rear = float(shape.cabin(2.0, 1.0)[0])
    start = front - 0.22 * (front - float(shape.cabin(1.0, 1.0)[0]))
    pillar = start - 0.47 * (start - max(rear, roof_rear - 0.25))
    if not trim.rear_windows:
        return [(start, start - min(1.15, 0.8 * (start - rear)))]
    end = rear + 0.3 * (roof_rear - rear) + 0.1
    windows = [(start, pillar + 0.04)]
    if pillar - 0.05 - end > 1.5:
        third = end + 0.38 * (pillar - end)
        return [*windows, (pillar - 0.05, third + 0.05), (third - 0.05, end)]
    return [*windows, (pillar - 0.05, end)]


def _add_front(builder: Builder, shape: Shape, trim: Trim) -> None:
    x = shape.length / 2
    inner_edge, low, high = trim.lights.front_place
    look = trim.lights.front
    for side in (-1, 1):
        inner, outer = sorted((side * inner_edge, side * 0.975))
        _patch(builder, shape, look, x=x, s=(inner, outer), t=(low, high))
        _patch(builder, shape, PLASTIC, x=x, s=(inner, outer), t=(low - 0.02, low))
        _patch(builder, shape, look, x=(x - 0.22, x), s=float(side), t=(low + 0.04, high))
        _patch(builder, shape, INDICATOR, x=(x - 0.26, x - 0.2), s=float(side),
               t=(low + 0.05, high - 0.03))  # fmt: skip
        _add_reflectors(builder, shape, trim.lights, side)
        inner, outer = sorted((side * 0.68, side * 0.86))
        _patch(builder, shape, PLASTIC, x=x, s=(inner, outer), t=(0.17, 0.3), lift=1.5 * LIFT_M)
    if trim.slats is not None:
        wide = inner_edge - 0.04
        feet = np.linspace(low - 0.02, high - 0.05, trim.slats + 2)[1:]
        for foot in feet.tolist():
            _patch(builder, shape, trim.slat, x=x, s=(-wide, wide), t=(foot, foot + 0.02),
                   lift=1.5 * LIFT_M)  # fmt: skip
    _patch(builder, shape, CHROME, x=x, s=(-0.07, 0.07), t=(low + 0.02, high - 0.06),
           lift=2 * LIFT_M)  # fmt: skip


def _add_reflectors(builder: Builder, shape: Shape, lights: Lights, side: int) -> None:
    """Add what shines in a headlight that is grey or dark around it."""
    inner, low, high = lights.front_place
    count = lights.reflectors
    wide, margin = 0.94 - inner, 0.2 * (high - low)
    for index in range(count):
        first = inner + wide * (index + 0.2) / count
        edges = sorted((side * first, side * (first + 0.55 * wide / count)))
        _patch(builder, shape, HEADLIGHT, x=shape.length / 2, s=(edges[0], edges[1]),
               t=(low + margin, high - margin), lift=2 * LIFT_M)  # fmt: skip


def _add_rear(builder: Builder, shape: Shape, trim: Trim) -> None:
    x = -shape.length / 2
    inner_edge, low, high = trim.lights.rear_place
    look = trim.lights.rear
    for side in (-1, 1):
        inner, outer = sorted((side * inner_edge, side * 0.985))
        _patch(builder, shape, look, x=x, s=(inner, outer), t=(low, high))
        _patch(builder, shape, look, x=(x, x + 0.2), s=float(side), t=(low, high))
        inner, outer = sorted((side * (inner_edge + 0.03), side * 0.93))
        middle = 0.5 * (low + high)
        _patch(builder, shape, trim.lights.stripe, x=x, s=(inner, outer),
               t=(middle - 0.03, middle + 0.02), lift=2 * LIFT_M)  # fmt: skip
    _patch(builder, shape, SEAM, x=x, s=(-0.93, 0.93), t=(0.465, 0.48))
    builder.tube((x + 0.15, 0.3 * shape.width, shape.clearance),
                 (x + 0.03, 0.3 * shape.width, shape.clearance), 0.03, STEEL, sides=6)  # fmt: skip


def _add_sides(builder: Builder, shape: Shape, trim: Trim) -> None:
    front, rear = shape.axles
    reach = 1.25 * shape.wheel_radius
    windows = _side_windows(shape, trim)
    seams = [windows[0][0] + 0.02, windows[0][1] - 0.045]
    if len(windows) > 1:
        seams.append(max(windows[1][1] + 0.12, rear + 0.25))
    for side in (-1.0, 1.0):
        span = (rear + reach, front - reach)
        _patch(builder, shape, PLASTIC, x=span, s=side, t=(0.0, 0.08))
        for x in seams:
            low = 0.12 if x > rear + reach else 0.65
            _patch(builder, shape, SEAM, x=(x - 0.006, x + 0.006), s=side, t=(low, 0.97))
        if trim.bumper is not None:
            _patch(builder, shape, trim.bumper.look, x=span, s=side, t=(0.36, BUMPER_TOP))
        for x in seams[1:]:
            _patch(builder, shape, PLASTIC, x=(x + 0.08, x + 0.24), s=side, t=(0.78, 0.81),
                   lift=0.02)  # fmt: skip
        if trim.rails:
            roof = shape.cabin(np.linspace(1.12, 1.9, 4), side * 0.9)
            roof[:, 2] += 0.015
            for start, end in itertools.pairwise(roof.tolist()):
                builder.tube(start, end, 0.018, CHROME, sides=4, closed=False)
        mirror_x = windows[0][0] - 0.12
        waist = float(shape.waist(mirror_x))
        outer = shape.width / 2
        low, high = sorted((side * (outer - 0.16), side * outer))
        builder.box((mirror_x - 0.06, low, waist + 0.03), (mirror_x + 0.1, high, waist + 0.16),
                    PAINT, top=0.85)  # fmt: skip


def _add_wheels(builder: Builder, shape: Shape, trim: Trim) -> None:
    y = shape.width / 2 * 0.965 - WHEEL_WIDTH_M / 2
    for x in shape.axles:
        for side in (-1, 1):
            add_wheel(builder, (x, side * y, shape.wheel_radius), shape.wheel_radius,
                      WHEEL_WIDTH_M, trim.rim, spokes=trim.spokes)  # fmt: skip
