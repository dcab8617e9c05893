"""The heading's own loss, and why there is one: minima of the distance of corners."""

import math

import pytest
import torch
from perfect_outputs import labelled_car, perfect_outputs, small_camera, small_model

from smoke_ros import coder
from smoke_ros.config.loss import LossConfig
from smoke_ros.data.targets import Targets, make_targets
from smoke_ros.losses import SmokeLoss
from smoke_ros.preprocess import InputGeometry


def turned_outputs(orientation: str, error_rad: float, rotation_y: float = math.pi / 2):
    """Return outputs for a car straight ahead, right but for its heading, and their targets."""
    model = small_model(orientation=orientation)
    geometry = InputGeometry.centred((256, 96), (256, 96))
    car = labelled_car((0.0, 0.0, 15.0), rotation_y, dimensions=(4.2, 1.5, 1.6))
    target = make_targets([car], small_camera(), geometry, model, max_objects=1)
    targets = Targets.stack([target])
    heatmap, regression = perfect_outputs(targets, model)
    x, y = targets.keypoints[0, 0].tolist()
    channels = coder.RegressionLayout.from_config(model).orientation
    alpha = torch.tensor(rotation_y + error_rad, dtype=regression.dtype)  # the ray is ahead
    regression[0, channels, y, x] = coder.encode_alpha(alpha, orientation)
    return model, heatmap, regression, targets


def parts_of(config: LossConfig, orientation: str, error_deg: float):
    model, *outputs = turned_outputs(orientation, math.radians(error_deg))
    return SmokeLoss(model, config)(*outputs).parts


@pytest.mark.parametrize('orientation', ['sincos', 'quaternion'])
@pytest.mark.parametrize('kind', ['disentangled', 'l1', 'smooth_l1'])
@pytest.mark.parametrize(
    ('error_deg', 'expected'), [(0, 0.0), (90, math.pi / 2), (-60, math.pi / 3)]
)
def test_the_error_in_radians(orientation, kind, error_deg, expected):
    config = LossConfig(heading_weight=10.0, regression=kind)
    parts = parts_of(config, orientation, error_deg)
    assert float(parts['heading']) == pytest.approx(10.0 * expected / 300.0, abs=1e-6)


@pytest.mark.parametrize('error_deg', [0, 20, 60, 180])
def test_far_above_the_scale_errors_count_by_their_logarithm_too(error_deg):
    config = LossConfig(heading_weight=10.0, heading_scale=0.3)
    error = math.radians(error_deg)
    expected = 10.0 * (error / 2 + 0.3 * math.log(1 + error / 0.3)) / 300.0
    assert float(parts_of(config, 'sincos', error_deg)['heading']) == pytest.approx(
        expected, abs=1e-6
    )


@pytest.mark.parametrize(('scale', 'is_decided'), [(0.0, False), (0.3, True)])
def test_between_two_headings_none_is_learnt_but_where_there_is_no_scale(scale, is_decided):
    """A car seen from its side, towards or away: half the samples say 60 degrees more."""
    config = LossConfig(heading_weight=10.0, heading_scale=scale)
    sums = [
        sum(float(parts_of(config, 'sincos', guess - truth)['heading']) for truth in (0, 60))
        for guess in (0, 30, 60)
    ]
    assert sums[0] == pytest.approx(sums[2])
    assert (sums[1] > 1.1 * sums[0]) == is_decided


def test_the_authors_have_none():
    assert 'heading' not in parts_of(LossConfig(), 'sincos', 30)


@pytest.mark.parametrize(('weight', 'scale'), [(10.0, 0.0), (20.0, 0.3)])
def test_leads_out_of_the_minimum_that_corners_have(weight, scale):
    """Of a long car along an axis: seen from 180 degrees, the nearest minimum is at 138, not 0."""
    errors = range(100, 181)
    config = LossConfig(heading_weight=weight, heading_scale=scale)
    parts = [parts_of(config, 'sincos', error) for error in errors]
    corners = [float(part['orientation']) for part in parts]
    both = [float(part['orientation'] + part['heading']) for part in parts]
    minima = [errors[i] for i in range(1, 80) if corners[i] < min(corners[i - 1], corners[i + 1])]
    assert minima == [pytest.approx(math.degrees(2 * math.atan(4.2 / 1.6)), abs=1)]
    assert both == sorted(both)
