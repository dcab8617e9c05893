"""KITTI label files as the ground truth of a bag, matched by stamp or by index."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from pathlib import Path

from smoke_ros.data.drives import read_labels
from smoke_ros.data.kitti import KittiObject, read_lines
from smoke_ros.errors import KittiFormatError
from smoke_ros.files import list_files
from smoke_ros.structures import Vector3

#: Written by bag2kitti, beside label_2: frame name, stamp in nanoseconds, image topic.
STAMPS_FILE = 'timestamps.txt'
#: Names that are numbers from here on are stamps in nanoseconds (of 1970's first minutes on).
SMALLEST_STAMP_NS = 10**10
#: How far a stamp may be from that of the image.
TOLERANCE_NS = 1_000_000


class LabelFolder:
    """A folder of label files.

    What ``timestamps.txt`` (in the folder or the one above) names is matched by stamp; so are
    files whose names are stamps in nanoseconds. Else names are indices of the images: 000012.txt
    is that of the thirteenth image.

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or no label in it.
    ValueError
        If a name is not a number, the list of stamps names none of them, or two are of one image.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise FileNotFoundError(f'{folder}: no such folder of labels')
        files = [path for path in list_files(folder, ('.txt',)) if path.name != STAMPS_FILE]
        if not files:
            raise FileNotFoundError(f'{folder}: expected labels NAME.txt')
        self.topics: frozenset[str] = frozenset()
        stamps = next(
            (f / STAMPS_FILE for f in (folder, folder.parent) if (f / STAMPS_FILE).is_file()), None
        )
        by_stamp: dict[tuple[str, int], Path] = {}
        if stamps is not None and (by_name := _read_stamps(stamps)) is not None:
            by_stamp = _by_key((by_name[p.stem], p) for p in files if p.stem in by_name)
            if not by_stamp:
                raise ValueError(
                    f'{stamps}: expected the names of labels, it has none of those in {folder}, '
                    f'such as {files[0].name}'
                )
            self.topics = frozenset(topic for topic, _ in by_stamp)
        else:
            by_stamp = _by_key((('', _number(path)), path) for path in files)
        self._paths = by_stamp
        self._sorted = sorted(by_stamp)
        self.matches_index = not self.topics and self._sorted[-1][1] < SMALLEST_STAMP_NS

    def find(self, topic: str, index: int, stamp_ns: int) -> Path | None:
        """Return the label file of an image; None where it has none."""
        if self.matches_index:
            return self._paths.get(('', index))
        wanted = (topic if self.topics else '', stamp_ns)
        at = bisect.bisect_left(self._sorted, wanted)
        near = [
            key
            for key in self._sorted[max(0, at - 1) : at + 1]
            if key[0] == wanted[0] and abs(key[1] - stamp_ns) <= TOLERANCE_NS
        ]
        if not near:
            return None
        return self._paths[min(near, key=lambda key: abs(key[1] - stamp_ns))]

    def describe_match(self) -> str:
        """Say how many labels there are, and how they find their images."""
        how = f'stamp, to within {1e-6 * TOLERANCE_NS:g} ms'
        if self.matches_index:
            first = self._sorted[0]
            name = self._paths[first].name
            how = f'index, {name} is that of image {first[1]}, counted from 0'
        return f'{len(self._paths)} labels, matched by {how}'

    def read(
        self, topic: str, index: int, stamp_ns: int, offset: Vector3
    ) -> list[KittiObject] | None:
        """Read the labels of an image, moved by ``offset`` into its camera's frame."""
        path = self.find(topic, index, stamp_ns)
        return None if path is None else read_labels(path, offset)


def _by_key(pairs: Iterable[tuple[tuple[str, int], Path]]) -> dict[tuple[str, int], Path]:
    """Return the files by topic and number; of two of one image, none is known to be right."""
    found: dict[tuple[str, int], Path] = {}
    for key, path in pairs:
        other = found.setdefault(key, path)
        if other != path:
            raise ValueError(
                f'{path.parent}: {other.name} and {path.name} are both of the image '
                f'{" ".join(map(str, key)).strip()}; labels of several bags whose stamps begin '
                'alike cannot be told apart: make a folder of each bag'
            )
    return found


def _number(path: Path) -> int:
    try:
        return int(path.stem)
    except ValueError as error:
        raise ValueError(
            f'{path}: expected the name of a label to be the index of its image or its stamp in '
            f'nanoseconds, or a {STAMPS_FILE} as bag2kitti writes it'
        ) from error


def _read_stamps(path: Path) -> dict[str, tuple[str, int]] | None:
    """Read name -> (topic, stamp); None where it is a raw drive's file of the same name."""
    found = {}
    for number, line in enumerate(read_lines(path), 1):
        words = line.split()
        if len(words) == 2 and '-' in words[0]:
            return None
        try:
            name, stamp, topic = words
            found[name] = (topic, int(stamp))
        except ValueError as error:
            raise KittiFormatError(
                f'{path}:{number}: expected name, stamp in ns and topic, got {line!r}'
            ) from error
    return found
