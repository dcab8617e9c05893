"""The evaluation of some frames: plain lists of objects in, figures out.

It reads no files and prints nothing, so validation during training and the replay of a bag, whole
or by segment, score themselves with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.data.kitti import KittiObject
from smoke_ros.evaluation.average_precision import (
    RECALL_POINTS,
    AveragePrecision,
    average_precisions,
)
from smoke_ros.evaluation.camera_errors import CameraErrors, camera_errors, match_in_image
from smoke_ros.evaluation.table import ObjectTable, overlapping_pairs, share_in_dont_care
from smoke_ros.evaluation.working_points import WorkingPoint, find_working_points

#: How the figures came about, for reports.
PROTOCOL = 'KITTI object detection: 2D, AOS, BEV and 3D AP; easy, moderate, hard; AP_R11, AP_R40'


@dataclass(frozen=True, eq=False)
class ClassEvaluation:
    """One class, over all frames."""

    class_name: str
    #: Lines of the labels and of the results that name the class.
    objects: int
    detections: int
    #: Overlaps of the benchmark: every metric at every difficulty.
    benchmark: tuple[AveragePrecision, ...]
    #: The same with the overlaps from above and in space of KITTI's first evaluation program.
    devkit: tuple[AveragePrecision, ...]
    errors: CameraErrors
    working_points: tuple[WorkingPoint, ...]
    #: Detections that have no 2D box, by which KITTI's program judges how large they are.
    without_bbox: int = 0
    #: Labelled objects that have no 3D box.
    without_box: int = 0

    @property
    def meaningful(self) -> bool:
        """Whether AP has enough objects at every difficulty."""
        return all(score.meaningful for score in self.benchmark)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What :func:`evaluate_frames` found."""

    config: EvaluationConfig
    frames: int
    classes: tuple[ClassEvaluation, ...]

    @property
    def objects(self) -> int:
        """Labelled objects of the classes that are scored."""
        return sum(part.objects for part in self.classes)

    @property
    def detections(self) -> int:
        """Detections of the classes that are scored."""
        return sum(part.detections for part in self.classes)

    @property
    def false_boxes_per_frame(self) -> float | None:
        """Detections that are of nothing, at the score threshold."""
        if not self.frames:
            return None
        return sum(part.errors.false_boxes for part in self.classes) / self.frames

    def kitti(self, *, benchmark: bool = False) -> dict[str, dict[str, float | None]]:
        """Return AP in percent by ``class/metric/difficulty``, as KITTI's program gives it.

        Parameters
        ----------
        benchmark
            Take the overlaps of today's benchmark (0.7 and 0.5), not the program's first ones
            (0.5 and 0.25 from above and in space).
        """
        return {
            f'{part.class_name.lower()}/{score.metric}/{score.difficulty}': {
                'AP_R11': score.r11,
                'AP_R40': score.r40,
            }
            for part in self.classes
            for score in (part.benchmark if benchmark else part.devkit)
        }

    def notes(self) -> list[str]:
        """Say in sentences what a reader of the figures has to know."""
        notes = []
        if not self.frames:
            notes.append('there are no frames: nothing was scored')
        for part in self.classes:
            name = part.class_name
            if not part.objects:
                notes.append(f'no {name} is labelled in these frames: its AP has no meaning')
            elif not part.detections:
                notes.append(f'no {name} was detected: its AP is 0')
            if part.without_box:
                notes.append(
                    f'{part.without_box} of {part.objects} labelled {name} have no 3D box: AP '
                    'from above and in space counts them as missed, and detections of them as '
                    'wrong'
                )
            if part.without_bbox:
                notes.append(
                    f'{part.without_bbox} of {part.detections} detections of {name} have no 2D '
                    "box (with an area): they match nothing in the image, and KITTI's protocol "
                    'leaves them out as too small; write the 2D boxes into the result files'
                )
            few = [s for s in part.benchmark if s.metric == '2d' and not s.meaningful]
            if part.objects and few:
                counts = ', '.join(f'{score.objects} {score.difficulty}' for score in few)
                notes.append(
                    f"AP of {name} is not meaningful ({counts}): KITTI's {RECALL_POINTS} recall "
                    f'points need at least {RECALL_POINTS} objects; see precision and recall'
                )
            if any(score.curve is None for score in part.benchmark):
                notes.append(f'detections of {name} without alpha (-10): AOS is not given')
        return notes


