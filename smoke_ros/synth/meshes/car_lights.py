"""Head and tail lights of cars by day: where they are, and what is seen behind their glass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smoke_ros.synth.meshes.shapes import HEADLIGHT, TAILLIGHT, Look

#: Less than that of windows, through which the renderer shows what is behind.
GLOSS = 0.9
#: Shares of headlights that are bright all over, grey around their reflectors, and dark.
HEADLIGHT_SHARES = (0.3, 0.5, 0.2)
#: Linear reflectance of what is grey, and of what is dark.
GREY, DARK = (0.1, 0.4), (0.025, 0.09)
#: Of tail lights: how much darker or brighter than usual, and how many are clear but for a red
#: stripe.
BRIGHTNESS, CLEAR_SHARE = (0.3, 1.2), 0.12


@dataclass(frozen=True)
class Lights:
    """What the lights of a car look like, and where they are.

    A place is the inner edge as a part of the half width, foot and top as parts of the body's
    height.
    """

    front: Look
    front_place: tuple[float, float, float]
    rear: Look
    rear_place: tuple[float, float, float]
    #: How many bright reflectors a headlight has, and what the stripe of a tail light is like.
    reflectors: int = 0
    stripe: Look = Look((0.5, 0.4, 0.38), 0.8)


def draw_lights(
    front_place: tuple[float, float, float],
    rear_place: tuple[float, float, float],
    rng: np.random.Generator,
) -> Lights:
    """Draw what the lights at some places look like."""
    kind = int(rng.choice(3, p=HEADLIGHT_SHARES))
    if kind == 0:
        front, reflectors = HEADLIGHT, 0
    else:
        grey = float(rng.uniform(*(GREY if kind == 1 else DARK)))
        front, reflectors = Look((grey, grey, 1.05 * grey), GLOSS), int(rng.integers(1, 3))
    red, green, blue = (float(rng.uniform(*BRIGHTNESS)) * np.array(TAILLIGHT.colour)).tolist()
    rear, stripe = Look((red, green, blue), TAILLIGHT.gloss), Lights.stripe
    if rng.random() < CLEAR_SHARE:
        grey = float(rng.uniform(*GREY))
        rear, stripe = Look((grey, 0.9 * grey, 0.9 * grey), GLOSS), rear
    elif rng.random() < 0.4:
        stripe = rear
    return Lights(front, front_place, rear, rear_place, reflectors, stripe)
