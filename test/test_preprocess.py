from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from smoke_ros.config.model import FAMILIES, ModelConfig
from smoke_ros.preprocess import (
    InputGeometry,
    normalise,
    undistort_image,
    undistortion_maps,
    warp_by_pillow,
    warp_image,
)
from smoke_ros.structures import CameraModel
from smoke_ros.synth.meshes.surfaces import shrink

RNG = np.random.default_rng(5)


@pytest.mark.parametrize(
    ('image_size', 'scale'),
    [((1242, 375), None), ((1920, 1080), None), ((640, 480), None), ((300, 700), None),
     ((1242, 375), 0.7), ((640, 480), 1.3)],
)  # fmt: skip
def test_within_one_grey_level_of_pillow(image_size, scale):
    image = RNG.integers(0, 255, (image_size[1], image_size[0], 3), dtype=np.uint8)
    geometry = InputGeometry.centred(image_size, (1280, 384), scale)
    inverse = np.linalg.inv(geometry.input_from_image).flatten()[:6]
    expected = np.asarray(
        Pillow.fromarray(image).transform((1280, 384), Pillow.AFFINE, inverse, Pillow.BILINEAR)
    )
    found = warp_image(image, geometry)
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert np.array_equal((found == 0).all(), (expected == 0).all())


def test_a_flat_image_stays_flat():
    image = np.full((375, 1242, 3), 128, np.uint8)
    warped = warp_image(image, InputGeometry.centred((1242, 375), (1280, 384)))
    assert (warped == 128).all()


def test_the_centre_stays_the_centre_and_widths_agree():
    geometry = InputGeometry.centred((1920, 1080), (1280, 384))
    affine = geometry.input_from_image
    np.testing.assert_allclose(affine @ (960, 540, 1), (640, 192, 1))
    np.testing.assert_allclose((affine @ (0, 540, 1))[0], 0, atol=1e-9)
    np.testing.assert_allclose(
        geometry.image_from_feature @ (160, 48, 1), (960, 540, 1), atol=1e-9
    )


@pytest.mark.parametrize(
    ('size', 'visible'), [((1242, 375), 0.994), ((1920, 1080), 0.533), ((640, 480), 0.4)]
)
def test_what_the_network_sees(size, visible):
    geometry = InputGeometry.centred(size, (1280, 384))
    assert geometry.visible_fraction(size) == pytest.approx(visible, abs=1e-3)


def test_what_the_network_sees_of_an_enlarged_image():
    geometry = InputGeometry.centred((640, 480), (1280, 384), 4.0)
    assert geometry.visible_fraction((640, 480)) == pytest.approx(0.5 * 0.2)


def test_one_pixel_and_8k_images_fit():
    for height, width in ((1, 1), (4320, 7680)):
        image = np.full((height, width, 3), 9, np.uint8)
        warped = warp_image(image, InputGeometry.centred((width, height), (1280, 384)))
        assert warped.shape == (384, 1280, 3)
        assert warped[192, 640, 0] == 9


def test_channel_order_and_normalisation_by_hand():
    image = np.zeros((64, 64, 3), np.uint8)
    image[...] = (10, 20, 30)  # B, G, R
    official = normalise(image, ModelConfig())
    assert official.shape == (1, 3, 64, 64)
    expected = [(10 / 255 - 0.485) / 0.229, (20 / 255 - 0.456) / 0.224, (30 / 255 - 0.406) / 0.225]
    torch.testing.assert_close(official[0, :, 5, 7], torch.tensor(expected))
    rgb = normalise(image, FAMILIES['mmdet3d'])
    expected = [(30 - 123.675) / 58.395, (20 - 116.28) / 57.12, (10 - 103.53) / 57.375]
    torch.testing.assert_close(rgb[0, :, 5, 7], torch.tensor(expected))


def test_what_a_lens_model_would_see_twice_is_black():
    # r (1 - 0.35 r^2) turns back at r = 0.976: the corners of this view lie beyond.
    K = np.array([[640.0, 0.0, 640.0], [0.0, 640.0, 360.0], [0.0, 0.0, 1.0]])
    camera = CameraModel(K, 1280, 720, 'plumb_bob', (-0.35, 0.0, 0.0, 0.0))
    geometry = InputGeometry.centred((1280, 720), (640, 384))
    maps = undistortion_maps(camera, geometry)
    seen = undistort_image(np.full((720, 1280, 3), 200, np.uint8), maps)
    columns, rows = np.meshgrid(np.arange(640) + 0.5, np.arange(384) + 0.5)
    u = (columns - geometry.shift_x) / geometry.scale
    v = (rows - geometry.shift_y) / geometry.scale
    r = np.hypot((u - 640.0) / 640.0, (v - 360.0) / 640.0)
    assert (r > 0.99).mean() > 0.04
    assert not seen[r > 0.99].any()
    assert (seen[(r < 0.95) & (v > 5.0) & (v < 715.0)] == 200).all()


def test_pillow_of_ubuntu_22_04_is_new_enough(monkeypatch):
    image = RNG.integers(0, 255, (60, 200, 3), dtype=np.uint8)
    geometry = InputGeometry.centred((200, 60), (128, 64))
    expected = warp_by_pillow(image, geometry)
    # Its enumerations Transform and Resampling came with 9.1.
    names = ('fromarray', 'AFFINE', 'BILINEAR', 'BOX')
    old = SimpleNamespace(**{name: getattr(Pillow, name) for name in names})
    monkeypatch.setattr('smoke_ros.preprocess.Picture', old)
    monkeypatch.setattr('smoke_ros.synth.meshes.surfaces.Image', old)
    np.testing.assert_array_equal(warp_by_pillow(image, geometry), expected)
    assert shrink(np.zeros((4, 2048, 4), np.uint8)).shape[1] < 2048
