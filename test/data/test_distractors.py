"""Shapes laid into training images: beside what is learnt, and the same for the same seed."""

import dataclasses

import numpy as np
import pytest
import torch
from perfect_outputs import small_model

from smoke_ros.config.data import DataConfig
from smoke_ros.config.model import STRIDE
from smoke_ros.data import augmentation as augment
from smoke_ros.data.augmentation import Augmentation, ShiftScale
from smoke_ros.data.dataset import KittiDataset
from smoke_ros.data.distractors import add_distractors

NOTHING = np.zeros((0, 4))
#: What a shape may change of an object, where its soft edges count as much as the rest.
MOST_CHANGED = 0.35


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (96, 256, 3), dtype=np.uint8)


def changed(before, after):
    return (before != after).any(-1)


def test_shapes_are_laid_in_and_the_image_given_stays_as_it_was(image):
    before = image.copy()
    after = add_distractors(image, NOTHING, 4, seed=1)
    assert after.shape == image.shape and after.dtype == np.uint8
    assert 50 < changed(image, after).sum() < 0.9 * image[..., 0].size
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(after, add_distractors(image, NOTHING, 4, seed=1))
    assert changed(after, add_distractors(image, NOTHING, 4, seed=2)).any()


def test_what_is_learnt_stays_visible(image):
    """Where nothing is to be seen, some of the same shapes do hide it."""
    boxes = np.array([[60.0, 40.0, 120.0, 70.0], [180.0, 30.0, 300.0, 90.0]])

    def most_covered(kept):
        shares = [0.0]
        for seed in range(150):
            mask = changed(image, add_distractors(image, kept, 1, seed))
            shares.append(max(mask[40:70, 60:120].mean(), mask[30:90, 180:].mean()))
        return max(shares)

    assert most_covered(boxes) < MOST_CHANGED
    assert most_covered(NOTHING) > 2 * MOST_CHANGED


def test_shapes_of_any_seed_fit_into_small_images():
    image = np.full((32, 64, 3), 120, np.uint8)
    after = [add_distractors(image, NOTHING, 2, seed) for seed in range(300)]
    assert all(one.shape == image.shape for one in after)
    assert np.mean([changed(image, one).any() for one in after]) > 0.95


def test_how_many_are_drawn_for_a_sample():
    none = [augment.draw_augmentation(DataConfig(), (i,)) for i in range(20)]
    assert all(drawn.distractors == 0 and drawn.distractor_seed == 0 for drawn in none)
    some = [augment.draw_augmentation(DataConfig(distractors=3), (i,)) for i in range(200)]
    assert {drawn.distractors for drawn in some} == {0, 1, 2, 3}
    without = [dataclasses.replace(d, distractors=0, distractor_seed=0) for d in some[:20]]
    assert without == none  # nothing else is drawn otherwise


def test_a_sample_keeps_its_objects_clear_and_its_targets(kitti_root, monkeypatch):
    """Objects are where the mirrored, cut and scaled image has them."""
    kept = []

    def note(image, boxes, count, seed):
        kept.append((boxes, count, seed))
        return add_distractors(image, boxes, count, seed)

    monkeypatch.setattr('smoke_ros.data.dataset.add_distractors', note)
    dataset = KittiDataset(DataConfig(root=str(kitti_root)), small_model(), training=True)
    image, camera = dataset.folder.image('a'), dataset.folder.camera('a', (256, 96))
    window = Augmentation(flip=True, shift_scale=ShiftScale((0.1, 0.1), 1.6))
    drawn = dataclasses.replace(window, distractors=5, distractor_seed=7)
    plain, sample = (
        dataset.make_sample(image, camera, dataset.folder.labels('a'), d) for d in (window, drawn)
    )
    ((boxes, *how),) = kept
    assert how == [5, 7]
    np.testing.assert_allclose(boxes[0], STRIDE * plain.targets.boxes_feat[0], atol=2.0)
    assert torch.equal(sample.targets.heatmap, plain.targets.heatmap)
    assert not torch.equal(sample.image, plain.image)
