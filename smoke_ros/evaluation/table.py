"""The objects of all frames as columns, and the pairs of them that overlap."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from smoke_ros import overlap
from smoke_ros.data.kitti import DONT_CARE, KittiObject
from smoke_ros.structures import FloatArray

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

#: Pairs whose overlap is computed at a time: keeps memory flat for any number of frames.
PAIRS_AT_A_TIME = 500_000


@dataclass(frozen=True, eq=False)
class ObjectTable:
    """N objects in the order of their frames and, within one, of their lines.

    Attributes
    ----------
    frame
        (N,) index of the frame.
    class_name
        (N,) names in lower case: KITTI compares them so.
    boxes
        (N, 7) :data:`smoke_ros.overlap.BOX_COLUMNS`.
    bbox
        (N, 4) x1, y1, x2, y2 in pixels.
    alpha
        (N,) observation angles as stated, in radians.
    truncation, occlusion
        (N,) as labelled; -1 where unknown.
    score
        (N,) scores; 1 where there is none.
    """

    frame: IntArray
    class_name: npt.NDArray[np.str_]
    boxes: FloatArray
    bbox: FloatArray
    alpha: FloatArray
    truncation: FloatArray
    occlusion: IntArray
    score: FloatArray

    @classmethod
    def from_frames(cls, frames: Sequence[Sequence[KittiObject]]) -> ObjectTable:
        """Collect the objects of all frames."""
        objects = [item for frame in frames for item in frame]
        counts = [len(frame) for frame in frames]
        return cls(
            frame=np.repeat(np.arange(len(frames)), counts),
            class_name=np.array([item.class_name.lower() for item in objects], dtype=np.str_),
            boxes=overlap.box_rows(objects),
            bbox=np.array([item.bbox_xyxy_px for item in objects], float).reshape(-1, 4),
            alpha=np.array([item.observation_angle for item in objects], float),
            truncation=np.array([item.truncation for item in objects], float),
            occlusion=np.array([item.occlusion for item in objects], np.int64),
            score=np.array([1.0 if item.score is None else item.score for item in objects], float),
        )

    @classmethod
    def joined(cls, tables: Sequence[ObjectTable], frames: Sequence[int]) -> ObjectTable:
        """Put tables one after the other, given how many frames each of them is of."""
        empty = cls.from_frames([])
        first = np.cumsum([0, *frames])
        columns: dict[str, npt.NDArray[Any]] = {
            field.name: np.concatenate(
                [getattr(empty, field.name), *(getattr(table, field.name) for table in tables)]
            )
            for field in dataclasses.fields(cls)
        }
        shifted = [table.frame + start for table, start in zip(tables, first[:-1], strict=True)]
        columns['frame'] = np.concatenate([empty.frame, *shifted])
        return cls(**columns)

    def where(self, rows: BoolArray) -> ObjectTable:
        """Return the objects for which ``rows`` (N,) is true; frames keep their numbers."""
        columns = {
            field.name: getattr(self, field.name)[rows] for field in dataclasses.fields(self)
        }
        return ObjectTable(**columns)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def has_size(self) -> BoolArray:
        """(N,) whether an object has a 3D box: those known in the image alone have sizes of -1."""
        return np.asarray((self.boxes[:, 3:6] > 0.0).all(axis=1))

    @property
    def has_bbox(self) -> BoolArray:
        """(N,) whether an object has a 2D box with an area."""
        return np.asarray((self.bbox[:, 2:] > self.bbox[:, :2]).all(axis=1))

    @property
    def height_px(self) -> FloatArray:
        """(N,) heights in the image."""
        return self.bbox[:, 3] - self.bbox[:, 1]

    def of_classes(self, names: Sequence[str]) -> BoolArray:
        """(N,) which objects have one of these class names, whatever their case."""
        return np.isin(self.class_name, [name.lower() for name in names])


@dataclass(frozen=True, eq=False)
class Pairs:
    """P pairs of a labelled object and a detection of one frame that overlap at all.

    They come in the order of the labelled objects and, for one of these, of the detections.
    """

    #: (P,) rows of the table of labelled objects, and of that of detections.
    truth: IntArray
    detection: IntArray
    #: (P,) intersection over union in the image, from above and in space.
    overlap_2d: FloatArray
    overlap_bev: FloatArray
    overlap_3d: FloatArray


def overlapping_pairs(truth: ObjectTable, detections: ObjectTable) -> Pairs:
    """Return every labelled object, DontCare aside, with every detection that it overlaps."""
    is_object = ~truth.of_classes([DONT_CARE])
    blocks = _same_frame(truth, detections, is_object)
    parts = [_overlapping(truth, detections, *block) for block in blocks]
    if not parts:
        parts = [_overlapping(truth, detections, *np.zeros((2, 0), dtype=np.int64))]
    return Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def share_in_dont_care(truth: ObjectTable, detections: ObjectTable) -> FloatArray:
    """Return (detections,) the largest share of each one's 2D box inside one DontCare region."""
    share = np.zeros(len(detections))
    for region, detection in _same_frame(truth, detections, truth.of_classes([DONT_CARE])):
        inside = overlap.share_inside_2d(detections.bbox[detection], truth.bbox[region])
        np.maximum.at(share, detection, inside)
    return share


def _same_frame(
    truth: ObjectTable, detections: ObjectTable, wanted: BoolArray
) -> Iterator[tuple[IntArray, IntArray]]:
    """Pair the wanted labelled objects with all detections of their frames, in blocks."""
    rows = np.flatnonzero(wanted)
    first = np.searchsorted(detections.frame, truth.frame[rows], side='left')
    counts = np.searchsorted(detections.frame, truth.frame[rows], side='right') - first
    block = counts.cumsum() // PAIRS_AT_A_TIME
    for number in np.unique(block):
        chosen = block == number
        start, count = first[chosen], counts[chosen]
        offset = np.arange(count.sum()) - np.repeat(count.cumsum() - count, count)
        yield np.repeat(rows[chosen], count), np.repeat(start, count) + offset


def _overlapping(
    truth: ObjectTable, detections: ObjectTable, t: IntArray, d: IntArray
) -> tuple[IntArray, IntArray, FloatArray, FloatArray, FloatArray]:
    in_image = overlap.overlap_2d(truth.bbox[t], detections.bbox[d])
    # Boxes whose circumscribed circles stay apart need no closer look.
    reach = 0.5 * (_diagonal(truth.boxes)[t] + _diagonal(detections.boxes)[d])
    shift = truth.boxes[t][:, [0, 2]] - detections.boxes[d][:, [0, 2]]
    near = np.hypot(shift[:, 0], shift[:, 1]) < reach
    a, b = truth.boxes[t[near]], detections.boxes[d[near]]
    common = np.zeros(len(t))
    common[near] = overlap.intersection_bev(a, b)
    from_above, in_space = np.zeros(len(t)), np.zeros(len(t))
    from_above[near] = overlap.overlap_bev_from_common(a, b, common[near])
    in_space[near] = overlap.overlap_3d_from_common(a, b, common[near])
    some = (in_image > 0.0) | (common > 0.0)
    return t[some], d[some], in_image[some], from_above[some], in_space[some]


def _diagonal(boxes: FloatArray) -> FloatArray:
    return np.hypot(boxes[:, 3], boxes[:, 5])
