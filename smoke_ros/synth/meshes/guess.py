"""What can be told of a vehicle's mesh without a calibration; every guess can be wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from smoke_ros.structures import FloatArray, Vector3
from smoke_ros.synth.meshes.calibration import MeshCalibration, MeshFileError

#: Words in a file's path, and the class that they tell; the first that fits counts.
CLASS_WORDS = (
    ('Tram', r'tram|streetcar'), ('Misc', r'motor(cycle|bike)|trailer'),
    ('Truck', r'truck|lorry|tanker|bus|coach'), ('Van', r'van|ambulance|transporter'),
    ('Pedestrian', r'person|pedestrian|human'), ('Cyclist', r'cyclist'),
)  # fmt: skip

#: Lengths in metres that are believed as they are, and what else is scaled to.
LENGTHS: dict[str, tuple[float, float, float]] = {
    'Car': (3.0, 5.6, 4.0), 'Van': (3.8, 7.5, 5.1), 'Truck': (5.0, 19.0, 10.0),
    'Tram': (9.0, 45.0, 20.0), 'Misc': (1.5, 8.0, 2.1),
    'Pedestrian': (0.3, 1.3, 0.8), 'Cyclist': (1.4, 2.2, 1.8),
}  # fmt: skip

#: Vehicles, and how wide or high one can be at most in parts of its length; a single wheel, say,
#: is no vehicle.
VEHICLES, STOUTEST = ('Car', 'Van', 'Truck', 'Tram'), 0.8


def guess_class(file: str) -> str:
    """Return KITTI's type name from words in a file's path; a car is what has none."""
    words = re.sub(r'[^a-z]+', ' ', file.lower())
    for class_name, pattern in CLASS_WORDS:
        if re.search(rf'\b({pattern})', words):
            return class_name
    return 'Car'


def guess_axes(points: FloatArray, file: str) -> tuple[str, str]:
    """Return the axes that point up and forward.

    glTF and COLLADA files say which is up; of the others, a vehicle is longest from front to
    back and its left is its right mirrored, which leaves the axis that points up. The lower half
    of its length is the bonnet's.

    Parameters
    ----------
    points
        (V, 3), vertices.
    file
        Its name.
    """
    extents = np.ptp(points, axis=0)
    if Path(file).suffix.lower() in ('.glb', '.gltf'):
        up = 1
        length = 0 if extents[0] > extents[2] else 2
    else:
        length = int(np.argmax(extents))
        others = [axis for axis in range(3) if axis != length]
        width = min(others, key=lambda axis: _lopsidedness(points, axis))
        up = 3 - length - width
    middle = (points[:, length].min() + points[:, length].max()) / 2
    ends = [points[:, length] > middle + 0.3 * extents[length],
            points[:, length] < middle - 0.3 * extents[length]]  # fmt: skip
    heights = [points[end, up].max() if end.any() else np.inf for end in ends]
    return 'xyz'[up], ('' if heights[0] <= heights[1] else '-') + 'xyz'[length]


def _lopsidedness(points: FloatArray, axis: int) -> float:
    """Return how far apart a shape's vertices and their mirror images lie, as histograms."""
    values = points[:, axis] - (points[:, axis].min() + points[:, axis].max()) / 2
    edges = np.linspace(-1.0, 1.0, 21) * max(float(np.abs(values).max()), 1e-9) * 1.001
    counts, _ = np.histogram(values, edges)
    return float(np.abs(counts - counts[::-1]).sum()) / len(values)


def guess_size(extents: FloatArray, class_name: str) -> Vector3:
    """Return length, height, width in metres for extents (length, width, height) of any unit.

    Raises
    ------
    MeshFileError
        If nothing of that class has such proportions.
    """
    low, high, typical = LENGTHS[class_name]
    length, width, height = extents.tolist()
    if class_name in VEHICLES and max(width, height) > STOUTEST * length:
        raise MeshFileError(
            f'no {class_name} is {width / length:.2f} times as wide and {height / length:.2f} '
            'times as high as long; calibrate it, with skip: true if it is only a part'
        )
    factor = 1.0 if low <= length <= high else typical / length
    return length * factor, height * factor, width * factor


def complete(
    calibration: MeshCalibration, points: FloatArray
) -> tuple[MeshCalibration, list[str]]:
    """Fill in what a calibration leaves open, all but the size, and say what was guessed."""
    guessed = []
    if not calibration.class_name:
        calibration = replace(calibration, class_name=guess_class(calibration.file))
        guessed.append(f'class {calibration.class_name}')
    if not calibration.up:
        up, forward = guess_axes(points, calibration.file)
        calibration = replace(calibration, up=up, forward=forward)
        guessed.append(f'up {up}, forward {forward}')
    return calibration, guessed
