"""The detector's stages and the conversion of messages, each alone."""

from __future__ import annotations

import array
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from benchmarks.timing import Timing, measure
from smoke_ros import coder
from smoke_ros.config.error_model import ErrorModel
from smoke_ros.detector import Detector
from smoke_ros.ros.covariance import pose_covariance
from smoke_ros.ros.images import image_to_bgr
from smoke_ros.ros.markers import detections_to_markers
from smoke_ros.ros.messages import detections_to_message
from smoke_ros.structures import CameraModel, Detection3D

#: KITTI's camera, and a common one of today.
IMAGE_SIZES = ((1242, 375), (1920, 1080))
FOCAL_PX = 721.5377
OBJECTS = 20


def make_camera(size: tuple[int, int]) -> CameraModel:
    """Return a camera with KITTI's focal length in proportion to the width."""
    width, height = size
    focal = FOCAL_PX * width / 1242
    return CameraModel.from_intrinsics(
        [[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]], width, height
    )


def make_image(size: tuple[int, int]) -> np.ndarray:
    """Return a (height, width, 3) picture of noise."""
    return np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)


def measure_stages(detector: Detector, repeats: int) -> Iterator[Timing]:
    """Measure preprocessing, network, decoding and message conversion."""
    many = max(repeats, 20)
    for size in IMAGE_SIZES:
        image, camera = make_image(size), make_camera(size)
        name = f'{size[0]}x{size[1]}'
        message = make_message(image)
        yield measure(f'message to image, bgr8 {name}', partial(image_to_bgr, message), many)
        yield measure(f'preprocess {name}', partial(detector.preprocess, image, camera), many)
    camera = make_camera(IMAGE_SIZES[0])
    inputs = detector.preprocess(make_image(IMAGE_SIZES[0]), camera)

    def run_network() -> None:
        detector.network(inputs)
        if detector.device.type == 'cuda':
            torch.cuda.synchronize(detector.device)

    yield measure('network', run_network, repeats, warm_up=2)
    heatmap, regression = detector.network(inputs)
    heatmap = heatmap + 0.5  # every peak becomes a box

    def decode() -> list[Detection3D]:
        peaks = coder.select_peaks(heatmap, regression, detector.model.top_k).numpy()
        return detector.decode(peaks, 0, camera, 0.0, OBJECTS)

    yield measure(f'decode {OBJECTS} objects', decode, many)
    detections = decode()
    pixel_px = detector.camera_setup(camera).heatmap_pixel_px
    make_messages = partial(to_messages, detections, camera, pixel_px)
    yield measure(f'{OBJECTS} objects to messages', make_messages, many)


def make_message(image: np.ndarray) -> Image:
    """Return a bgr8 image message."""
    height, width, _ = image.shape
    return Image(
        height=height, width=width, step=3 * width, encoding='bgr8',
        data=array.array('B', image.tobytes()),
    )  # fmt: skip


def to_messages(
    detections: list[Detection3D], camera: CameraModel, heatmap_pixel_px: float
) -> None:
    """Make all messages that the node publishes of one image's detections."""
    errors, header = ErrorModel(), Header(frame_id='camera')
    detections_to_message(
        detections, header, lambda d: pose_covariance(d, camera, heatmap_pixel_px, errors)
    )
    detections_to_markers(detections, header, 0, 0.5)
