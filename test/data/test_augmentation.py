import dataclasses

import numpy as np
import pytest
from perfect_outputs import labelled_car, small_camera, small_model

from smoke_ros.config.data import DataConfig
from smoke_ros.config.model import ModelConfig
from smoke_ros.data import augmentation as augment
from smoke_ros.data.augmentation import Augmentation, ShiftScale
from smoke_ros.data.kitti import DONT_CARE
from smoke_ros.geometry import alpha_from_rotation_y, project
from smoke_ros.preprocess import warp_by_pillow, warp_image

SIZE = (256, 96)


def test_a_seed_always_draws_the_same():
    config = DataConfig(colour_jitter=0.3)
    drawn = [augment.draw_augmentation(config, (1, 2, i)) for i in range(20)]
    again = [augment.draw_augmentation(config, (1, 2, i)) for i in range(20)]
    assert drawn == again
    assert len(set(drawn)) == 20
    assert augment.draw_augmentation(config, (1, 3, 0)) != drawn[0]


def test_what_is_drawn_is_as_often_and_as_large_as_the_authors():
    drawn = [augment.draw_augmentation(DataConfig(), (0, i)) for i in range(2000)]
    assert np.mean([d.flip for d in drawn]) == pytest.approx(0.5, abs=0.04)
    windows = [d.shift_scale for d in drawn if d.shift_scale]
    assert len(windows) / 2000 == pytest.approx(0.3, abs=0.04)
    shifts = {round(s, 6) for window in windows for s in window.shift}
    assert shifts == {-0.2, -0.1, 0.0, 0.1, 0.2}
    scales = {round(window.scale, 6) for window in windows}
    assert scales == {0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4}
    assert {(d.brightness, d.contrast, d.saturation) for d in drawn} == {(1.0, 1.0, 1.0)}


@pytest.mark.parametrize('image_size', [(832, 256), (640, 480)])
@pytest.mark.parametrize(
    ('low', 'high', 'size'), [(0.5, 0.9, (0, 0)), (1.2, 1.5, (0, 0)), (0.24, 0.54, (320, 192))]
)
def test_crops_lie_within_the_image_or_around_it(image_size, low, high, size):
    """Along each axis, and up to its ends."""
    config = DataConfig(
        crop_low=low, crop_high=high, crop_width=size[0], crop_height=size[1],
        shift_scale_regression=True, flip_probability=0.0,
    )  # fmt: skip
    drawn = [augment.draw_augmentation(config, (0, i)) for i in range(500)]
    seen = [augment.input_geometry(each, image_size, ModelConfig()) for each in drawn]
    starts = np.array([(-g.shift_x, -g.shift_y) for g in seen])
    sides = np.array([(g.width, g.height) for g in seen])
    scales = np.array([[g.scale] for g in seen])
    before, behind = starts / scales, np.array(image_size) - (starts + sides) / scales
    fits = sides / scales <= image_size
    # Half a pixel: the input's middle is that of its outer pixels' centres.
    assert (np.where(fits, before, -before) >= -1.0).all()
    assert (np.where(fits, behind, -behind) >= -1.0).all()
    for gaps in (before, behind):
        assert (np.abs(gaps).min(axis=0) < 2.0).all()
    widths = sides[:, 0] / scales[:, 0] / image_size[0]
    assert widths.min() == pytest.approx(low, abs=0.02)
    assert widths.max() == pytest.approx(high, abs=0.02)


def test_ranges_the_wrong_way_round_are_refused():
    with pytest.raises(ValueError, match=r'gamma_low must be at most gamma_high \(1\), got 2'):
        DataConfig(gamma_low=2.0)
    with pytest.raises(ValueError, match='crop_low must be at most crop_high'):
        DataConfig(crop_low=0.8, crop_high=0.6)


def test_one_option_does_not_change_what_another_draws():
    plain = augment.draw_augmentation(DataConfig(), (5, 6))
    coloured = augment.draw_augmentation(DataConfig(colour_jitter=0.5), (5, 6))
    assert coloured.brightness != 1.0
    assert dataclasses.replace(coloured, brightness=1.0, contrast=1.0, saturation=1.0) == plain


def test_nothing_is_drawn_where_nothing_is_allowed():
    config = DataConfig(flip_probability=0.0, shift_scale_probability=0.0)
    assert {augment.draw_augmentation(config, (i,)) for i in range(50)} == {Augmentation()}


