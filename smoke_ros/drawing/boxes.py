"""Boxes drawn into the image they were seen in, lens distortion included."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from smoke_ros.drawing.canvas import (
    BGR,
    ClassifiedBox,
    FloatArray,
    Image,
    Rectangle,
    darker,
    draw_line,
    fill,
)  # fmt: skip
from smoke_ros.geometry import BOX_EDGES, clip_segment
from smoke_ros.structures import FISHEYE, CameraModel

#: The corners of a box's front face, going round it.
FRONT_FACE = (0, 1, 5, 4)
#: How much of the class's colour the front face takes on.
FRONT_OPACITY = 0.3
#: The widest stroke, relative to the box's height in the image.
SLENDERNESS = 0.025
#: A distorted edge is drawn in this many pieces.
CURVE_PIECES = 12


def draw_boxes(
    image_bgr: Image,
    boxes: Sequence[ClassifiedBox],
    colours: Sequence[BGR],
    camera: CameraModel,
    thickness: float = 2.0,
) -> list[Rectangle | None]:
    """Draw wireframes into an image, the front face shaded, the nearest box on top.

    Parameters
    ----------
    image_bgr
        (H, W, 3) uint8, drawn into.
    boxes
        Parts that lie behind the camera are cut off.
    colours
        One a box.
    camera
        The image's camera. Where it has distortion left, edges are bent accordingly.
    thickness
        Of the nearest edges, in pixels.

    Returns
    -------
    Where each box appears, in pixels and not clipped to the image; None for one behind the camera.
    """
    reach = camera.undistorted_reach()
    outlines = [_project_box(box.corners(), camera, reach) for box in boxes]
    order = sorted(range(len(boxes)), key=lambda i: -boxes[i].location[2])
    shaded = image_bgr.copy()
    for i in order:
        if len(outlines[i].front) > 2:
            fill(shaded, outlines[i].front, colours[i])
    cv2.addWeighted(shaded, FRONT_OPACITY, image_bgr, 1.0 - FRONT_OPACITY, 0.0, dst=image_bgr)
    for i in order:
        # A small box stays a box, rather than a blot.
        near = min(thickness, SLENDERNESS * outlines[i].height)
        for line in outlines[i].far_edges:
            draw_line(image_bgr, line, darker(colours[i], 0.8), 0.5 * near)
        for line in outlines[i].near_edges:
            draw_line(image_bgr, line, colours[i], near)
    return [outline.extent for outline in outlines]


@dataclass(frozen=True)
class _Outline:
    """A box's edges in pixels: lines of (N, 2) points."""

    far_edges: list[FloatArray]
    near_edges: list[FloatArray]
    #: The front face's outline, (N, 2).
    front: FloatArray

    @property
    def extent(self) -> Rectangle | None:
        if not self.far_edges and not self.near_edges:
            return None
        points = np.concatenate(self.far_edges + self.near_edges)
        x1, y1 = points.min(axis=0)
        x2, y2 = points.max(axis=0)
        return float(x1), float(y1), float(x2), float(y2)

    @property
    def height(self) -> float:
        extent = self.extent
        return 0.0 if extent is None else extent[3] - extent[1]


def _project_box(corners: FloatArray, camera: CameraModel, reach: float) -> _Outline:
    def lines(edges: Sequence[tuple[int, int]]) -> list[FloatArray]:
        projected = [_project_edge(corners[a], corners[b], camera, reach) for a, b in edges]
        return [line for line in projected if line is not None]

    far_to_near = sorted(BOX_EDGES, key=lambda edge: -corners[list(edge), 2].sum())
    half = len(far_to_near) // 2
    front = lines(list(itertools.pairwise((*FRONT_FACE, FRONT_FACE[0]))))
    return _Outline(
        far_edges=lines(far_to_near[:half]),
        near_edges=lines(far_to_near[half:]),
        front=np.concatenate(front) if front else np.zeros((0, 2)),
    )


def _project_edge(
    start: FloatArray, end: FloatArray, camera: CameraModel, reach: float
) -> FloatArray | None:
    """Return the pixels (N, 2) along an edge; None if nothing of it can be seen."""
    segment = clip_segment(start, end)
    if segment is None:
        return None
    pieces = CURVE_PIECES if camera.has_distortion else 1
    along = np.linspace(0.0, 1.0, pieces + 1)[:, None]
    pixels = project_to_image(camera, segment[0] + along * (segment[1] - segment[0]), reach)
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    return pixels if len(pixels) > 1 else None


def project_to_image(camera: CameraModel, points: FloatArray, reach: float) -> FloatArray:
    """Project points in front of the camera onto the image as it was taken.

    Parameters
    ----------
    points
        (N, 3) in metres.
    reach
        From :meth:`CameraModel.undistorted_reach`.

    Returns
    -------
    (N, 2) pixels; NaN where the distortion model does not reach.
    """
    if not camera.has_distortion:
        return camera.project(points)
    rays = points + np.linalg.solve(camera.K, camera.projection_offset)
    normalised = rays[:, :2] / rays[:, 2:]
    coefficients = np.asarray(camera.D)
    if camera.distortion_model == FISHEYE:
        pixels = cv2.fisheye.distortPoints(normalised[:, None], camera.K, coefficients)[:, 0]
    else:
        homogeneous = np.concatenate((normalised, np.ones((len(rays), 1))), axis=1)
        zero = np.zeros(3)
        pixels = cv2.projectPoints(homogeneous, zero, zero, camera.K, coefficients)[0][:, 0]
    pixels = np.column_stack((pixels[:, 0] + camera.skew_px(pixels[:, 1]), pixels[:, 1]))
    pixels[np.hypot(normalised[:, 0], normalised[:, 1]) > reach] = np.nan
    return np.asarray(pixels, np.float64)
