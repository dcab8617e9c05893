"""What a detector finds where it may be wrong no more than so often.

A score threshold means something else for every detector, and even for two trainings of one. A
rate of false boxes does not: what is found at the same rate can be compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.evaluation.average_precision import DIFFICULTIES
from smoke_ros.evaluation.camera_errors import (
    DepthErrors,
    HeadingErrors,
    ImageMatches,
    Recall,
    depth_errors,
    heading_errors,
)
from smoke_ros.evaluation.table import BoolArray, ObjectTable
from smoke_ros.structures import FloatArray

#: Occlusion and truncation of what is in full view are those of KITTI's easy objects.
_FULL_VIEW = DIFFICULTIES[0]


@dataclass(frozen=True)
class WorkingPoint:
    """One class at the lowest score threshold that keeps its false boxes below a rate."""

    #: Of the class; how many a frame are allowed.
    allowed_per_frame: float
    #: None where there is none: no detection, or the surest ones are false too often.
    score_threshold: float | None
    false_boxes: int
    recall: Recall
    #: The rest is of clear objects alone: in full view, and near.
    clear_recall: Recall
    clear_depth: DepthErrors
    clear_heading: HeadingErrors


def find_working_points(
    truth: ObjectTable,
    detections: ObjectTable,
    matches: ImageMatches,
    class_name: str,
    frames: int,
    config: EvaluationConfig,
) -> tuple[WorkingPoint, ...]:
    """Find the working points of one class, for each of the configured rates."""
    t, d, right, judged = matches.of_class(truth, detections, class_name)
    of_class = truth.of_classes([class_name])
    clear = of_class & _is_clear(truth, config.clear_distance_m)
    false_scores = np.sort(detections.score[judged & ~right])[::-1]
    points = []
    for rate in config.false_box_rates:
        given = judged & (detections.score > _first_too_many(false_scores, rate * frames))
        found = given[d]
        use = found & clear[t]
        measured = use & detections.has_size[d]
        z_true, z = truth.boxes[t[measured], 2], detections.boxes[d[measured], 2]
        turn = detections.boxes[d[measured], 6] - truth.boxes[t[measured], 6]
        threshold = float(detections.score[given].min()) if given.any() else None
        point = WorkingPoint(
            allowed_per_frame=rate,
            score_threshold=threshold,
            false_boxes=int((given & ~right).sum()),
            recall=Recall('all', int(of_class.sum()), int(found.sum())),
            clear_recall=Recall('clear', int(clear.sum()), int(use.sum())),
            clear_depth=depth_errors(z_true, z, 0.0, config.clear_distance_m),
            clear_heading=heading_errors(turn),
        )
        points.append(point)
    return tuple(points)


def _is_clear(truth: ObjectTable, farthest_m: float) -> BoolArray:
    """(N,) whether an object is in full view, its centre no farther than this along the axis."""
    in_view = (truth.occlusion >= 0) & (truth.occlusion <= _FULL_VIEW.max_occlusion)
    # Where a data set knows no truncation it says -1.
    whole = truth.truncation <= _FULL_VIEW.max_truncation
    near = (truth.boxes[:, 2] > 0.0) & (truth.boxes[:, 2] <= farthest_m)
    return np.asarray(in_view & whole & near & truth.has_size)


def _first_too_many(falling: FloatArray, allowed: float) -> float:
    """Return the score of the surest false box that is one too many; -inf if none is."""
    count = math.floor(allowed + 1e-9)
    return float(falling[count]) if len(falling) > count else -math.inf
