"""What is to be replayed, and how."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smoke_ros.config.detector import DetectorConfig
from smoke_ros.config.report import ReportConfig
from smoke_ros.data.drives import check_calibration
from smoke_ros.ros.bag_frames import Selection
from smoke_ros.ros.camera_topics import NO_TRUTH, CameraTopics, find_cameras
from smoke_ros.ros.tolerant_bag import TolerantBag


@dataclass(frozen=True)
class ReplayRequest:
    """A bag, what of it, and what is to be written.

    Attributes
    ----------
    bag, out
        What to read, and the folder of the run.
    topics, truth_topic
        As :func:`camera_topics.find_cameras` takes them; empty and None for what is found.
    calibration, rectification
        As :class:`bag_frames.FrameDecoder` takes them.
    labels
        A folder of KITTI label files in place of the ground truth in the bag.
    annotated
        Whether the output bag gets the annotated images too.
    rerun
        Whether to write a recording for Rerun.
    storage
        Of the output bag.
    pictures
        The most annotated frames of a topic to keep for the report.
    """

    bag: Path
    out: Path
    topics: tuple[str, ...] = ()
    truth_topic: str | None = None
    calibration: Path | None = None
    rectification: str = 'auto'
    labels: Path | None = None
    selection: Selection = field(default_factory=Selection)
    annotated: bool = False
    rerun: bool = False
    storage: str = 'mcap'
    pictures: int = ReportConfig.pictures
    detector: DetectorConfig = field(default_factory=DetectorConfig)

    def __post_init__(self) -> None:
        if self.labels is not None and self.truth_topic not in (None, NO_TRUTH):
            raise ValueError(
                f'ground truth must come from one place, got the topic {self.truth_topic} and the '
                f'folder {self.labels}'
            )
        if self.calibration is not None:
            check_calibration(self.calibration)

    def cameras(self, bag: TolerantBag) -> list[CameraTopics]:
        """Find the cameras of a bag; see :func:`camera_topics.find_cameras` for its errors.

        Where there are labels, a ground truth in the bag that cannot be used must not cost frames.
        """
        return find_cameras(
            bag.topics, chosen=self.topics, has_calibration=self.calibration is not None,
            truth=self.truth_topic if self.labels is None else NO_TRUTH,
        )  # fmt: skip

    def options(self) -> dict[str, Any]:
        """Return what decides on the result, for the record of the run."""
        duration = self.selection.duration_s
        return {
            'topics': list(self.topics),
            'truth_topic': self.truth_topic,
            'calibration': optional_text(self.calibration),
            'rectification': self.rectification,
            'labels': optional_text(self.labels),
            'start_s': self.selection.start_s,
            'duration_s': duration if math.isfinite(duration) else None,
            'stride': self.selection.stride,
            'annotated': self.annotated,
            'rerun': self.rerun,
            'score_threshold': self.detector.score_threshold,
            'class_thresholds': list(self.detector.class_thresholds),
            'max_detections': self.detector.max_detections,
            'engine': self.detector.engine,
            'precision': self.detector.precision,
            'input_size': [self.detector.input_width, self.detector.input_height],
        }


def optional_text(path: Path | None) -> str | None:
    """Return a path as JSON takes it; None where there is none."""
    return None if path is None else str(path)
