"""A bounded number of annotated frames, evenly spread over a replay of unknown length."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from smoke_ros.config.drawing import DrawingConfig
from smoke_ros.data.layout import write_image
from smoke_ros.drawing import annotate, draw_birds_eye
from smoke_ros.drawing.canvas import Image
from smoke_ros.replay.records import FrameRecord, thumbnail_path, topic_folder
from smoke_ros.structures import CameraModel

#: The bird's-eye view beside an annotated frame: width and height in pixels.
BIRDS_EYE_SIZE = (360, 450)

#: Wider frames are made smaller, pixels; and the quality of their JPEG.
PICTURE_WIDTH, JPEG_QUALITY = 960, 80


class Thumbnails:
    """Keeps pictures of some frames of one topic: every one at first, then every other, ...

    As the number of frames grows, pictures between others are deleted, so that there are never
    more than the most, and at least half of it once there were that many frames.

    Parameters
    ----------
    folder, topic
        The folder of the run, and the image topic.
    most
        How many.
    offered
        Frames that were offered before the run was interrupted.
    width
        Of wider frames' pictures, pixels.
    """

    def __init__(
        self, folder: Path, topic: str, most: int, offered: int = 0, width: int = PICTURE_WIDTH
    ) -> None:
        self._folder, self._most, self._offered, self._width = folder, most, offered, width
        self._stride = 1
        while -(-offered // self._stride) > self._most:
            self._stride *= 2
        pattern = f'{topic_folder(topic)}/*.jpg'
        self._kept = sorted(thumbnail_path(folder, topic, 0).parent.parent.glob(pattern))

    def offer(self, record: FrameRecord, image_bgr: Image, camera: CameraModel) -> bool:
        """Draw and keep a processed frame if it is its turn; return whether it was.

        Parameters
        ----------
        record
            The frame and its boxes.
        image_bgr, camera
            (H, W, 3) uint8 as it arrived, and its camera, with its distortion.
        """
        number = self._offered
        self._offered += 1
        if number % self._stride:
            return False
        if len(self._kept) >= self._most:
            for path in self._kept[1::2]:
                path.unlink(missing_ok=True)
            self._kept = self._kept[::2]
            self._stride *= 2
            if number % self._stride:
                return False
        path = thumbnail_path(self._folder, record.topic, record.index)
        picture = self._draw(record, image_bgr, camera)
        write_image(path, picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if path not in self._kept:  # a run that was killed may have drawn what it did not record
            self._kept.append(path)
        return True

    def _draw(self, record: FrameRecord, image_bgr: Image, camera: CameraModel) -> Image:
        height, width = image_bgr.shape[:2]
        scale = min(1.0, self._width / width)
        size = (round(width * scale), round(height * scale))
        if scale < 1.0:
            image_bgr = np.asarray(cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA))
        return annotate(
            image_bgr, record.detections, camera.scaled_to(*size), DrawingConfig(birds_eye=False),
            ground_truth=record.ground_truth or (),
        )  # fmt: skip


def birds_eye_png(record: FrameRecord) -> bytes:
    """Draw the boxes of a frame from above, ground truth as white outlines, as a PNG file."""
    picture = draw_birds_eye(
        record.detections, BIRDS_EYE_SIZE, DrawingConfig().range_m, record.camera(),
        ground_truth=record.ground_truth or (),
    )  # fmt: skip
    return cv2.imencode('.png', picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
