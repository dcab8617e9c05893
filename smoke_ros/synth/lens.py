"""A given camera, with the distortion of its lens, for a renderer that knows pinholes only."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from smoke_ros.preprocess import undistort_pixels
from smoke_ros.structures import CameraModel, FloatArray
from smoke_ros.synth.scene import Float32Array

#: A distorted picture shows more than its pinhole: so much more is rendered at most.
LARGEST_GROWTH = 2.5


class Lens:
    """Bends pinhole pictures as a camera's lens does.

    Attributes
    ----------
    camera
        The one whose pictures are wanted, with its distortion.
    pinhole
        The one to render with: the same focal length, and large enough to fill every pixel.

    Raises
    ------
    ValueError
        If the lens sees so much that no pinhole does.
    """

    def __init__(self, camera: CameraModel) -> None:
        self.camera = camera
        rays = _undistorted_pixels(camera)
        low = np.minimum(np.floor(rays.min((0, 1))), 0.0)
        high = np.maximum(np.ceil(rays.max((0, 1))), (camera.width - 1, camera.height - 1))
        width, height = (high - low + 1.0).astype(int).tolist()
        if width > LARGEST_GROWTH * camera.width or height > LARGEST_GROWTH * camera.height:
            raise ValueError(
                f'the lens of this camera sees more than a pinhole can: {width}x{height} px '
                f'would have to be rendered for {camera.width}x{camera.height}; crop its image '
                'or give a rectified calibration'
            )
        K = camera.K.copy()
        K[:2, 2] -= low
        self.pinhole = CameraModel.from_intrinsics(K, width, height)
        self._map = (rays - low).astype(np.float32)

    def distorted(self, radiance: Float32Array) -> Float32Array:
        """Return what the camera sees of a picture (H, W, 3) of the pinhole."""
        if not self.camera.has_distortion:
            return radiance
        result = cv2.remap(
            radiance, self._map, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE  # type: ignore[call-overload]
        )  # fmt: skip
        return np.asarray(result, np.float32)

    def distorted_ids(self, ids: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Return the object ids of the camera's pixels, each the nearest of the pinhole's."""
        columns, rows = np.rint(self._map).astype(int).transpose(2, 0, 1)
        return ids[np.clip(rows, 0, ids.shape[0] - 1), np.clip(columns, 0, ids.shape[1] - 1)]


def _undistorted_pixels(camera: CameraModel) -> FloatArray:
    """Return where the ray of each pixel meets the pinhole's image, (H, W, 2)."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    return undistort_pixels(camera, np.stack((columns, rows), -1))
