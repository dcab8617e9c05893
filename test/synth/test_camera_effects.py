import dataclasses

import cv2
import numpy as np
import pytest

from smoke_ros.config.synth import SynthConfig
from smoke_ros.synth.camera_effects import (
    BEST_QUALITY,
    Look,
    compress,
    develop,
    draw_look,
    tone_curve,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def grey(value, height=60, width=80):
    return np.full((height, width, 3), value, np.float32)


def test_exposure_makes_any_light_the_same_picture():
    pictures = [develop(grey(value), Look(exposure=0.2), rng()) for value in (0.01, 0.3, 7.0)]
    # sRGB of 0.2.
    assert all((picture == 124).all() for picture in pictures)


def test_red_light_is_the_last_channel():
    light = grey(0.1)
    light[..., 0] = 0.8
    picture = develop(light, Look(exposure=0.2), rng())
    assert picture.dtype == np.uint8
    assert picture[0, 0, 2] > 2 * picture[0, 0, 0]


def test_tone_curve_is_srgb_and_rises():
    table = tone_curve(Look())
    assert table[0] == 0 and table[-1] == 255
    assert (np.diff(table.astype(int)) >= 0).all()
    assert table[round(0.2140 * 4095)] == pytest.approx(127.5, abs=1)


def test_contrast_darkens_the_dark_and_lightens_the_light():
    plain, curved = (tone_curve(Look(contrast=c)).astype(int) for c in (0.0, 0.6))
    assert curved[200] < plain[200] and curved[3000] > plain[3000]


def test_noise_is_of_its_strength_and_of_its_seed():
    look = Look(exposure=0.2, read_noise=0.01)
    a, b, c = (develop(grey(1.0), look, rng(seed)) for seed in (1, 1, 2))
    assert (a == b).all() and (a != c).any()
    # The slope of sRGB at 0.2 is about 1.08 of full scale.
    assert a.astype(float).std() == pytest.approx(0.01 * 255 * 1.08, rel=0.15)


def test_motion_blur_smears_along_its_direction_only():
    light = grey(0.05, 101, 1242)
    light[48:53, 618:623] = 1.0
    sharp = develop(light, Look(), rng()).astype(float)[..., 0]
    smeared = develop(light, Look(motion_px=9.0), rng()).astype(float)[..., 0]
    assert (smeared[50] > smeared[0, 0] + 2).sum() > (sharp[50] > sharp[0, 0] + 2).sum() + 5
    assert abs((smeared[:, 620] > smeared[0, 0] + 2).sum() - 5) <= 2


def test_vignetting_darkens_the_corners_only():
    picture = develop(grey(1.0), Look(exposure=0.3, vignetting=0.4), rng()).astype(int)
    assert picture[30, 40, 0] > picture[0, 0, 0] + 20


def test_bloom_lights_what_is_around_the_sun():
    light = grey(0.05, 100, 200)
    light[40:50, 90:100] = 50.0
    plain, glowing = (develop(light, Look(bloom=b), rng()).astype(int) for b in (0.0, 0.2))
    assert glowing[45, 104, 0] > plain[45, 104, 0] + 10


def test_no_effects_no_randomness():
    looks = [draw_look(SynthConfig(effects=0.0), rng(seed)) for seed in (1, 2)]
    assert dataclasses.replace(looks[0], motion_angle=0.0) == dataclasses.replace(
        looks[1], motion_angle=0.0
    )
    assert looks[0].quality == BEST_QUALITY


def test_drawn_looks_stay_within_reason():
    for seed in range(200):
        look = draw_look(SynthConfig(), rng(seed))
        assert 0.015 < look.exposure < 0.4
        assert 40 <= look.quality <= 97
        assert 0.0 <= look.saturation < 2.0
        assert (np.diff(tone_curve(look).astype(int)) >= 0).all()


def test_lower_quality_makes_smaller_files():
    image = rng().integers(0, 255, (64, 64, 3), np.uint8)
    small, large = compress(image, 40), compress(image, 95)
    assert len(small) < len(large)
    assert cv2.imdecode(np.frombuffer(large, np.uint8), cv2.IMREAD_COLOR).shape == image.shape
