"""How mesh files are to be read: which way each faces, how large it is, what of it takes paint.

A calibration is a YAML file with a list `meshes`, each entry a :class:`MeshCalibration`:

    meshes:
      - file: gazebo/suv/suv.obj
        class_name: Car
        up: z
        forward: -y
        size_m: [4.7, 1.85, 1.95]   # length, height, width
        paint: [SUV_Body]
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from smoke_ros.config.options import check, from_mapping, option

AXES = ('', 'x', 'y', 'z', '-x', '-y', '-z')
#: KITTI has no buses: they are trucks here, as the built-in ones are.
CLASSES = ('', 'Car', 'Van', 'Truck', 'Tram', 'Pedestrian', 'Cyclist', 'Misc')

#: A calibration of this name beside the meshes is found without being named.
DEFAULT_NAME = 'meshes.yaml'


class MeshFileError(ValueError):
    """A mesh file that cannot be used; the message says why."""


@dataclass(frozen=True)
class MeshCalibration:
    """How one mesh file is to be read; what is left empty is guessed."""

    file: str = option('', 'mesh file, relative to the folder')
    name: str = option('', "model's name; by default the file's path without its ending")
    skip: bool = option(False, 'leave this file out')
    class_name: str = option('', "KITTI's type name", choices=CLASSES)
    up: str = option('', "the file's axis that points up", choices=AXES)
    forward: str = option('', "the file's axis along which it drives", choices=AXES)
    size_m: tuple[float, ...] = option((), 'length, height and width', unit='m')
    paint: tuple[str, ...] = option((), 'materials that take paint; * stands for any letters')
    glass: tuple[str, ...] = option((), 'materials that are drawn as dark glass')
    drop: tuple[str, ...] = option((), 'materials that are left out')
    alpha: str = option(
        'opacity', "what a texture's fourth channel means", choices=('opacity', 'paint', 'nothing')
    )
    body_colour: tuple[int, ...] = option(
        (), 'where the texture has this sRGB colour or a darker or lighter one, it takes paint'
    )
    bake: bool = option(False, 'give each triangle one colour of the texture (for colour tables)')
    attach: tuple[Any, ...] = option(
        (), "further files, each with its place in this file's units: [file, x, y, z, mirror axis]"
    )
    held_out: bool = option(False, 'keep for testing')
    max_triangles: int = option(20_000, 'reject meshes with more: they draw slowly', low=1)

    def __post_init__(self) -> None:
        check(self)
        if self.size_m and (len(self.size_m) != 3 or min(self.size_m) <= 0):
            raise ValueError(
                f'size_m must be three positive numbers (length, height, width), got {self.size_m}'
            )
        if bool(self.up) != bool(self.forward):
            raise ValueError(
                f'up and forward must be given together, got {self.up!r}, {self.forward!r}'
            )
        if self.up and self.up[-1] == self.forward[-1]:
            raise ValueError(f'up and forward must differ, got {self.up!r}, {self.forward!r}')
        for each in self.attach:
            if not is_attachment(each):
                raise ValueError(
                    f'attach must list [file, x, y, z] or [file, x, y, z, mirror axis], got {each}'
                )


def is_attachment(entry: Any) -> bool:
    """Whether it is a file, three numbers, and at most an axis to mirror."""
    return (
        isinstance(entry, tuple)
        and len(entry) in (4, 5)
        and isinstance(entry[0], str)
        and all(isinstance(value, int | float) for value in entry[1:4])
        and all(axis in ('x', 'y', 'z') for axis in entry[4:])
    )


def read_mesh_calibrations(path: Path) -> list[MeshCalibration]:
    """Read a calibration file.

    Raises
    ------
    ValueError
        For anything that is not as described above, naming the file and the entry.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding='utf-8'))
    except yaml.YAMLError as error:
        raise ValueError(f'{path}: not a YAML file: {error}') from error
    entries = content.get('meshes') if isinstance(content, dict) else None
    if not isinstance(entries, list) or set(content) != {'meshes'}:
        raise ValueError(f"{path}: expected one key, 'meshes', with a list, got {content!r:.80}")
    calibrations = []
    for number, entry in enumerate(entries, 1):
        where = f'{path}, mesh {number}'
        if not isinstance(entry, dict) or not entry.get('file'):
            raise ValueError(f"{where}: expected options with a 'file', got {entry!r:.80}")
        calibrations.append(from_mapping(MeshCalibration, entry, f'{where} ({entry["file"]})'))
    return calibrations
