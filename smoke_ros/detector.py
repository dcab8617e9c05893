"""The public door: an image and its camera in, 3D boxes out. No ROS anywhere in it."""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smoke_ros import coder
from smoke_ros.config.detector import DetectorConfig
from smoke_ros.config.model import INPUT_STEP, STRIDE, ModelConfig
from smoke_ros.config.options import check_known
from smoke_ros.engines import Engine, EngineChoice, choose_engine
from smoke_ros.engines.eager import resolve_device
from smoke_ros.engines.engine import FunctionEngine, ImageEngine
from smoke_ros.geometry import NEAR_M, projected_extent
from smoke_ros.models import LoadedModel, load_model
from smoke_ros.overlap import overlap_2d
from smoke_ros.preprocess import (
    Image,
    InputGeometry,
    focal_ratio,
    normalise,
    share_seen,
    undistort_image,
    undistortion_maps,
    warp_image,
)
from smoke_ros.structures import Box3D, CameraModel, Detection3D

#: What users of the library need is found here.
__all__ = ['CameraModel', 'Detection3D', 'Detector', 'DetectorConfig', 'StageTimes']

logger = logging.getLogger(__name__)

#: Of all classes, or of some by name.
Thresholds = float | Mapping[str, float]

#: Below this part of the image's area inside the network's input, it is worth a warning.
VISIBLE_FRACTION_WARNING = 0.95

#: Cameras whose preparation is remembered; a vehicle has fewer, a recalibrated one comes anew.
MOST_CACHED_CAMERAS = 16


@dataclass(frozen=True)
class StageTimes:
    """How long the stages of one call took, in milliseconds."""

    preprocess_ms: float
    network_ms: float
    decode_ms: float


@dataclass(frozen=True)
class CameraSetup:
    """What is worked out once per camera: where its image goes and how its depth is read."""

    geometry: InputGeometry
    #: z = depth_scale * what the network says: its camera had another focal length.
    depth_scale: float
    #: OpenCV remap tables, where the image is distorted.
    undistortion: tuple[np.ndarray, np.ndarray] | None
    #: Part of the image's area that the network sees, 0 to 1.
    visible_fraction: float

    @property
    def heatmap_pixel_px(self) -> float:
        """Pixels of the image, along one axis, that a pixel of the heatmap covers."""
        return STRIDE / self.geometry.scale