def evaluate_frames(
    truth: Sequence[Sequence[KittiObject]],
    detections: Sequence[Sequence[KittiObject]],
    config: EvaluationConfig | None = None,
) -> Evaluation:
    """Score the detections of some frames against their labels.

    Parameters
    ----------
    truth, detections
        The labelled objects, DontCare regions included, and the detections of each frame; a
        detection without a score counts as sure (1).
    config
        Classes, overlaps and thresholds; KITTI's if None.

    Raises
    ------
    ValueError
        If the two do not have the same number of frames.
    """
    if len(truth) != len(detections):
        raise ValueError(
            f'labels and detections must have as many frames, got {len(truth)} and '
            f'{len(detections)}'
        )
    tables = ObjectTable.from_frames(truth), ObjectTable.from_frames(detections)
    return evaluate_tables(*tables, len(truth), config)


def evaluate_tables(
    truth: ObjectTable,
    detections: ObjectTable,
    frames: int,
    config: EvaluationConfig | None = None,
) -> Evaluation:
    """Do :func:`evaluate_frames` for objects that are columns already.

    Parameters
    ----------
    truth, detections
        Of the same frames, by the same numbers.
    frames
        How many there are, those without objects included.
    config
        As above.
    """
    config = config or EvaluationConfig()
    scene = _Scene(truth, detections, frames, config)
    classes = tuple(scene.evaluate_class(i) for i in range(len(config.classes)))
    return Evaluation(config, frames, classes)


class _Scene:
    """Labels and detections of all frames, with everything that the classes share."""

    def __init__(
        self, truth: ObjectTable, detections: ObjectTable, frames: int, config: EvaluationConfig
    ) -> None:
        self._truth, self._detections = truth, detections
        self._frames, self._config = frames, config
        self._pairs = overlapping_pairs(truth, detections)
        self._dont_care = share_in_dont_care(truth, detections)
        self._matches = match_in_image(truth, detections, self._pairs, self._dont_care, config)

    def evaluate_class(self, index: int) -> ClassEvaluation:
        """Score one of the configured classes."""
        config = self._config
        name = config.classes[index]
        strict, lenient = config.overlaps[index], config.devkit_overlaps[index]
        labelled = self._truth.of_classes([name])
        detected = self._detections.of_classes([name])
        benchmark = self._average_precisions(
            name, (('2d', strict), ('bev', strict), ('3d', strict))
        )
        devkit = benchmark
        if lenient != strict:
            in_image = tuple(score for score in benchmark if score.metric in ('2d', 'aos'))
            in_space = self._average_precisions(name, (('bev', lenient), ('3d', lenient)))
            devkit = in_image + in_space
        return ClassEvaluation(
            class_name=name,
            objects=int(labelled.sum()),
            detections=int(detected.sum()),
            benchmark=benchmark,
            devkit=devkit,
            errors=camera_errors(self._truth, self._detections, self._matches, name, config),
            working_points=find_working_points(
                self._truth, self._detections, self._matches, name, self._frames, config
            ),
            without_bbox=int((detected & ~self._detections.has_bbox).sum()),
            without_box=int((labelled & ~self._truth.has_size).sum()),
        )

    def _average_precisions(
        self, name: str, min_overlaps: tuple[tuple[str, float], ...]
    ) -> tuple[AveragePrecision, ...]:
        scores = average_precisions(
            self._truth,
            self._detections,
            self._pairs,
            self._dont_care,
            class_name=name,
            neighbours=self._config.neighbours_of(name),
            min_overlaps=min_overlaps,
            score_threshold=self._config.score_threshold,
        )
        return tuple(scores)
