"""The three things everything else talks about: a box, a detection and a camera.

Conventions, declared here and nowhere else:

* **Frame.** Coordinates are metres in the camera's optical frame (REP-103 suffix ``_optical``):
  x right, y down, z forward.
* **Origin.** ``location`` is the box's geometric centre. (KITTI's files store the centre of the
  bottom face; :mod:`smoke_ros.data.kitti` converts.)
* **Dimensions** are ``(length, height, width)``, the order of SMOKE's regression channels.
* **Heading.** ``rotation_y`` turns the box about the y axis; at 0 its length lies along +x.
  ``alpha`` is the same angle seen along the ray to the object (KITTI's observation angle).
* **Pixels.** The centre of the top-left pixel is (0, 0); a 2D box is ``(x1, y1, x2, y2)``.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from smoke_ros import geometry

DIMENSION_ORDER = ('length', 'height', 'width')

#: The model of sensor_msgs/CameraInfo for lenses with r = f * angle.
FISHEYE = 'equidistant'

#: Distortion models of sensor_msgs/CameraInfo, and how many coefficients each may have.
DISTORTION_COEFFICIENTS = {
    'plumb_bob': (4, 5),
    'rational_polynomial': (8, 12, 14),
    FISHEYE: (4,),
}

#: How far the aspect ratios of an image and of its calibration may differ (a relative figure):
#: resizing to whole pixels costs up to a pixel a side, a crop costs far more.
ASPECT_TOLERANCE = 0.01
#: Of small images that pixel is more than the tolerance, but never more than this.
MOST_ROUNDING = 0.05

Vector3 = tuple[float, float, float]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Box3D:
    """An upright 3D box in the camera's optical frame (see the module's conventions)."""

    location: Vector3
    dimensions: Vector3
    rotation_y: float

    @property
    def alpha(self) -> float:
        """The observation angle in [-pi, pi): the heading relative to the ray to the centre."""
        x, _, z = self.location
        return float(geometry.alpha_from_rotation_y(self.rotation_y, x, z))

    def corners(self) -> FloatArray:
        """Return the eight corners, (8, 3), in the order of :func:`geometry.box_corners`."""
        return geometry.box_corners(
            np.asarray(self.location), np.asarray(self.dimensions), np.asarray(self.rotation_y)
        )


@dataclass(frozen=True)
class Detection3D(Box3D):
    """A box with the class that was seen in it and how sure the network is."""

    class_name: str
    score: float
    #: Extent of the projected box, clipped to the image: x1, y1, x2, y2 in pixels; those of the
    #: undistorted image where the camera has distortion.
    bbox_xyxy_px: tuple[float, float, float, float]
    #: How far the network expects the distance to be off in the mean, as a part of it; None where
    #: it does not say.
    depth_error: float | None = None


@dataclass(frozen=True, eq=False)
class CameraModel:
    """The camera of one image: a pinhole, and the lens distortion that is still in the image.

    Attributes
    ----------
    K
        (3, 3) intrinsics in pixels of *this* image (after region of interest, binning and
        scaling). Boxes live in the frame of this pinhole.
    width, height
        The image's size in pixels.
    distortion_model, D
        Distortion that is left in the image, by sensor_msgs/CameraInfo's names; ``''`` and no
        coefficients for a plain or a rectified image. Coefficients of 0 are none, but for
        ``equidistant``: that of an ideal fisheye.
    projection_offset
        The fourth column of a 3x4 projection matrix: ``K @ (x, y, z) + projection_offset``.
        KITTI's calibration uses it to express boxes in the frame of its camera 0.

    Raises
    ------
    ValueError
        If K is not a finite (3, 3) matrix with positive focal lengths, the size is not positive,
        the projection's offset is not 3 finite numbers, or the distortion is unknown or not
        finite.
    """

    K: FloatArray
    width: int
    height: int
    distortion_model: str = ''
    D: tuple[float, ...] = ()
    projection_offset: Vector3 = (0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        K = _checked_intrinsics(self.K)
        K.setflags(write=False)
        object.__setattr__(self, 'K', K)
        if self.width < 1 or self.height < 1:
            raise ValueError(f'image size must be positive, got {self.width}x{self.height}')
        offset = self.projection_offset
        if len(offset) != 3 or not np.isfinite(offset).all():
            raise ValueError(f'projection_offset must be 3 finite numbers, got {offset}')
        D = tuple(float(d) for d in self.D)
        # A fisheye bends the picture by its projection alone, whatever its coefficients are.
        is_plain = not any(D) and self.distortion_model != FISHEYE
        object.__setattr__(self, 'D', () if is_plain else D)
        if is_plain:
            object.__setattr__(self, 'distortion_model', '')
            return
        if not np.isfinite(D).all():
            raise ValueError(f'distortion coefficients must be finite, got D = {D}')
        if self.distortion_model not in DISTORTION_COEFFICIENTS:
            raise ValueError(
                f'distortion model must be one of {", ".join(DISTORTION_COEFFICIENTS)}, '
                f'got {self.distortion_model!r}'
            )
        allowed = DISTORTION_COEFFICIENTS[self.distortion_model]
        if len(D) not in allowed:
            raise ValueError(
                f'{self.distortion_model} takes {" or ".join(map(str, allowed))} coefficients, '
                f'got {len(D)}'
            )

    @classmethod
    def from_intrinsics(cls, K: npt.ArrayLike, width: int, height: int) -> CameraModel:
        """Make a plain pinhole camera from its (3, 3) intrinsics in pixels."""
        return cls(np.asarray(K, dtype=np.float64), width, height)

    @classmethod
    def from_projection(cls, P: npt.ArrayLike, width: int, height: int) -> CameraModel:
        """Make a pinhole camera from a (3, 4) projection matrix, such as KITTI's P2."""
        P = np.asarray(P, dtype=np.float64)
        if P.shape != (3, 4):
            raise ValueError(f'P must be (3, 4), got {P.shape}')
        offset = tuple(float(v) for v in P[:, 3])
        return cls(P[:, :3].copy(), width, height, projection_offset=offset)  # type: ignore[arg-type]

    @property
    def has_distortion(self) -> bool:
        """Whether the image has to be undistorted before the network sees it."""
        return bool(self.D)

    def skew_px(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return by how many columns the skew of K moves pixels of some rows (...).

        OpenCV's lens models leave it out: who uses one adds this, or takes it away before.
        """
        return float(self.K[0, 1] / self.K[1, 1]) * (rows - float(self.K[1, 2]))

    def undistorted_reach(self) -> float:
        """Return the distance from the axis, at depth 1, up to which the lens model is one to one.

        Polynomial models turn back further out: what lies far to the side would show up in the
        image again.
        """
        if not self.has_distortion:
            return np.inf
        r = np.linspace(0.0, 20.0, 4001)
        d = np.zeros(14)
        d[: len(self.D)] = self.D
        if self.distortion_model == FISHEYE:
            angle = np.arctan(r)
            bent = angle * (
                1 + d[0] * angle**2 + d[1] * angle**4 + d[2] * angle**6 + d[3] * angle**8
            )
        else:
            bent = r * (1 + d[0] * r**2 + d[1] * r**4 + d[4] * r**6)
            bent /= 1 + d[5] * r**2 + d[6] * r**4 + d[7] * r**6
        turns_back = np.flatnonzero(np.diff(bent) <= 0)
        return float(r[turns_back[0]]) if len(turns_back) else np.inf

    @property
    def key(self) -> tuple[object, ...]:
        """A hashable identity: equal for cameras that map pixels to rays in the same way."""
        return (
            self.K.tobytes(), self.width, self.height, self.distortion_model, self.D,
            self.projection_offset,
        )  # fmt: skip

    def scaled_to(self, width: int, height: int) -> CameraModel:
        """Return this camera for an image that was resized to ``width`` x ``height``.

        Follows image_proc's resize: every row of K scales with its axis.

        Raises
        ------
        ValueError
            If the aspect ratio differs by more than :data:`ASPECT_TOLERANCE`, or than rounding to
            whole pixels explains: such an image was cropped, or belongs to another camera.
        """
        if (width, height) == (self.width, self.height):
            return self
        scale_x, scale_y = width / self.width, height / self.height
        rounding = min(1.0 / width + 1.0 / height, MOST_ROUNDING)
        if abs(scale_x / scale_y - 1.0) > max(ASPECT_TOLERANCE, rounding):
            raise ValueError(
                f'the calibration is for {self.width}x{self.height}, the image is '
                f'{width}x{height}: the aspect ratios differ, so it was cropped or is another '
                "camera's; publish the matching CameraInfo (with roi and binning)"
            )
        return dataclasses.replace(
            self,
            K=np.diag([scale_x, scale_y, 1.0]) @ self.K,
            width=width,
            height=height,
            projection_offset=(
                self.projection_offset[0] * scale_x,
                self.projection_offset[1] * scale_y,
                self.projection_offset[2],
            ),
        )

    def project(self, points: npt.ArrayLike) -> FloatArray:
        """Project points onto the undistorted image; see :func:`geometry.project`.

        Parameters
        ----------
        points
            (..., 3) in metres, with z > 0.

        Returns
        -------
        (..., 2) pixels.
        """
        return geometry.project(self.K, np.asarray(points, float), self.projection_offset)

    def clip_to_image(self, box_xyxy_px: npt.ArrayLike) -> tuple[float, float, float, float]:
        """Return what of a 2D box, x1, y1, x2, y2 in pixels, lies within the image."""
        size = (self.width, self.height, self.width, self.height)
        x1, y1, x2, y2 = np.clip(np.asarray(box_xyxy_px, float), 0.0, size).tolist()
        return x1, y1, x2, y2


def _checked_intrinsics(K: npt.ArrayLike) -> FloatArray:
    K = np.array(K, dtype=np.float64)
    if K.shape != (3, 3):
        raise ValueError(f'K must be (3, 3), got {K.shape}')
    if not np.isfinite(K).all():
        raise ValueError(f'K must be finite, got {K.tolist()}')
    if K[0, 0] == 0.0:
        raise ValueError(
            'the camera is not calibrated (K[0] = 0): calibrate it, or give a calibration'
        )
    if K[0, 0] < 0.0 or K[1, 1] <= 0.0:
        raise ValueError(f'focal lengths must be positive, got fx = {K[0, 0]}, fy = {K[1, 1]}')
    if not np.array_equal(K[2], [0.0, 0.0, 1.0]) or K[1, 0] != 0.0:
        raise ValueError(f'K must be upper triangular with last row (0, 0, 1), got {K.tolist()}')
    if not math.isclose(K[0, 1], 0.0, abs_tol=0.1 * K[0, 0]):
        raise ValueError(f'the skew K[0, 1] = {K[0, 1]} is not that of a camera')
    return K