@pytest.mark.parametrize('offset', [(0.0, 0.0, 0.0), (44.9, 0.2, 0.003)])
def test_the_mirrored_world_is_seen_at_the_mirrored_pixel(offset):
    camera = small_camera(projection_offset=offset)
    point = np.array([2.0, -0.5, 12.0])
    u, v = project(camera.K, point, camera.projection_offset)
    mirrored = augment.flip_camera(camera)
    found = project(mirrored.K, point * (-1, 1, 1), mirrored.projection_offset)
    np.testing.assert_allclose(found, (255 - u, v), atol=1e-9)


def test_mirrored_objects():
    item = labelled_car((2.0, 0.5, 10.0), 0.4, bbox=(10.0, 20.0, 60.0, 50.0))
    flipped = augment.flip_object(item, 256)
    assert flipped.location == (-2.0, 0.5, 10.0)
    assert flipped.bbox_xyxy_px == (195.0, 20.0, 245.0, 50.0)
    # Seen along the mirrored ray, the mirrored heading is the mirrored angle.
    assert flipped.alpha == pytest.approx(np.pi - item.alpha)
    mirrored_corners = item.corners() * (-1, 1, 1)
    distances = np.linalg.norm(flipped.corners()[:, None] - mirrored_corners[None], axis=-1)
    np.testing.assert_allclose(distances.min(axis=1), 0.0, atol=1e-9)
    # The front stays the front: +x at a heading of 0, -x in the mirror.
    again = augment.flip_object(flipped, 256)
    assert again.rotation_y == pytest.approx(item.rotation_y)
    assert again.bbox_xyxy_px == item.bbox_xyxy_px
    np.testing.assert_allclose(
        alpha_from_rotation_y(np.float64(again.rotation_y), 2.0, 10.0), item.alpha
    )


def test_regions_without_a_box_are_mirrored_in_the_image_only():
    region = dataclasses.replace(
        labelled_car((-1000, -1000, -1000)), class_name=DONT_CARE, bbox_xyxy_px=(0, 1, 9, 8)
    )
    flipped = augment.flip_object(region, 256)
    assert flipped.bbox_xyxy_px == (246, 1, 255, 8)
    assert flipped.location == region.location


def test_the_centre_of_a_mirrored_image_moves_by_a_pixel_as_the_authors():
    model = small_model()
    plain = augment.input_geometry(Augmentation(), SIZE, model)
    flipped = augment.input_geometry(Augmentation(flip=True), SIZE, model)
    assert (plain.shift_x, plain.shift_y, plain.scale) == (0.0, 0.0, 1.0)
    assert (flipped.shift_x, flipped.shift_y, flipped.scale) == (1.0, 0.0, 1.0)


def test_a_shifted_and_scaled_window():
    drawn = Augmentation(shift_scale=ShiftScale((0.1, -0.2), 0.5))
    geometry = augment.input_geometry(drawn, SIZE, small_model())
    assert geometry.scale == pytest.approx(2.0)
    centre = geometry.input_from_image @ (128 + 25.6, 48 - 19.2, 1.0)
    np.testing.assert_allclose(centre, (128.0, 48.0, 1.0), atol=1e-4)


@pytest.mark.parametrize('warp', [warp_image, warp_by_pillow])
def test_images_move_with_their_geometry(warp):
    image = np.zeros((96, 256, 3), dtype=np.uint8)
    image[38:43, 158:163] = 200  # around the pixel (160, 40), whose middle is at (160.5, 40.5)
    drawn = Augmentation(shift_scale=ShiftScale((0.1, -0.1), 1.25))
    geometry = augment.input_geometry(drawn, SIZE, small_model())
    warped = warp(image, geometry).astype(float).sum(axis=-1)
    rows, columns = np.indices(warped.shape)
    found = [(grid * warped).sum() / warped.sum() for grid in (columns + 0.5, rows + 0.5)]
    expected = (geometry.input_from_image @ (160.5, 40.5, 1.0))[:2]
    np.testing.assert_allclose(found, expected, atol=0.05)


def test_pillows_warp_and_our_own_agree_to_a_grey_level():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (96, 256, 3), dtype=np.uint8)
    for drawn in (Augmentation(flip=True), Augmentation(shift_scale=ShiftScale((0.2, 0.1), 0.7))):
        geometry = augment.input_geometry(drawn, SIZE, small_model())
        ours = warp_image(image, geometry).astype(int)
        assert np.abs(ours - warp_by_pillow(image, geometry)).max() <= 1


