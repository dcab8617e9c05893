"""From a camera's image to the network's input.

The geometry is the authors': the image is scaled to the input's width, its centre goes to the
input's centre, what sticks out above and below is cropped and what is missing is black. K is not
scaled; boxes are decoded in the image's own pixels, through the inverse of the same affine.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image as Picture
from torch import Tensor

from smoke_ros.config.model import STRIDE, ModelConfig
from smoke_ros.structures import FISHEYE, CameraModel, FloatArray

Image = npt.NDArray[np.uint8]

#: Keeps an interpolated value that should be whole from being rounded down to the next lower one.
ROUNDING_MARGIN = 1e-3

#: A pixel that no image has, nor any that interpolation mixes with one.
_OUTSIDE = -2.0

#: Along each side of a box that is bent by a lens.
BORDER_POINTS = 16

#: Along a side of the grid in which what is seen of a distorted image is counted.
MOST_CELLS = 32


@dataclass(frozen=True)
class InputGeometry:
    """How an image is laid into the network's input.

    ``input = scale * image + shift``, on the coordinates in which K and 2D boxes are given.
    """

    scale: float
    shift_x: float
    shift_y: float
    width: int
    height: int

    @classmethod
    def centred(
        cls, image_size: tuple[int, int], input_size: tuple[int, int], scale: float | None = None,
        centre: tuple[float, float] | None = None,
    ) -> InputGeometry:  # fmt: skip
        """Lay the image's centre, or another point, on the input's centre.

        At ``scale``, or so that the widths agree.
        """
        scale = input_size[0] / image_size[0] if scale is None else scale
        x, y = centre or (image_size[0] / 2, image_size[1] / 2)
        shift_x, shift_y = input_size[0] / 2 - scale * x, input_size[1] / 2 - scale * y
        return cls(scale, shift_x, shift_y, *input_size)

    @property
    def input_from_image(self) -> FloatArray:
        """(3, 3) affine from image pixels to input pixels."""
        s = self.scale
        return np.array([[s, 0.0, self.shift_x], [0.0, s, self.shift_y], [0.0, 0.0, 1.0]])

    @property
    def feature_from_image(self) -> FloatArray:
        """(3, 3) affine from image pixels to heatmap pixels."""
        return np.diag([1 / STRIDE, 1 / STRIDE, 1.0]) @ self.input_from_image

    @property
    def image_from_feature(self) -> FloatArray:
        """(3, 3) affine from heatmap pixels to image pixels."""
        return np.asarray(np.linalg.inv(self.feature_from_image), np.float64)

    def visible_fraction(self, image_size: tuple[int, int]) -> float:
        """Return how much of the image's area lies within the input, 0 to 1."""
        width, height = (self.scale * size for size in image_size)
        return min(1.0, self.width / width) * min(1.0, self.height / height)


def focal_ratio(
    geometry: InputGeometry, camera: CameraModel, model: ModelConfig, tolerance: float
) -> float:
    """Return a camera's focal length in the input over the one at which a model learnt depth.

    By it depth is scaled, in training and in detection. Exactly 1 within the tolerance.
    """
    ratio = float(geometry.scale * camera.K[0, 0] / model.reference_focal_px)
    return ratio if abs(ratio - 1.0) > tolerance else 1.0


def warp_image(image: Image, geometry: InputGeometry) -> Image:
    """Lay an image into the network's input as Pillow's bilinear affine transform does.

    OpenCV's own warps round positions to 1/32 pixel, which costs up to six grey levels at sharp
    edges; this is within one of Pillow's, and three times as fast.

    Parameters
    ----------
    image
        (h, w, 3) uint8.
    geometry
        Where it goes.

    Returns
    -------
    (geometry.height, geometry.width, 3) uint8, black outside the image.
    """
    height, width = image.shape[:2]
    rows = source_positions(geometry.height, geometry.scale, geometry.shift_y)
    columns = source_positions(geometry.width, geometry.scale, geometry.shift_x)
    tall = _blend(image, rows, axis=0)
    if np.isclose(geometry.scale * width, geometry.width) and abs(geometry.shift_x) < 1e-6:
        blended = np.asarray(cv2.resize(tall, (geometry.width, geometry.height)))  # exact in float
    else:
        blended = _blend(tall, columns, axis=1)
    # Pillow cuts the fraction off.
    warped: Image = (blended + ROUNDING_MARGIN).astype(np.uint8)
    warped[(rows < -0.5) | (rows >= height - 0.5)] = 0
    warped[:, (columns < -0.5) | (columns >= width - 0.5)] = 0
    return warped


def warp_by_pillow(image: Image, geometry: InputGeometry) -> Image:
    """Do as :func:`warp_image`, to the last grey level as the authors: training's input.

    It is slower where the image is as wide as the input, and as fast elsewhere.
    """
    # The authors invert in single precision.
    image_from_input = np.linalg.inv(geometry.input_from_image.astype(np.float32))
    picture = Picture.fromarray(np.ascontiguousarray(image))
    warped = picture.transform(
        (geometry.width, geometry.height),
        Picture.AFFINE,  # type: ignore[attr-defined]  # Ubuntu 22.04's has no newer names
        image_from_input.flatten()[:6].tolist(),
        Picture.BILINEAR,  # type: ignore[attr-defined]
    )
    return np.array(warped)


def source_positions(size: int, scale: float, shift: float) -> FloatArray:
    """Return where in the source each of ``size`` output pixels lies, in pixel indices."""
    return np.asarray((np.arange(size) + 0.5 - shift) / scale - 0.5, np.float64)


