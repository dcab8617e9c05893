"""What a user of the camera asks: how far off, how often missed, how often wrong.

KITTI's matches in space leave out every detection whose depth is wrong, so errors measured on
them say little. Here a detection is of an object if their boxes *in the image* overlap enough and
the classes agree: detections choose in the order of their scores, each the free object that it
overlaps most. Nothing but the class is asked of an object: no minimum height, no limit on
occlusion or truncation. Distance is z, along the optical axis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.evaluation.matching import assign_in_turn
from smoke_ros.evaluation.table import BoolArray, IntArray, ObjectTable, Pairs
from smoke_ros.geometry import wrap_angle
from smoke_ros.structures import DIMENSION_ORDER, FloatArray

#: Nearest distance in metres of which an error is given as a share.
NEAREST_RELATIVE_M = 1.0

#: A heading is good up to this error, and flipped if it is this close to the opposite heading.
GOOD_HEADING_DEG = 10.0
FLIPPED_WITHIN_DEG = 30.0

#: KITTI's levels of occlusion, and ranges of truncation (above the first, up to the second).
OCCLUSION_NAMES = {0: 'fully visible', 1: 'partly occluded', 2: 'largely occluded', 3: 'unknown'}
TRUNCATION_RANGES = ((-math.inf, 0.0), (0.0, 0.15), (0.15, 0.3), (0.3, 0.5), (0.5, math.inf))

CALIBRATION_BINS = 10

#: Whatever lies farther shares the last bin of distance.
MOST_DISTANCE_BINS = 20


@dataclass(frozen=True, eq=False)
class ImageMatches:
    """Which detection is of which object, at any score.

    A match does not depend on detections of lower score, so the matches at a threshold are those
    of detections that reach it.
    """

    #: (M,) rows of the table of labelled objects and of that of detections.
    truth: IntArray
    detection: IntArray
    #: (detections,) neither right nor wrong: of a neighbouring class, or in a DontCare region.
    excused: BoolArray

    def of_class(
        self, truth: ObjectTable, detections: ObjectTable, class_name: str
    ) -> tuple[IntArray, IntArray, BoolArray, BoolArray]:
        """Return a class's matches, and which detections are judged by them.

        Returns
        -------
        (m,) rows of labelled objects and of their detections, (detections,) of an object, and
        (detections,) of an object or of nothing: right or wrong.
        """
        use = truth.of_classes([class_name])[self.truth]
        right = np.zeros(len(detections), dtype=bool)
        right[self.detection[use]] = True
        judged = detections.of_classes([class_name]) & ~self.excused
        return self.truth[use], self.detection[use], right, judged


@dataclass(frozen=True)
class DepthErrors:
    """Errors of z over some matched objects; None where there are none."""

    low_m: float
    #: None for no limit.
    high_m: float | None
    count: int
    mean_abs_m: float | None
    median_abs_m: float | None
    p90_abs_m: float | None
    #: Mean of detected less labelled: positive for too far.
    bias_m: float | None
    mean_relative: float | None
    median_relative: float | None
    bias_relative: float | None


@dataclass(frozen=True)
class HeadingErrors:
    """Errors of rotation_y over matched objects."""

    count: int
    median_deg: float | None
    p90_deg: float | None
    share_good: float | None
    share_flipped: float | None


@dataclass(frozen=True)
class SizeErrors:
    """Errors of one dimension over matched objects."""

    dimension: str
    count: int
    mean_abs_m: float | None
    bias_m: float | None
    mean_relative: float | None


@dataclass(frozen=True)
class Recall:
    """How many of some objects were found."""

    of: str
    objects: int
    found: int

    @property
    def recall(self) -> float | None:
        """The share that was found."""
        return self.found / self.objects if self.objects else None


@dataclass(frozen=True)
class CalibrationBin:
    """Detections of similar score, and how many of them are of an object."""

    low: float
    high: float
    count: int
    right: int
    mean_score: float | None

    @property
    def precision(self) -> float | None:
        """The share that is right: what a calibrated score would say."""
        return self.right / self.count if self.count else None


@dataclass(frozen=True)
class CameraErrors:
    """All of it for one class; all but the calibration at the score threshold."""

    recall: Recall
    #: Detections that are of no object.
    false_boxes: int
    depth: DepthErrors
    depth_by_distance: tuple[DepthErrors, ...]
    heading: HeadingErrors
    size: tuple[SizeErrors, ...]
    #: As many, and one more for objects without a 3D box, where there are any.
    recall_by_distance: tuple[Recall, ...]
    recall_by_occlusion: tuple[Recall, ...]
    recall_by_truncation: tuple[Recall, ...]
    calibration: tuple[CalibrationBin, ...]

    @property
    def calibration_error(self) -> float | None:
        """Mean distance between score and precision over the bins, weighted by their counts."""
        filled = [part for part in self.calibration if part.count]
        if not filled:
            return None
        gaps = [abs(part.mean_score - part.precision) * part.count for part in filled]  # type: ignore[operator]
        return sum(gaps) / sum(part.count for part in filled)


def match_in_image(
    truth: ObjectTable,
    detections: ObjectTable,
    pairs: Pairs,
    dont_care: FloatArray,
    config: EvaluationConfig,
) -> ImageMatches:
    """Match detections with objects of their class by overlap in the image, best score first.

    Parameters
    ----------
    truth, detections, pairs
        Objects of all frames and what overlaps among them.
    dont_care
        (detections,) share of each one's 2D box inside a DontCare region.
    config
        Gives the overlap and the neighbouring classes.
    """
    close = pairs.overlap_2d >= config.match_overlap
    t, d, overlap = pairs.truth[close], pairs.detection[close], pairs.overlap_2d[close]
    excused = dont_care >= config.match_overlap
    for name in config.classes:
        others = truth.of_classes(config.neighbours_of(name))
        excused[d[others[t] & detections.of_classes([name])[d]]] = True
    same = truth.class_name[t] == detections.class_name[d]
    t, d, overlap = t[same], d[same], overlap[same]
    frame = truth.frame[t]
    order = np.lexsort((t, -overlap, d, -detections.score[d], frame))
    t, d = t[order], d[order]
    everything = np.ones((len(t), 1), dtype=bool)
    chosen = assign_in_turn(d, t, frame[order], everything)[:, 0]
    excused[d[chosen]] = False
    return ImageMatches(t[chosen], d[chosen], excused)


def camera_errors(
    truth: ObjectTable,
    detections: ObjectTable,
    matches: ImageMatches,
    class_name: str,
    config: EvaluationConfig,
) -> CameraErrors:
    """Measure the errors of one class; those of 3D boxes where both sides have one."""
    objects = np.flatnonzero(truth.of_classes([class_name]))
    t, d, right, judged = matches.of_class(truth, detections, class_name)
    is_sure = detections.score >= config.score_threshold
    t, d = t[is_sure[d]], d[is_sure[d]]
    found = np.zeros(len(truth), dtype=bool)
    found[t] = True
    both = truth.has_size[t] & detections.has_size[d]
    t, d = t[both], d[both]
    true_z, z = truth.boxes[t, 2], detections.boxes[d, 2]
    by_distance, by_occlusion, by_truncation = _groups(truth, objects, config.distance_bin_m)
    return CameraErrors(
        recall=Recall('all', len(objects), int(found.sum())),
        false_boxes=int((judged & is_sure & ~right).sum()),
        depth=depth_errors(true_z, z, 0.0, math.inf),
        depth_by_distance=tuple(
            depth_errors(true_z[rows], z[rows], low, high)
            for low, high in _bins(_known_z(truth, objects), config.distance_bin_m)
            for rows in [_within(true_z, low, high)]
        ),
        heading=heading_errors(detections.boxes[d, 6] - truth.boxes[t, 6]),
        size=_size_errors(truth.boxes[t, 3:6], detections.boxes[d, 3:6]),
        recall_by_distance=_recalls(by_distance, found),
        recall_by_occlusion=_recalls(by_occlusion, found),
        recall_by_truncation=_recalls(by_truncation, found),
        calibration=_calibration(detections.score[judged], right[judged]),
    )


def _known_z(truth: ObjectTable, objects: IntArray) -> FloatArray:
    return truth.boxes[objects[truth.has_size[objects]], 2]


def _bins(z: FloatArray, width: float) -> list[tuple[float, float]]:
    """Return the bins that reach from 0 to the farthest object; the last may have no end."""
    if not len(z):
        return []
    count = int(max(z.max(), 0.0) // width) + 1
    bins = [(width * i, width * (i + 1)) for i in range(min(count, MOST_DISTANCE_BINS))]
    if count > MOST_DISTANCE_BINS:
        bins[-1] = (bins[-1][0], math.inf)
    return bins


def _distance_name(low: float, high: float) -> str:
    return f'{low:g} m and more' if math.isinf(high) else f'{low:g} to {high:g} m'


def _within(z: FloatArray, low: float, high: float) -> BoolArray:
    # A centre behind the camera, of an object that reaches before it, counts as at 0.
    z = np.maximum(z, 0.0)
    return (z >= low) & (z < high)


def _groups(
    truth: ObjectTable, objects: IntArray, bin_m: float
) -> tuple[dict[str, IntArray], dict[str, IntArray], dict[str, IntArray]]:
    """Sort rows of objects by distance, by occlusion and by truncation."""
    measured = truth.has_size[objects]
    z = truth.boxes[objects, 2]
    by_distance = {
        _distance_name(low, high): objects[measured & _within(z, low, high)]
        for low, high in _bins(z[measured], bin_m)
    }
    if not measured.all():
        by_distance['not given'] = objects[~measured]
    occlusion = truth.occlusion[objects]
    by_occlusion = {
        f'{level} {name}': objects[occlusion == level] for level, name in OCCLUSION_NAMES.items()
    }
    by_occlusion['not given'] = objects[~np.isin(occlusion, list(OCCLUSION_NAMES))]
    truncation = truth.truncation[objects]
    by_truncation = {}
    for low, high in TRUNCATION_RANGES:
        name = 'none' if low < 0.0 else f'{low:g} to {min(high, 1.0):g}'
        inside = (truncation >= 0.0) & (truncation > low) & (truncation <= high)
        by_truncation[name] = objects[inside]
    by_truncation['not given'] = objects[truncation < 0.0]
    return by_distance, by_occlusion, by_truncation


def _recalls(groups: dict[str, IntArray], found: BoolArray) -> tuple[Recall, ...]:
    return tuple(Recall(name, len(rows), int(found[rows].sum())) for name, rows in groups.items())


def depth_errors(true_z: FloatArray, z: FloatArray, low: float, high: float) -> DepthErrors:
    """Measure depths, (n,) each, of objects that are between low and high metres away."""
    error = z - true_z
    far = true_z >= NEAREST_RELATIVE_M
    relative = error[far] / true_z[far]
    return DepthErrors(
        low, None if math.isinf(high) else high, len(error),
        mean_abs_m=_mean(np.abs(error)),
        median_abs_m=_quantile(np.abs(error), 0.5),
        p90_abs_m=_quantile(np.abs(error), 0.9),
        bias_m=_mean(error),
        mean_relative=_mean(np.abs(relative)),
        median_relative=_quantile(np.abs(relative), 0.5),
        bias_relative=_mean(relative),
    )  # fmt: skip


def heading_errors(turn: FloatArray) -> HeadingErrors:
    """Measure turns, (n,) radians, from labelled to detected headings."""
    error = np.abs(np.degrees(wrap_angle(turn)))
    return HeadingErrors(
        len(error),
        median_deg=_quantile(error, 0.5),
        p90_deg=_quantile(error, 0.9),
        share_good=_mean(error <= GOOD_HEADING_DEG),
        share_flipped=_mean(error >= 180.0 - FLIPPED_WITHIN_DEG),
    )


def _size_errors(true_size: FloatArray, size: FloatArray) -> tuple[SizeErrors, ...]:
    error = size - true_size
    relative = np.abs(error) / np.maximum(true_size, 1e-6)
    return tuple(
        SizeErrors(
            name, len(error), _mean(np.abs(error[:, i])), _mean(error[:, i]), _mean(relative[:, i])
        )
        for i, name in enumerate(DIMENSION_ORDER)
    )


def _calibration(score: FloatArray, right: BoolArray) -> tuple[CalibrationBin, ...]:
    place = np.clip((score * CALIBRATION_BINS).astype(int), 0, CALIBRATION_BINS - 1)
    return tuple(
        CalibrationBin(
            low=i / CALIBRATION_BINS,
            high=(i + 1) / CALIBRATION_BINS,
            count=int((place == i).sum()),
            right=int(right[place == i].sum()),
            mean_score=_mean(score[place == i]),
        )
        for i in range(CALIBRATION_BINS)
    )


def _mean(values: FloatArray | BoolArray) -> float | None:
    return float(values.mean()) if len(values) else None


def _quantile(values: FloatArray, share: float) -> float | None:
    return float(np.quantile(values, share)) if len(values) else None
