"""How the detector runs a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from smoke_ros.config.engine import EngineConfig
from smoke_ros.config.options import check_known, option


@dataclass(frozen=True)
class DetectorConfig(EngineConfig):
    """Options of :class:`smoke_ros.detector.Detector`, those of its engine among them."""

    score_threshold: float = option(
        0.25, 'detections below this score are dropped', low=0.0, high=1.0, live=True
    )
    class_thresholds: tuple[str, ...] = option(
        ('',), "another score_threshold for some classes, as in ['Truck=0.15', 'Car=0.3']; '' "
        'stands for none', live=True,
    )  # fmt: skip
    max_detections: int = option(
        100, "most detections per image; the model's top_k, how many peaks it decodes, is a limit "
        'too (smoke-ros export --set top_k)', low=1, high=1000, live=True,
    )  # fmt: skip
    focal_correction: str = option(
        'depth',
        'how a camera with another focal length than the training camera is handled: scale the '
        'depth, resize the image so that objects have the size the network knows, or not at all',
        choices=('depth', 'image', 'none'),
    )
    focal_tolerance: float = option(
        -1.0, 'relative difference in focal length up to which nothing is corrected; below 0: '
        'as the model was trained', low=-1.0, high=0.5,
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        self._of_classes()

    def thresholds(self, classes: Sequence[str]) -> dict[str, float]:
        """Return the score from which detections of each of a model's classes are kept.

        Raises
        ------
        ValueError
            If `class_thresholds` names a class that the model does not know.
        """
        given = self._of_classes()
        check_known('class_thresholds', given, classes)
        return {name: given.get(name, self.score_threshold) for name in classes}

    def _of_classes(self) -> dict[str, float]:
        """Read `class_thresholds`: the scores by class."""
        given: dict[str, float] = {}
        for text in filter(None, self.class_thresholds):
            name, _, score = text.rpartition('=')
            try:
                value = float(score)
            except ValueError:
                value = -1.0
            if not name or not 0.0 <= value <= 1.0 or name in given:
                raise ValueError(
                    'class_thresholds must be CLASS=SCORE, with scores from 0 to 1 and each class '
                    f'once, got {", ".join(self.class_thresholds)}'
                )
            given[name] = value
        return given