def test_colours():
    image = np.full((4, 4, 3), (40, 80, 120), dtype=np.uint8)
    assert augment.jitter_colours(image, Augmentation()) is image
    brighter = augment.jitter_colours(image, Augmentation(brightness=1.5))
    assert brighter[0, 0].tolist() == [60, 120, 180]
    grey = augment.jitter_colours(image, Augmentation(saturation=0.0))
    assert len(set(grey[0, 0].tolist())) == 1
    image[:2] //= 2
    flat = augment.jitter_colours(image, Augmentation(contrast=0.0))
    assert flat[0].tolist() == flat[3].tolist()
    bright = augment.jitter_colours(image, Augmentation(brightness=9.0))
    assert bright.max() == 255


LOOKS = (
    {'sharpness_jitter': 2.0}, {'noise': 8.0}, {'colour_mixing': 1.0}, {'colour_jitter': 0.3},
    {'gamma_low': 0.7, 'gamma_high': 2.0},
)  # fmt: skip


@pytest.mark.parametrize('look', LOOKS)
def test_looks_change_pixels_and_no_places(look):
    """A dark square on a bright ground stays where it is, and as dark against it."""
    image = np.full((64, 64, 3), (150, 160, 170), np.uint8)
    image[20:40, 24:48] = (60, 50, 40)
    for i in range(20):
        drawn = augment.draw_augmentation(DataConfig(flip_probability=0.0, **look), (i,))
        drawn = dataclasses.replace(drawn, shift_scale=None)
        assert drawn.changes_look
        varied = augment.jitter_colours(image, drawn)
        again = augment.jitter_colours(image, drawn)
        np.testing.assert_array_equal(varied, again)
        assert varied.dtype == np.uint8 and not np.array_equal(varied, image)
        difference = np.abs(varied.astype(float) - varied[2:18].mean((0, 1))).sum(-1)
        inside = difference[22:38, 26:46].mean()
        assert inside > 4 * difference[2:18].mean()


def test_a_tone_curve_keeps_black_and_white_and_deepens_what_is_between():
    greys = np.array([0, 51, 102, 255], np.uint8)
    image = np.broadcast_to(greys[:, None], (8, 4, 3))
    deep = augment.jitter_colours(image, Augmentation(gamma=2.0))
    # 51 is a fifth of 255.
    assert deep[0, :, 0].tolist() == [0, round(255 / 25), round(255 * 4 / 25), 255]
    drawn = [
        augment.draw_augmentation(DataConfig(gamma_low=0.5, gamma_high=2.0), (i,)).gamma
        for i in range(400)
    ]
    assert 0.5 <= min(drawn) < 0.52 and 1.95 < max(drawn) <= 2.0
    # As often darker as brighter: exponents of 1/2 and 2 undo each other.
    assert 0.4 < np.mean(np.array(drawn) > 1.0) < 0.6


def test_sharpness_is_what_a_blur_takes_away():
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, 16:] = 100
    sharper = augment.jitter_colours(image + 50, Augmentation(sharpness=1.0)).astype(int)
    softer = augment.jitter_colours(image + 50, Augmentation(sharpness=-0.5)).astype(int)
    step = image[0, :, 0].astype(int) + 50
    assert (sharper[16, :, 0] - step)[16] > 10 and (sharper[16, :, 0] - step)[15] < -10
    assert (softer[16, :, 0] - step)[16] < -5 and (softer[16, :, 0] - step)[15] > 5
    assert abs(sharper.mean() - step.mean()) < 1


def test_a_run_of_before_draws_what_it_drew_before_looks_were_varied():
    drawn = augment.draw_augmentation(DataConfig(colour_jitter=0.3), (1, 2, 3))
    rng = np.random.default_rng((1, 2, 3))
    flip, _ = rng.random(2)
    rng.random(3)
    brightness, contrast, saturation = 1.0 + 0.3 * rng.uniform(-1.0, 1.0, 3)
    assert drawn.flip == (flip < 0.5)
    assert (drawn.brightness, drawn.contrast, drawn.saturation) == (
        brightness, contrast, saturation
    )  # fmt: skip
    assert (drawn.gamma, drawn.sharpness, drawn.noise, drawn.mixing_seed) == (1.0, 0.0, 0.0, None)