def _blend(
    image: npt.NDArray[np.generic], positions: FloatArray, axis: int
) -> npt.NDArray[np.float32]:
    """Interpolate linearly along one axis, (h, w, 3) to float32; the edges are repeated."""
    first = np.floor(positions).astype(np.intp)
    share = (positions - first).astype(np.float32)
    share = share[:, None, None] if axis == 0 else share[:, None]
    last = image.shape[axis] - 1
    low = np.take(image, first.clip(0, last), axis).astype(np.float32)
    high = np.take(image, (first + 1).clip(0, last), axis).astype(np.float32)
    high -= low
    high *= share
    high += low
    return high


def undistortion_maps(
    camera: CameraModel, geometry: InputGeometry
) -> tuple[npt.NDArray, npt.NDArray]:
    """Return OpenCV remap tables that undistort and lay into the input in one step.

    What lies beyond the reach of the lens model comes from outside the image.

    Raises
    ------
    ValueError
        If the distortion leads to positions that are not finite.
    """
    # The tables are asked for at pixel indices, the geometry is for pixel edges: half a pixel.
    shift = (geometry.scale - 1.0) / 2
    index_from_image = geometry.input_from_image.copy()
    index_from_image[:2, 2] += shift
    view = index_from_image @ camera.K
    size = (geometry.width, geometry.height)
    D, identity = np.array(camera.D), np.eye(3)
    make = (
        cv2.fisheye.initUndistortRectifyMap
        if camera.distortion_model == FISHEYE
        else cv2.initUndistortRectifyMap
    )
    map_x, map_y = make(camera.K, D, identity, view, size, cv2.CV_32FC1)
    map_x += camera.skew_px(np.asarray(map_y))
    if not (np.isfinite(map_x).all() and np.isfinite(map_y).all()):
        raise ValueError(f'the distortion D = {camera.D} cannot be undone: calibrate again')
    reach = camera.undistorted_reach()
    if np.isfinite(reach):
        map_x[_is_beyond(reach, view, size)] = _OUTSIDE
    return cv2.convertMaps(map_x, map_y, cv2.CV_16SC2)


def undistort_pixels(camera: CameraModel, pixels: FloatArray) -> FloatArray:
    """Return where the camera's pinhole sees what its lens shows at some pixels, (..., 2)."""
    if not camera.has_distortion:
        return np.asarray(pixels, np.float64)
    points = np.array(pixels, np.float64).reshape(-1, 1, 2)
    points[..., 0] -= camera.skew_px(points[..., 1])
    undistort = (
        cv2.fisheye.undistortPoints if camera.distortion_model == FISHEYE else cv2.undistortPoints
    )
    found = undistort(points, camera.K, np.array(camera.D), P=camera.K)
    return np.asarray(found, np.float64).reshape(np.shape(pixels))


def undistort_bbox(camera: CameraModel, bbox_xyxy_px: npt.ArrayLike) -> FloatArray:
    """Return the extent (4,) that a 2D box of the camera's image has in its pinhole's.

    It is that of the box's border, and may reach out of the image.
    """
    x1, y1, x2, y2 = np.asarray(bbox_xyxy_px, np.float64)
    along = np.linspace(0.0, 1.0, BORDER_POINTS)
    x, y = x1 + along * (x2 - x1), y1 + along * (y2 - y1)
    border = [(x, 0 * y + y1), (x, 0 * y + y2), (0 * x + x1, y), (0 * x + x2, y)]
    seen = undistort_pixels(camera, np.concatenate([np.stack(side, -1) for side in border]))
    return np.concatenate((seen.min(0), seen.max(0)))


def _is_beyond(reach: float, view: FloatArray, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Return (H, W): which pixels of a view are farther from the axis, at depth 1."""
    columns, rows = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    pixels = np.stack((columns, rows, np.ones_like(rows))).reshape(3, -1)
    x, y, z = np.linalg.solve(view, pixels)
    return (np.hypot(x, y) > reach * z).reshape(columns.shape)


def share_seen(maps: tuple[npt.NDArray, npt.NDArray], image_size: tuple[int, int]) -> float:
    """Return how much of a distorted image's area :func:`undistortion_maps` reach, 0 to 1.

    It is counted in cells of a grid, of which every one that is seen holds a pixel of the input.
    """
    places = maps[0].astype(np.int64)
    cells = np.minimum(MOST_CELLS, np.array(places.shape[1::-1]) // 4).clip(1)
    cell = places * cells // np.array(image_size)
    inside = ((cell >= 0) & (cell < cells)).all(axis=-1)
    numbers = cell[inside] @ np.array([1, cells[0]])
    return len(np.unique(numbers)) / float(cells.prod())


def undistort_image(image: Image, maps: tuple[npt.NDArray, npt.NDArray]) -> Image:
    """Apply :func:`undistortion_maps`; what lies outside the image is black."""
    return cv2.remap(image, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)  # type: ignore[return-value]


def normalise(image: Image, model: ModelConfig, device: torch.device | str = 'cpu') -> Tensor:
    """Turn a BGR input image (H, W, 3) into the network's input (1, 3, H, W), float32."""
    tensor = torch.from_numpy(image).to(device)
    if model.channel_order == 'rgb':
        tensor = tensor.flip(-1)
    mean = torch.tensor(model.mean, device=device)
    std = torch.tensor(model.std, device=device)
    return ((tensor.float() - mean) / std).permute(2, 0, 1)[None]
