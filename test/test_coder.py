import dataclasses
import itertools

import numpy as np
import pytest
import torch
from perfect_outputs import labelled_car, perfect_outputs, small_camera, small_model

from smoke_ros import coder
from smoke_ros.config.model import ModelConfig
from smoke_ros.data.targets import Targets, make_targets
from smoke_ros.geometry import NEAR_M
from smoke_ros.preprocess import InputGeometry

KEYPOINTS = ('projected_center', 'center_2d', 'center_3d')
ORIENTATIONS = ('sincos', 'quaternion')


def test_the_papers_channels_are_the_default():
    layout = coder.RegressionLayout.from_config(ModelConfig())
    assert layout == (
        slice(0, 1), slice(1, 3), slice(3, 6), slice(6, 8), None, None, None, None, 8
    )  # fmt: skip


@pytest.mark.parametrize('keypoint', KEYPOINTS)
@pytest.mark.parametrize('orientation', ORIENTATIONS)
def test_channels_of_a_layout_follow_one_another(keypoint, orientation):
    layout = coder.RegressionLayout.from_config(
        ModelConfig(
            keypoint=keypoint, orientation=orientation, corner_points=True, depth_spread=True
        )
    )
    taken = [part for part in layout[:-1] if part is not None]
    assert taken[0].start == 0
    for part, following in itertools.pairwise(taken):
        assert part.stop == following.start
    assert taken[-1].stop == layout.channels


@pytest.mark.parametrize('kind', ORIENTATIONS)
@pytest.mark.parametrize('make', [np.asarray, torch.tensor])
def test_alpha_survives_encoding(kind, make):
    alpha = make([-3.1, -np.pi / 2, -0.4, 0.0, 1.0, 3.1])
    decoded = coder.decode_alpha(coder.encode_alpha(alpha, kind))
    turned = np.asarray(decoded - alpha)
    np.testing.assert_allclose(np.cos(turned), 1.0, atol=1e-6)


def test_a_quaternion_is_a_rotation_about_y_with_w_first():
    # alpha = 0 is a turn of 90 degrees from the ray to the box's side.
    half = np.sqrt(0.5)
    np.testing.assert_allclose(
        coder.encode_alpha(np.array(0.0), 'quaternion'), (half, 0, half, 0), atol=1e-12
    )


def test_the_opposite_quaternion_and_a_tilted_one_have_the_same_heading():
    angle, tilt = 0.7, 0.3
    level = np.array([np.cos(angle / 2), 0.0, np.sin(angle / 2), 0.0])
    # A turn about y after a roll about the box's own length.
    y, x = (np.cos(angle / 2), np.sin(angle / 2)), (np.cos(tilt / 2), np.sin(tilt / 2))
    tilted = np.array([y[0] * x[0], y[0] * x[1], y[1] * x[0], -y[1] * x[1]])
    for quaternion in (level, -level, tilted):
        assert coder.decode_alpha(quaternion) == pytest.approx(angle - np.pi / 2)


def test_sine_and_cosine_of_the_length_one_vector():
    assert coder.decode_alpha(np.array([0.0, 1.0])) == pytest.approx(-np.pi / 2)
    assert coder.decode_alpha(np.array([1.0, 0.0])) == pytest.approx(0.0)


@pytest.mark.parametrize('keypoint', KEYPOINTS)
@pytest.mark.parametrize('orientation', ORIENTATIONS)
@pytest.mark.parametrize('uses_offset', [False, True])
def test_perfect_outputs_decode_to_the_labelled_boxes(keypoint, orientation, uses_offset):
    model = small_model(
        keypoint=keypoint, orientation=orientation, uses_projection_offset=uses_offset
    )
    camera = small_camera(projection_offset=(40.0, 2.0, 0.01))
    geometry = InputGeometry.centred((256, 96), (256, 96))
    objects = [
        labelled_car((2.0, 0.5, 15.0), 1.9, bbox=(130.0, 30.0, 190.0, 60.0)),
        labelled_car((-4.0, 0.7, 12.0), -2.8, name='Cyclist', bbox=(40.0, 30.0, 80.0, 70.0)),
    ]
    targets = Targets.stack([make_targets(objects, camera, geometry, model, max_objects=5)])
    peaks = coder.select_peaks(*perfect_outputs(targets, model), top_k=2).numpy()
    boxes = coder.decode_boxes(
        peaks.regression[0], peaks.class_ids[0], peaks.keypoints_feat[0], model, camera,
        geometry.image_from_feature,
    )  # fmt: skip
    for item in objects:
        i = list(peaks.class_ids[0]).index(model.classes.index(item.class_name))
        np.testing.assert_allclose(boxes.locations[i], item.location, atol=1e-4)
        np.testing.assert_allclose(boxes.dimensions[i], item.dimensions, atol=1e-4)
        assert np.cos(boxes.rotation_y[i] - item.rotation_y) == pytest.approx(1.0)


