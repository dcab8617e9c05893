"""KITTI's average precision, step by step as its own evaluation program takes them.

The rules are those of the object development kit (Geiger et al., CVPR 2012, extended to boxes in
space in 2017). What is easily got wrong:

* Scores at which precision is taken come from a first matching, in which every labelled object
  takes the overlapping detection with the highest *score*. Precision comes from a second one per
  such score, in which it takes the detection with the largest *overlap*.
* Labelled objects take in the order of their lines, those that are not scored included: an object
  too hard for a difficulty, or of a neighbouring class, swallows a detection.
* A labelled object must be at least as high in the image as the minimum (some later copies of the
  program ask for more than that), and so must a detection. A smaller detection is neither right
  nor wrong, whatever its class, and may even swallow an object of the class that is scored: that
  object is then not missed.
* Overlap must exceed the minimum, for which two tables are about: the benchmark's (0.7 for cars,
  0.5 for others) and, from above and in space, the program's first one (0.5 and 0.25).
* DontCare regions excuse a detection with more than that share of its 2D box inside one; having no
  box in space, they excuse nothing from above and in space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smoke_ros.evaluation.matching import assign_in_turn
from smoke_ros.evaluation.table import BoolArray, IntArray, ObjectTable, Pairs
from smoke_ros.structures import FloatArray

#: AOS is the orientation similarity along the precision-recall curve of 2D boxes.
METRICS = ('2d', 'aos', 'bev', '3d')

#: Recalls at which precision is taken: 0, 1/40, ..., 1. With fewer objects than this the last ones
#: are out of reach, even for detections without a fault.
RECALL_POINTS = 41

#: What a result file states as alpha when it knows no heading.
NO_ORIENTATION = -10.0


@dataclass(frozen=True)
class Difficulty:
    """Which labelled objects one of KITTI's three levels counts."""

    name: str
    min_height_px: float
    max_occlusion: int
    max_truncation: float


DIFFICULTIES = (
    Difficulty('easy', 40.0, 0, 0.15),
    Difficulty('moderate', 25.0, 1, 0.30),
    Difficulty('hard', 25.0, 2, 0.50),
)


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """One class, scored by one metric at one difficulty."""

    metric: str
    difficulty: str
    #: Intersection over union that a match must exceed.
    min_overlap: float
    #: Labelled objects that count.
    objects: int
    #: (41,) precision (for AOS: similarity) at each recall, the best at that recall or a higher
    #: one; None where detections state no heading and AOS means nothing.
    curve: FloatArray | None
    #: At the configuration's score threshold.
    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def r11(self) -> float | None:
        """KITTI's figure until 2019, in percent: the mean over recalls 0, 0.1, ..., 1."""
        return None if self.curve is None else 100.0 * float(self.curve[::4].mean())

    @property
    def r40(self) -> float | None:
        """KITTI's figure since, in percent: the mean over recalls 1/40, 2/40, ..., 1."""
        return None if self.curve is None else 100.0 * float(self.curve[1:].mean())

    @property
    def meaningful(self) -> bool:
        """Whether there are enough objects for all recalls to be within reach."""
        return self.objects >= RECALL_POINTS

    @property
    def precision(self) -> float | None:
        """Share of detections that are right, at the score threshold."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float | None:
        """Share of objects that are found, at the score threshold."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Who takes part for one class and difficulty."""

    #: Labelled objects that take a detection, and those of them that count.
    takes: BoolArray
    counts: BoolArray
    #: Detections that may be taken, and those of them that are right or wrong.
    takable: BoolArray
    scored: BoolArray
    #: Whether every detection of the class states a heading.
    heading_known: bool


def average_precisions(
    truth: ObjectTable,
    detections: ObjectTable,
    pairs: Pairs,
    dont_care: FloatArray,
    *,
    class_name: str,
    neighbours: tuple[str, ...],
    min_overlaps: tuple[tuple[str, float], ...],
    score_threshold: float,
) -> list[AveragePrecision]:
    """Score one class by several metrics at every difficulty.

    Parameters
    ----------
    truth, detections, pairs
        Objects of all frames and what overlaps among them.
    dont_care
        (detections,) share of each one's 2D box inside a DontCare region.
    class_name, neighbours
        The class, and labelled classes that are neither right nor wrong for it.
    min_overlaps
        Metrics, each with the intersection over union that a match must exceed. AOS comes with
        the metric 2d.
    score_threshold
        Where right, wrong and missed ones are counted.
    """
    results = []
    for difficulty in DIFFICULTIES:
        rows = _take_part(truth, detections, class_name, neighbours, difficulty)
        for metric, min_overlap in min_overlaps:
            excused = (dont_care > min_overlap) & (metric == '2d')
            game = _Game(truth, detections, pairs, rows, excused, metric, min_overlap)
            results += game.score(difficulty.name, score_threshold)
    return results


