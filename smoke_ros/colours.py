"""Which colour a class has, in pictures and in RViz alike."""

from __future__ import annotations

import colorsys
import zlib

#: Red, green and blue, each 0 to 1.
RGB = tuple[float, float, float]

#: KITTI's classes. Bright, and apart in hue and lightness, so that they differ on dark and on
#: light images, and for people who cannot tell red from green.
CLASS_COLOURS: dict[str, RGB] = {
    'Car': (1.00, 0.60, 0.05),
    'Van': (0.95, 0.85, 0.25),
    'Truck': (0.80, 0.40, 0.95),
    'Pedestrian': (0.20, 0.80, 1.00),
    'Person_sitting': (0.45, 0.60, 1.00),
    'Cyclist': (0.30, 0.95, 0.45),
    'Tram': (1.00, 0.35, 0.45),
    'Misc': (0.75, 0.75, 0.75),
}


def class_colour(class_name: str) -> RGB:
    """Return the colour of a class; one that is not listed gets a bright hue made of its name."""
    known = CLASS_COLOURS.get(class_name)
    if known is not None:
        return known
    hue = zlib.crc32(class_name.encode()) % 360 / 360
    return colorsys.hsv_to_rgb(hue, 0.7, 1.0)
