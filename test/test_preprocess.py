import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from smoke_ros.config.model import FAMILIES, ModelConfig
from smoke_ros.preprocess import InputGeometry, normalise, warp_image

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