def _take_part(
    truth: ObjectTable,
    detections: ObjectTable,
    class_name: str,
    neighbours: tuple[str, ...],
    difficulty: Difficulty,
) -> _Rows:
    of_class = truth.of_classes([class_name])
    too_hard = (
        (truth.occlusion > difficulty.max_occlusion)
        | (truth.truncation > difficulty.max_truncation)
        | (truth.height_px < difficulty.min_height_px)
    )
    small = np.abs(detections.height_px) < difficulty.min_height_px
    detected = detections.of_classes([class_name])
    scored = detected & ~small
    return _Rows(
        takes=of_class | truth.of_classes(neighbours),
        counts=of_class & ~too_hard,
        takable=scored | small,
        scored=scored,
        heading_known=not (detections.alpha[detected] == NO_ORIENTATION).any(),
    )


class _Game:
    """The two matchings of one class, difficulty and metric."""

    def __init__(
        self,
        truth: ObjectTable,
        detections: ObjectTable,
        pairs: Pairs,
        rows: _Rows,
        excused: BoolArray,
        metric: str,
        min_overlap: float,
    ) -> None:
        overlap: FloatArray = getattr(pairs, f'overlap_{metric}')
        use = (overlap > min_overlap) & rows.takes[pairs.truth] & rows.takable[pairs.detection]
        self._truth, self._detections, self._rows = truth, detections, rows
        self._metric, self._min_overlap, self._excused = metric, min_overlap, excused
        self._t, self._d, self._overlap = pairs.truth[use], pairs.detection[use], overlap[use]
        self._objects = int(rows.counts.sum())

    def score(self, difficulty: str, score_threshold: float) -> list[AveragePrecision]:
        """Return AP of the metric, and AOS with that of 2D boxes."""
        recall_scores = recall_thresholds(self._matched_scores(), self._objects)
        right, wrong, missed, similarity = self._counts(np.append(recall_scores, score_threshold))
        at_threshold = (int(right[-1]), int(wrong[-1]), int(missed[-1]))
        given = np.maximum(right + wrong, 1)[:-1]
        curves: dict[str, FloatArray | None] = {}
        curves[self._metric] = _envelope(right[:-1] / given)
        if self._metric == '2d':
            known = self._rows.heading_known
            curves['aos'] = _envelope(similarity[:-1] / given) if known else None
        return [
            AveragePrecision(
                metric, difficulty, self._min_overlap, self._objects, curve, *at_threshold
            )
            for metric, curve in curves.items()
        ]

    def _matched_scores(self) -> FloatArray:
        """Return the scores of right detections when each object takes the highest score."""
        order = np.lexsort((self._d, -self._detections.score[self._d], self._t))
        t, d = self._t[order], self._d[order]
        everything = np.ones((len(t), 1), dtype=bool)
        chosen = assign_in_turn(t, d, self._truth.frame[t], everything)[:, 0]
        right = chosen & self._rows.counts[t] & self._rows.scored[d]
        return self._detections.score[d[right]]

    def _counts(self, thresholds: FloatArray) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
        """Count right, wrong and missed, and sum the similarity of the right, per threshold."""
        t, d, scored = self._t, self._d, self._rows.scored
        # A detection of the class is preferred by overlap; any too small to score comes after.
        preference = np.where(scored[d], -self._overlap, 0.0)
        order = np.lexsort((d, preference, ~scored[d], t))
        t, d = t[order], d[order]
        score = self._detections.score
        allowed = score[d][:, None] >= thresholds
        chosen = assign_in_turn(t, d, self._truth.frame[t], allowed)
        counting = chosen & self._rows.counts[t][:, None]
        right = counting & scored[d][:, None]
        blamed = scored & ~self._excused
        candidates = np.sort(score[blamed])
        given = len(candidates) - np.searchsorted(candidates, thresholds, side='left')
        wrong = given - (chosen & blamed[d][:, None]).sum(axis=0)
        turn = self._truth.alpha[t] - self._detections.alpha[d]
        similarity = (0.5 * (1.0 + np.cos(turn))) @ right
        return right.sum(axis=0), wrong, self._objects - counting.sum(axis=0), similarity


def recall_thresholds(scores: FloatArray, objects: int) -> FloatArray:
    """Pick the scores that come closest to the recalls 0, 1/40, 2/40, ... in turn.

    Parameters
    ----------
    scores
        (N,) scores of right detections, in any order.
    objects
        How many objects there are to be found.

    Returns
    -------
    At most :data:`RECALL_POINTS` scores, falling. The last score is always among them, so a
    detector that finds half of the objects gets half of the points.
    """
    falling = np.sort(scores)[::-1]
    picked = []
    wanted = 0.0
    for i, score in enumerate(falling.tolist()):
        is_last = i == len(falling) - 1
        here = (i + 1) / objects
        following = here if is_last else (i + 2) / objects
        if following - wanted < wanted - here and not is_last:
            continue
        picked.append(score)
        # Added up, not multiplied: KITTI's program decides ties by this sum's rounding.
        wanted += 1.0 / (RECALL_POINTS - 1.0)
    return np.array(picked[:RECALL_POINTS], dtype=np.float64)


def _envelope(values: FloatArray) -> FloatArray:
    """(41,) the largest value at each point or after it; 0 past the recall that was reached."""
    curve = np.zeros(RECALL_POINTS)
    curve[: len(values)] = np.maximum.accumulate(values[::-1])[::-1]
    return curve


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
