"""Other light on training images: where it falls nothing moves, and the same for the same seed."""

import dataclasses

import numpy as np
import pytest
import torch
from perfect_outputs import small_model

from smoke_ros.config.data import DataConfig
from smoke_ros.data import augmentation as augment
from smoke_ros.data.augmentation import Augmentation
from smoke_ros.data.dataset import KittiDataset
from smoke_ros.data.shadows import SHADES, SUNS, add_shadows


@pytest.fixture
def image():
    return np.full((96, 256, 3), (40, 44, 24), np.uint8)


def test_an_image_is_lit_otherwise_in_places_and_keeps_its_colours(image):
    before = image.copy()
    shares = []
    for seed in range(100):
        after = add_shadows(image, 1, seed)
        assert after.shape == image.shape and after.dtype == np.uint8
        gain = after / image
        # Half a grey level of rounding.
        np.testing.assert_allclose(gain[..., 0], gain[..., 2], atol=0.5 / 40 + 0.5 / 24)
        assert abs(gain.mean() - 1.0) < 0.02
        dark, bright = gain[..., 1].min() + 0.5 / 44, gain[..., 1].max() - 0.5 / 44
        assert bright / dark < max(SUNS[1], 1 / SHADES[0])
        shares.append((gain[..., 1] < 0.5 * (dark + bright)).mean() if bright > dark else 0.0)
    np.testing.assert_array_equal(image, before)
    # From slivers in the shade to all but slivers.
    assert min(shares) < 0.1 and max(shares) > 0.9 and 0.2 < np.mean(shares) < 0.8


def test_a_seed_says_all(image):
    np.testing.assert_array_equal(add_shadows(image, 3, 5), add_shadows(image, 3, 5))
    assert (add_shadows(image, 3, 5) != add_shadows(image, 3, 6)).any()
    np.testing.assert_array_equal(add_shadows(image, 0, 5), image)


def test_any_size_will_do():
    for seed in range(100):
        assert add_shadows(np.full((32, 64, 3), 90, np.uint8), 2, seed).shape == (32, 64, 3)


def test_how_many_are_drawn_for_a_sample():
    none = [augment.draw_augmentation(DataConfig(), (i,)) for i in range(20)]
    assert all(drawn.shadows == 0 and drawn.shadow_seed == 0 for drawn in none)
    some = [augment.draw_augmentation(DataConfig(shadows=3), (i,)) for i in range(200)]
    assert {drawn.shadows for drawn in some} == {0, 1, 2, 3}
    assert [dataclasses.replace(d, shadows=0, shadow_seed=0) for d in some[:20]] == none


def test_a_sample_is_lit_otherwise_and_teaches_the_same(kitti_root):
    dataset = KittiDataset(DataConfig(root=str(kitti_root)), small_model(), training=True)
    image, camera = dataset.folder.image('a'), dataset.folder.camera('a', (256, 96))
    plain, lit = (
        dataset.make_sample(image, camera, dataset.folder.labels('a'), drawn)
        for drawn in (Augmentation(), Augmentation(shadows=3, shadow_seed=4))
    )
    assert torch.equal(lit.targets.heatmap, plain.targets.heatmap)
    assert not torch.equal(lit.image, plain.image)
