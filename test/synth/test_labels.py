import math
from dataclasses import dataclass

import numpy as np
import pytest
from box_models import BoxModel

from smoke_ros.config.synth import SynthConfig
from smoke_ros.structures import CameraModel
from smoke_ros.synth.actors import Actor, Motion
from smoke_ros.synth.labels import (
    Visible,
    box_in_camera,
    find_visible,
    label,
    occlusion_level,
)
from smoke_ros.synth.street import Centreline
from smoke_ros.synth.viewpoints import Mounting, make_viewpoint

CONFIG = SynthConfig()
CAMERA = CameraModel.from_intrinsics([[700, 0, 620], [0, 700, 180], [0, 0, 1]], 1242, 375)
LEVEL = make_viewpoint(CAMERA, Mounting(1.65, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0)
CAR = BoxModel('car', 'Car', (4.0, 1.5, 1.6))


@dataclass
class Area:
    area_px: float
    inside_px: float


def standing(s, d, angle=0.0, object_id=1):
    return Actor(CAR, Motion(Centreline(), s, d, angle=angle), object_id)


def seen(pixels=5000, top=150.0, bottom=210.0):
    return Visible(pixels, (600.0, top, 700.0, bottom))


def test_extent_and_count_of_visible_pixels():
    ids = np.zeros((20, 30), np.int32)
    ids[3:7, 10:16] = 5
    ids[6:9, 15:20] = 9
    found = find_visible(ids)
    assert found[5] == Visible(23, (10.0, 3.0, 15.0, 6.0))
    assert found[9] == Visible(15, (15.0, 6.0, 19.0, 8.0))
    assert set(found) == {5, 9}
    assert find_visible(np.zeros((4, 4), np.int32)) == {}


@pytest.mark.parametrize(
    ('angle', 'rotation_y'),
    # Away from the camera is -pi/2 in KITTI, to the left of it pi, to the right 0.
    [(0.0, -math.pi / 2), (math.pi, math.pi / 2), (math.pi / 2, math.pi), (-math.pi / 2, 0.0)],
)
def test_heading_and_place_in_a_level_camera(angle, rotation_y):
    box = box_in_camera(standing(20.0, 3.0, angle), LEVEL)
    np.testing.assert_allclose(box.location, (-3.0, 1.65 - 0.75, 20.0), atol=1e-9)
    difference = (box.rotation_y - rotation_y + math.pi) % (2 * math.pi) - math.pi
    assert difference == pytest.approx(0.0, abs=1e-9)
    assert box.dimensions == (4.0, 1.5, 1.6)


def test_bottom_centre_is_exact_under_a_tilted_camera():
    view = make_viewpoint(CAMERA, Mounting(1.8, 0.05, 0.02, 0.03), (1.0, 2.0, 0.0), 0.1)
    actor = standing(25.0, 1.0)
    bottom = view.camera_from_world @ [25.0, 1.0, 0.0, 1.0]
    box = box_in_camera(actor, view)
    np.testing.assert_allclose(np.add(box.location, (0, 0.75, 0)), bottom[:3], atol=1e-9)


@pytest.mark.parametrize(
    ('share', 'level'),
    [(1.0, 0), (0.9, 0), (0.89, 1), (0.5, 1), (0.49, 2), (0.15, 2), (0.1, 3)],
)
def test_occlusion_levels(share, level):
    assert occlusion_level(share) == level


def test_label_of_a_truncated_and_half_hidden_car():
    extents = {1: Area(area_px=20000.0, inside_px=12000.0)}
    (found,) = label(
        [standing(15.0, 0.0)], LEVEL, {1: seen(7200)}, extents, CONFIG, LEVEL.camera.height
    )
    assert found.class_name == 'Car'
    assert found.truncation == pytest.approx(0.4)
    assert found.occlusion == 1
    assert found.observation_angle == pytest.approx(found.alpha)
    assert found.bbox_xyxy_px == (600.0, 150.0, 700.0, 210.0)


@pytest.mark.parametrize(
    ('s', 'visible', 'inside'),
    [
        (30.0, seen(5000, top=150.0, bottom=158.0), 5000.0),  # too low
        (30.0, seen(300), 5000.0),  # too hidden
        (120.0, seen(), 5000.0),  # too far
        (0.5, seen(), 5000.0),  # beside the camera
    ],
)
def test_what_cannot_be_judged_is_a_region(s, visible, inside):
    areas = {1: Area(inside, inside)}
    (found,) = label([standing(s, 0.0)], LEVEL, {1: visible}, areas, CONFIG, LEVEL.camera.height)
    assert found.class_name == 'DontCare'
    assert found.bbox_xyxy_px == visible.bbox_xyxy_px


@pytest.mark.parametrize(('image_height', 'name'), [(375, 'Car'), (560, 'DontCare')])
def test_what_is_high_enough_is_so_for_the_picture(image_height, name):
    # With a lens a larger one is drawn at first: 14 px are 3.7% of 375, but 2.5% of 560.
    visible, areas = {1: seen(top=150.0, bottom=163.0)}, {1: Area(5000.0, 5000.0)}
    (found,) = label([standing(30.0, 0.0)], LEVEL, visible, areas, CONFIG, image_height)
    assert found.class_name == name


def test_near_objects_first_then_regions_and_nothing_for_the_unseen():
    actors = [standing(40.0, 0, object_id=1), standing(10.0, 4, object_id=2),
              standing(120.0, 0, object_id=3), standing(20.0, 9, object_id=4),
              standing(5.0, 9, object_id=0)]  # fmt: skip
    visible = {1: seen(), 2: seen(), 3: seen()}
    areas = {n: Area(5000.0, 5000.0) for n in visible}
    found = label(actors, LEVEL, visible, areas, CONFIG, LEVEL.camera.height)
    assert [item.class_name for item in found] == ['Car', 'Car', 'DontCare']
    assert [round(item.location[2]) for item in found[:2]] == [10, 40]
