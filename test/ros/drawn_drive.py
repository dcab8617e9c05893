"""A drive of flat-shaded boxes on a road, in the layout of a KITTI raw drive."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from smoke_ros.geometry import NEAR_M
from smoke_ros.structures import Box3D, CameraModel

FRAMES, RATE_HZ = 40, 10.0
WIDTH, HEIGHT, FOCAL_PX, CAMERA_HEIGHT_M = 1242, 375, 721.5, 1.65
CAMERA = CameraModel.from_intrinsics(
    [[FOCAL_PX, 0.0, WIDTH / 2], [0.0, FOCAL_PX, 172.0], [0.0, 0.0, 1.0]], WIDTH, HEIGHT
)
SPEED_M_S = 9.0

#: Corners of each face of a box, and how bright it is.
FACES = (
    ((0, 1, 5, 4), 0.75), ((2, 3, 7, 6), 0.75), ((1, 2, 6, 5), 0.9), ((3, 0, 4, 7), 0.55),
    ((4, 5, 6, 7), 1.0),
)  # fmt: skip

Image = npt.NDArray[np.uint8]


def render_drive(folder: Path, frames: int) -> Path:
    """Render a drive into ``folder``, replacing an older one, in the layout of a KITTI raw drive.

    ``frames`` limits how many; 0 is the whole drive.
    """
    shutil.rmtree(folder, ignore_errors=True)
    images = folder / 'image_02' / 'data'
    images.mkdir(parents=True)
    P = np.column_stack((CAMERA.K, np.zeros(3))).ravel()
    text = 'P_rect_02: ' + ' '.join(f'{value:.6e}' for value in P) + '\n'
    (folder / 'calib_cam_to_cam.txt').write_text(text, encoding='ascii')
    for number in range(min(frames or FRAMES, FRAMES)):
        cv2.imwrite(str(images / f'{number:010d}.png'), render_frame(number / RATE_HZ))
    return folder


def render_frame(time_s: float) -> Image:
    """Render what the camera sees at a time, (HEIGHT, WIDTH, 3) uint8 in BGR."""
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    horizon = int(CAMERA.K[1, 2])
    sky = np.linspace(0.0, 1.0, horizon)[:, None] * (45, 30, 15) + (205, 185, 165)
    picture[:horizon] = sky[:, None].astype(np.uint8)
    picture[horizon:] = (88, 112, 104)
    _draw_road(picture, SPEED_M_S * time_s)
    for box, colour in sorted(_boxes(time_s), key=lambda item: -item[0].location[2]):
        _draw_box(picture, box, colour)
    return picture


def _boxes(time_s: float) -> list[tuple[Box3D, Sequence[int]]]:
    """Return all boxes in sight, with their colours (BGR); a car is a body and a cabin."""
    gone = SPEED_M_S * time_s
    cars = [
        (-0.2, 14.0 + 2.0 * time_s, math.pi / -2, (60, 60, 190)),  # ahead, and a bit faster
        (-5.4, 95.0 - 1.9 * gone, math.pi / 2, (170, 120, 60)),  # oncoming
        (5.2, 24.0 - gone, math.pi / -2, (200, 200, 200)),  # parked
        (5.2, 43.0 - gone, math.pi / -2, (70, 120, 60)),
        (5.3, 70.0 - gone, math.pi / -2, (60, 170, 210)),
    ]
    boxes: list[tuple[Box3D, Sequence[int]]] = []
    for x, z, heading, colour in cars:
        boxes.append((_standing(x, z, (4.0, 0.85, 1.7), heading, 0.2), colour))
        boxes.append((_standing(x, z + 0.2, (2.2, 0.6, 1.5), heading, 1.05), (50, 45, 40)))
    for n in range(8):  # houses on both sides
        z = 25.0 + 22.0 * n - gone % 22.0
        boxes.append((_standing(17.0, z, (14.0, 7.0, 10.0), math.pi / 2), (120, 145, 165)))
        boxes.append((_standing(-19.0, z + 8.0, (15.0, 6.0, 9.0), math.pi / 2), (135, 135, 150)))
    walker = _standing(7.2, 30.0 - gone - 1.3 * time_s, (0.5, 1.75, 0.6), math.pi / 2)
    return [*boxes, (walker, (90, 60, 40))]


def _standing(
    x: float, z: float, dimensions: tuple[float, float, float], heading: float, raised: float = 0.0
) -> Box3D:
    y = CAMERA_HEIGHT_M - raised - dimensions[1] / 2
    return Box3D((x, y, z), dimensions, heading)


def _draw_road(picture: Image, gone: float) -> None:
    _fill_ground(picture, -8.0, 8.0, NEAR_M, 400.0, (92, 90, 88))
    for x in (-7.6, 3.4):
        _fill_ground(picture, x - 0.06, x + 0.06, NEAR_M, 400.0, (215, 215, 215))
    for n in range(14):
        start = 9.0 * n - gone % 9.0
        _fill_ground(picture, -3.66, -3.54, max(NEAR_M, start), start + 4.0, (215, 215, 215))


def _fill_ground(
    picture: Image, left: float, right: float, near: float, far: float, colour: Sequence[int]
) -> None:
    if far <= near:
        return
    y = CAMERA_HEIGHT_M
    corners = [[left, y, near], [right, y, near], [right, y, far], [left, y, far]]
    _fill(picture, np.array(corners), colour)


def _draw_box(picture: Image, box: Box3D, colour: Sequence[int]) -> None:
    corners = box.corners()
    if corners[:, 2].min() < 2.0 * NEAR_M:
        return  # beside or behind the camera
    for face, brightness in sorted(FACES, key=lambda face: -corners[list(face[0]), 2].mean()):
        _fill(picture, corners[list(face)], [round(brightness * value) for value in colour])


def _fill(picture: Image, corners: npt.NDArray[np.float64], colour: Sequence[int]) -> None:
    pixels = np.clip(CAMERA.project(corners), -1e5, 1e5)
    fixed = np.round(pixels * 16).astype(np.int32)
    cv2.fillConvexPoly(picture, fixed, tuple(colour), cv2.LINE_AA, shift=4)