def test_the_offset_from_the_2d_centre_reaches_outside_the_image():
    model = small_model(keypoint='center_2d')
    camera = small_camera()
    geometry = InputGeometry.centred((256, 96), (256, 96))
    # The centre projects to u = 128 - 200 * 3 / 4 = -22, left of the image.
    car = labelled_car((-3.0, 0.2, 4.0), bbox=(0.0, 10.0, 80.0, 80.0))
    targets = Targets.stack([make_targets([car], camera, geometry, model, max_objects=1)])
    assert targets.keypoints[0, 0].tolist() == [10, 11]
    assert targets.centres_feat[0, 0, 0] == pytest.approx(-22 / 4)
    peaks = coder.select_peaks(*perfect_outputs(targets, model), top_k=1).numpy()
    boxes = coder.decode_boxes(
        peaks.regression[0], peaks.class_ids[0], peaks.keypoints_feat[0], model, camera,
        geometry.image_from_feature,
    )  # fmt: skip
    np.testing.assert_allclose(boxes.locations[0], car.location, atol=1e-5)


def test_gradients_of_decoding():
    torch.manual_seed(1)
    keypoints = torch.rand(3, 2, dtype=torch.float64) * 50
    depth = 5 + torch.rand(3, dtype=torch.float64)
    affine = torch.tensor([[4.0, 0.0, 1.0], [0.0, 4.0, -2.0], [0.0, 0.0, 1.0]]).double()
    K = torch.tensor(small_camera().K)
    offset = torch.rand(3, 3, dtype=torch.float64)
    inputs = (keypoints.requires_grad_(), depth.requires_grad_())
    assert torch.autograd.gradcheck(
        lambda points, z: coder.decode_location(points, z, affine, K, offset), inputs
    )
    for channels in coder.ORIENTATION_CHANNELS.values():
        vector = torch.randn(4, channels, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(
            lambda v: coder.decode_alpha(torch.nn.functional.normalize(v, dim=1)), vector
        )
    reference = torch.tensor([[3.9, 1.6, 1.5]]).double()
    sizes = torch.rand(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda o: coder.decode_dimensions(o, reference), sizes)


def test_a_stored_model_without_the_new_options_is_the_papers():
    from smoke_ros.config.options import from_mapping

    old = {name: value for name, value in dataclasses.asdict(ModelConfig()).items()
           if name not in ('keypoint', 'orientation')}  # fmt: skip
    model = from_mapping(ModelConfig, old, 'a checkpoint')
    assert (model.keypoint, model.orientation) == ('projected_center', 'sincos')


def test_without_a_tolerance_a_score_is_the_heatmaps():
    regression, depth = np.zeros((2, 8)), np.array([10.0, 60.0])
    assert coder.decode_certainty(regression, depth, ModelConfig()).tolist() == [1.0, 1.0]


@pytest.mark.parametrize('make', [np.asarray, torch.tensor])
def test_certainty_is_how_likely_a_depth_is_right(make):
    model = ModelConfig(depth_spread=True, score_tolerance=2.0)
    regression = np.zeros((4, 9))
    # Off by 5% in the mean: by 1 m at 20 m, by 2 m at 40 m; and by 20%.
    regression[:, 8] = np.log([0.05, 0.05, 0.2, 0.05])
    depth = make([20.0, 40.0, 20.0, -3.0])
    found = np.asarray(coder.decode_certainty(make(regression), depth, model))
    # What is behind the camera is no detection, but must not disturb the others.
    expected = 1 - np.exp([-2.0 / 1.0, -2.0 / 2.0, -2.0 / 4.0, -2.0 / (0.05 * NEAR_M)])
    np.testing.assert_allclose(found, expected)
    # As often as errors of that distribution are smaller.
    errors = np.random.default_rng(0).laplace(0.0, 0.05 * 40.0, 100_000)
    assert (np.abs(errors) < 2.0).mean() == pytest.approx(found[1], abs=0.005)


def test_a_model_that_regresses_no_spread_has_a_typical_error():
    model = ModelConfig(score_tolerance=2.0, depth_error=0.1)
    found = coder.decode_certainty(np.zeros((1, 8)), np.array([20.0]), model)
    np.testing.assert_allclose(found, 1 - np.exp(-1.0))