class Detector:
    """SMOKE on single images; one instance may serve any number of cameras.

    It holds weights and configuration. What it remembers of cameras is a cache only: results
    depend on the arguments of the call alone.

    Attributes
    ----------
    engine
        What runs the network.
    engine_summary
        The engine in words, and what it stands in for.
    model
        What the network was trained for: classes, references; and the input that it is given.
    config
        Thresholds and limits, which a call may override.
    info
        Name, hash and training of the loaded model.
    device
        Where the network runs.
    """

    def __init__(
        self, loaded: LoadedModel, device: str = 'cpu', config: DetectorConfig | None = None
    ) -> None:
        self.config = config or DetectorConfig()
        self.model = _with_input_size(loaded.config, self.config)
        self.info = loaded
        self._thresholds = self.config.thresholds(self.model.classes)
        self._most_overlaps = dict(zip(self.model.classes, self.model.overlap_limits, strict=True))
        self.device = resolve_device(device)
        self._use(choose_engine(loaded.network, self.model, self.device, self.config))
        self._setups: dict[object, CameraSetup] = {}
        self._most_setups = MOST_CACHED_CAMERAS
        #: Views, by size and share in per cent, of which it was said that much is not seen.
        self._warned: set[tuple[int, int, int]] = set()

    @classmethod
    def from_model(
        cls, name_or_path: str | Path, device: str = 'cpu', config: DetectorConfig | None = None
    ) -> Detector:
        """Load a model by its name in the registry or from a weights file.

        Parameters
        ----------
        name_or_path
            For example 'kitti_dla34_mmdet3d' or 'runs/mine/best.pth'.
        device
            'auto', 'cpu', 'cuda' or 'cuda:N'.
        config
            Options; the defaults where absent.

        Raises
        ------
        ValueError, FileNotFoundError, CheckpointError
            If there is no such model or device, or the weights cannot be had or used.
        """
        resolve_device(device)  # before a long download rather than after it
        return cls(load_model(name_or_path), device, config)

    @property
    def network(self) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """From (B, 3, H, W) to (heatmap, regression), activations applied; may be replaced."""
        return self.engine

    @network.setter
    def network(self, function: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
        self._use(EngineChoice(FunctionEngine(function, self.device)))

    def _use(self, choice: EngineChoice) -> None:
        self.engine: Engine = choice.engine
        self.engine_summary = choice.summary

    def preprocess(self, image_bgr: Image, camera: CameraModel) -> Tensor:
        """Turn an image into the network's input.

        Parameters
        ----------
        image_bgr
            (h, w, 3) uint8, BGR.
        camera
            The image's camera, of the same size, or of the same aspect ratio.

        Returns
        -------
        (1, 3, H, W) float32 on the detector's device.
        """
        camera = _fitting_camera(image_bgr, camera)
        setup = self.camera_setup(camera)
        if setup.undistortion is None:
            warped = warp_image(image_bgr, setup.geometry)
        else:
            warped = undistort_image(image_bgr, setup.undistortion)
        return normalise(warped, self.model, self.device)

    def detect(
        self, image_bgr: Image, camera: CameraModel, score_threshold: Thresholds | None = None,
        max_detections: int | None = None, classes: Collection[str] | None = None,
    ) -> list[Detection3D]:  # fmt: skip
        """Find the objects in one image, the most certain first.

        Parameters
        ----------
        image_bgr
            (h, w, 3) uint8, BGR, as the camera delivers it (not undistorted, not resized).
        camera
            The image's camera.
        score_threshold
            In place of the configuration's thresholds: one for all classes, or one each for some
            of them.
        max_detections
            In place of the configuration's.
        classes
            Only these are returned; all by default.

        Raises
        ------
        TypeError, ValueError
            If the image is not (h, w, 3) uint8, the camera is none or for another aspect ratio, a
            threshold or limit is out of its range, or the model does not know a class.
        """
        return self.detect_batch(
            [image_bgr], [camera], score_threshold, max_detections, classes
        )[0]  # fmt: skip

    def detect_batch(
        self, images_bgr: Sequence[Image], cameras: Sequence[CameraModel],
        score_threshold: Thresholds | None = None, max_detections: int | None = None,
        classes: Collection[str] | None = None,
    ) -> list[list[Detection3D]]:  # fmt: skip
        """Find the objects in several images, each with its own camera; see :meth:`detect`."""
        return self.detect_timed(images_bgr, cameras, score_threshold, max_detections, classes)[0]

    def detect_timed(
        self, images_bgr: Sequence[Image], cameras: Sequence[CameraModel],
        score_threshold: Thresholds | None = None, max_detections: int | None = None,
        classes: Collection[str] | None = None,
    ) -> tuple[list[list[Detection3D]], StageTimes]:  # fmt: skip
        """Do :meth:`detect_batch` and say how long its stages took."""
        if len(images_bgr) != len(cameras):
            raise ValueError(f'got {len(images_bgr)} images but {len(cameras)} cameras')
        thresholds = self._thresholds_of(score_threshold)
        most = self.config.max_detections if max_detections is None else max_detections
        if not isinstance(most, Integral) or most < 1:
            raise ValueError(f'max_detections must be at least 1 and whole, got {most!r}')
        check_known('classes', sorted(classes or ()), self.model.classes)
        if not len(images_bgr):  # it may be one array
            return [], StageTimes(0.0, 0.0, 0.0)
        self._most_setups = max(self._most_setups, len(cameras))
        start = time.perf_counter()
        cameras = [_fitting_camera(i, c) for i, c in zip(images_bgr, cameras, strict=True)]
        find_peaks = self._prepared(images_bgr, cameras)
        prepared = time.perf_counter()
        peaks = find_peaks().numpy()
        # The copy to the host inside numpy() waits for the device: the time is the network's.
        computed = time.perf_counter()
        detections = [
            self.decode(peaks, index, camera, thresholds, most, classes)
            for index, camera in enumerate(cameras)
        ]
        ended = time.perf_counter()
        stages = (prepared - start, computed - prepared, ended - computed)
        return detections, StageTimes(*(1e3 * seconds for seconds in stages))

    def _thresholds_of(self, asked: Thresholds | None) -> Mapping[str, float]:
        """Return the threshold of each class: what a call asks for, else the configuration's."""
        if asked is None:
            return self._thresholds
        if isinstance(asked, Mapping):
            check_known('score_threshold', asked, self.model.classes)
            thresholds = {**self._thresholds, **asked}
        else:
            thresholds = dict.fromkeys(self.model.classes, asked)
        for threshold in thresholds.values():
            if not isinstance(threshold, Real) or not 0.0 <= threshold <= 1.0:
                raise ValueError(f'score_threshold must be 0 to 1, got {threshold!r}')
        return thresholds

    def _prepared(
        self, images_bgr: Sequence[Image], cameras: Sequence[CameraModel]
    ) -> Callable[[], coder.Peaks]:
        """Prepare images as far as the engine does not do it itself; return what is left."""
        engine, top_k = self.engine, self.model.top_k
        if not isinstance(engine, ImageEngine):
            pairs = zip(images_bgr, cameras, strict=True)
            inputs = torch.cat([self.preprocess(image, camera) for image, camera in pairs])
            return lambda: engine.peaks(inputs, top_k)
        images, geometries = [], []
        for image, camera in zip(images_bgr, cameras, strict=True):
            setup = self.camera_setup(camera)
            geometry = setup.geometry
            if setup.undistortion is not None:  # which lays it into the input, too
                image = undistort_image(image, setup.undistortion)
                geometry = InputGeometry(1.0, 0.0, 0.0, geometry.width, geometry.height)
            images.append(image)
            geometries.append(geometry)
        return lambda: engine.peaks_of_images(images, geometries, top_k)

    def camera_setup(self, camera: CameraModel) -> CameraSetup:
        """Return what is worked out once per camera; warns once of a lost field of view."""
        if camera.key not in self._setups:
            if len(self._setups) >= self._most_setups:
                self._setups.pop(next(iter(self._setups)))
            setup = self._make_setup(camera)
            self._setups[camera.key] = setup
            # Not again for every focal length of a camera that zooms or is calibrated as it goes.
            view = (camera.width, camera.height, round(100 * setup.visible_fraction))
            if setup.visible_fraction < VISIBLE_FRACTION_WARNING and view not in self._warned:
                self._warned.add(view)
                logger.warning(
                    'the network sees %.0f%% of the %dx%d image (its input is %dx%d at a scale '
                    'of %.3f); objects in the rest are not detected%s',
                    100 * setup.visible_fraction, camera.width, camera.height,
                    self.model.input_width, self.model.input_height, setup.geometry.scale,
                    _remedy(camera, setup.geometry),
                )  # fmt: skip
        return self._setups[camera.key]

    def _make_setup(self, camera: CameraModel) -> CameraSetup:
        image_size = (camera.width, camera.height)
        input_size = (self.model.input_width, self.model.input_height)
        geometry = InputGeometry.centred(image_size, input_size)
        tolerance = self.config.focal_tolerance
        if tolerance < 0.0:
            tolerance = self.model.focal_tolerance
        ratio = focal_ratio(geometry, camera, self.model, tolerance)
        depth_scale = ratio if self.config.focal_correction == 'depth' else 1.0
        if self.config.focal_correction == 'image' and ratio != 1.0:
            geometry = InputGeometry.centred(image_size, input_size, geometry.scale / ratio)
        if not camera.has_distortion:
            seen = geometry.visible_fraction(image_size)
            return CameraSetup(geometry, depth_scale, None, seen)
        maps = undistortion_maps(camera, geometry)
        return CameraSetup(geometry, depth_scale, maps, share_seen(maps, image_size))

    def decode(
        self, peaks: coder.Peaks, index: int, camera: CameraModel,
        thresholds: Mapping[str, float], most: int, classes: Collection[str] | None = None,
    ) -> list[Detection3D]:  # fmt: skip
        """Turn the peaks of image ``index`` of a batch into detections, the best first.

        ``thresholds`` has the score from which each class's are kept.
        """
        setup = self.camera_setup(camera)
        boxes = coder.decode_boxes(
            peaks.regression[index], peaks.class_ids[index], peaks.keypoints_feat[index],
            self.model, camera, setup.geometry.image_from_feature, setup.depth_scale,
        )  # fmt: skip
        wanted: list[Detection3D] = []
        found: list[Detection3D] = []
        drops_duplicates = min(self._most_overlaps.values()) < 1.0
        scores = peaks.scores[index] * boxes.certainty
        lowest = min(thresholds.values())
        for i in np.argsort(-scores, kind='stable'):
            score = scores[i]
            if not score >= lowest or score <= 0.0 or len(wanted) >= most:
                break  # pixels that are no peaks have 0; what is not a number comes last
            name = self.model.classes[peaks.class_ids[index, i]]
            if score < thresholds[name]:
                continue
            is_wanted = classes is None or name in classes
            if not is_wanted and not drops_duplicates:
                continue  # nothing depends on it
            detection = self._detection(boxes, i, name, float(score), camera)
            if detection is None or (drops_duplicates and self._is_duplicate(detection, found)):
                continue
            found.append(detection)
            if is_wanted:
                wanted.append(detection)
        return wanted

    def _is_duplicate(self, detection: Detection3D, found: Sequence[Detection3D]) -> bool:
        """Return whether a detection is of an object that has been found already."""
        box = np.array(detection.bbox_xyxy_px)
        others = np.array([other.bbox_xyxy_px for other in found]).reshape(-1, 4)
        limits = [self._most_overlaps[other.class_name] for other in found]
        most = np.maximum(limits, self._most_overlaps[detection.class_name])
        return bool((overlap_2d(box, others) > most).any())

    def _detection(
        self, boxes: coder.Boxes, i: int, name: str, score: float, camera: CameraModel
    ) -> Detection3D | None:
        """Return box ``i`` as a detection, or None where it cannot be one."""
        values = (*boxes.locations[i], *boxes.dimensions[i], boxes.rotation_y[i])
        depth_error = None if boxes.depth_errors is None else float(boxes.depth_errors[i])
        if not np.isfinite((*values, depth_error or 0.0)).all() or boxes.locations[i, 2] < NEAR_M:
            return None
        x, y, z, length, height, width, rotation_y = map(float, values)
        box = Box3D((x, y, z), (length, height, width), rotation_y)
        offset = coder.projection_offset(camera, self.model)
        extent = projected_extent(camera.K, box.corners(), offset)
        if extent is None:
            return None
        bbox = camera.clip_to_image(extent)
        return Detection3D(
            box.location, box.dimensions, rotation_y, name, score, bbox, depth_error
        )


def _with_input_size(model: ModelConfig, config: DetectorConfig) -> ModelConfig:
    """Return a model whose input has the size that was asked for: convolutions take any."""
    return dataclasses.replace(
        model,
        input_width=config.input_width or model.input_width,
        input_height=config.input_height or model.input_height,
    )


def _remedy(camera: CameraModel, geometry: InputGeometry) -> str:
    """Say which input would have room for all of an image, where a larger one would.

    Of a distorted image it has room for what lies within the undistorted view only.
    """
    own = geometry.width, geometry.height
    needed = [
        max(side, math.ceil(round(geometry.scale * length, 3) / INPUT_STEP) * INPUT_STEP)
        for side, length in zip(own, (camera.width, camera.height), strict=True)
    ]
    names = ('input_width', 'input_height')
    larger = [
        f'{name} {side}' for name, side, before in zip(names, needed, own, strict=True)
        if side > before
    ]  # fmt: skip
    if not larger:
        return ''
    times = math.prod(needed) / math.prod(own)
    seen = 'more' if camera.has_distortion else 'all'
    return (
        f'. With {" and ".join(larger)} it would see {seen} of it, in {times:.1f} times the time'
    )


def _fitting_camera(image_bgr: Image, camera: CameraModel) -> CameraModel:
    """Check an image and return its camera, scaled to the image's size where that differs."""
    if not isinstance(image_bgr, np.ndarray):
        raise TypeError(f'image must be a numpy array, got {type(image_bgr).__name__}')
    if image_bgr.dtype != np.uint8 or image_bgr.ndim != 3 or image_bgr.shape[2] != 3:
        raise ValueError(
            f'image must be (height, width, 3) uint8, got {image_bgr.shape} {image_bgr.dtype}'
        )
    height, width = image_bgr.shape[:2]
    if not height or not width:
        raise ValueError(f'image must not be empty, got {width}x{height}')
    if not isinstance(camera, CameraModel):
        raise TypeError(
            f'camera must be a CameraModel, got {type(camera).__name__}; '
            'CameraModel.from_intrinsics(K, width, height) makes one'
        )
    return camera.scaled_to(width, height)
