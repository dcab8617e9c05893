"""What stands in for the detector where the network's time or its weights are not the point."""

import math
import threading
from types import SimpleNamespace

import numpy as np

from smoke_ros.checkpoint import TrainingRecord
from smoke_ros.config.model import ModelConfig
from smoke_ros.detector import CameraSetup, StageTimes
from smoke_ros.preprocess import InputGeometry
from smoke_ros.structures import CameraModel, Detection3D

#: A car 20 m ahead that drives away, and a pedestrian.
CAR = Detection3D(
    (1.0, 1.5, 20.0), (4.0, 1.5, 1.8), -math.pi / 2, 'Car', 0.9, (1.0, 2.0, 3.0, 4.0)
)
PEDESTRIAN = Detection3D(
    (-3.0, 1.2, 10.0), (0.8, 1.7, 0.6), 0.3, 'Pedestrian', 0.6, (0.0, 0.0, 1.0, 1.0)
)


class FakeDetector:
    """Answers with given detections, at once or when told to."""

    def __init__(self, detections=(CAR, PEDESTRIAN)) -> None:
        self.model = ModelConfig()
        self.info = SimpleNamespace(name='fake', sha256='fa' * 32, training=TrainingRecord())
        self.device = 'cpu'
        self.engine_summary = 'fake, float32'
        self.detections = list(detections)
        self.cameras: list[CameraModel] = []
        self.images: list[np.ndarray] = []
        #: How many images each pass had.
        self.batches: list[int] = []
        self.error: Exception | None = None
        #: While cleared, the network is busy.
        self.idle = threading.Event()
        self.idle.set()

    def camera_setup(self, camera: CameraModel) -> CameraSetup:
        size = (self.model.input_width, self.model.input_height)
        geometry = InputGeometry.centred((camera.width, camera.height), size)
        return CameraSetup(geometry, 1.0, None, 1.0)

    def detect_batch(self, images, cameras):
        return [[] for _ in images]

    def detect_timed(self, images, cameras, score_threshold, max_detections, classes):
        self.images += images
        self.batches.append(len(images))
        self.cameras += cameras
        assert self.idle.wait(20.0)
        if self.error is not None:
            raise self.error
        kept = [d for d in self.detections if d.score >= score_threshold[d.class_name]]
        kept = [d for d in kept if d.class_name in classes][:max_detections]
        return [kept for _ in images], StageTimes(1.0, 2.0, 3.0)
