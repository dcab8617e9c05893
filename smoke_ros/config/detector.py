"""How the detector runs a model."""

from __future__ import annotations

from dataclasses import dataclass

from smoke_ros.config.engine import EngineConfig
from smoke_ros.config.options import option


@dataclass(frozen=True)
class DetectorConfig(EngineConfig):
    """Options of :class:`smoke_ros.detector.Detector`, those of its engine among them."""

    score_threshold: float = option(
        0.25, 'detections below this score are dropped', low=0.0, high=1.0, live=True
    )
    max_detections: int = option(100, 'most detections per image', low=1, high=1000, live=True)
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
