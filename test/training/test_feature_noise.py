import dataclasses

import pytest
import torch
from test_freezing import batch_of, learner_of, light_network, light_run

from smoke_ros.training.feature_noise import FeatureNoise, change_looks
from smoke_ros.training.freezing import set_training_mode


@pytest.fixture(scope='module')
def maps():
    return torch.rand(4000, 3, 4, 5, generator=torch.Generator().manual_seed(0)) + 0.5


def looks(features):
    mean = features.mean((2, 3), keepdim=True)
    return mean[..., 0, 0], features - mean


def test_means_and_contrasts_of_half_of_the_images_change(maps):
    changed = change_looks(maps, 0.4, torch.Generator().manual_seed(1))
    assert changed.shape == maps.shape
    same = (changed - maps).abs().amax((1, 2, 3)) < 1e-5
    assert same.double().mean() == pytest.approx(0.5, abs=0.03)
    (mean, deviations), (new_mean, new_deviations) = looks(maps), looks(changed)
    on_mean = (new_mean / mean)[~same]
    assert on_mean.mean() == pytest.approx(1.0, abs=0.02)
    assert on_mean.std() == pytest.approx(0.4, abs=0.02)
    # Where things are does not change: each channel's deviations have one factor.
    ratios = (new_deviations / deviations)[~same].flatten(2)
    on_deviation = ratios.median(2).values
    torch.testing.assert_close(
        new_deviations[~same], on_deviation[..., None, None] * deviations[~same],
        rtol=1e-3, atol=1e-4,
    )  # fmt: skip
    assert on_deviation.std() == pytest.approx(0.4, abs=0.02)
    # Of each other they do not depend, nor do channels.
    pairs = torch.stack((on_mean.flatten(), on_deviation.flatten()))
    assert abs(torch.corrcoef(pairs)[0, 1]) < 0.05
    assert torch.corrcoef(on_mean.T)[~torch.eye(3, dtype=torch.bool)].abs().max() < 0.06


def test_type_and_order_in_memory_stay():
    maps = torch.rand(4, 8, 6, 6).bfloat16().contiguous(memory_format=torch.channels_last)
    changed = change_looks(maps, 0.4, torch.Generator())
    assert changed.dtype == torch.bfloat16
    assert changed.is_contiguous(memory_format=torch.channels_last)


def test_there_is_noise_in_training_only(frames):
    run = light_run(frames)
    network, images = light_network(run), batch_of(run).images
    FeatureNoise(network, 0.5, 0, torch.device('cpu'))
    network.eval()
    with torch.no_grad():
        first, second = network(images)[0], network(images)[0]
        assert torch.equal(first, second)
        set_training_mode(network, freeze_norm=True)
        noisy = [network.backbone(images)[-1] for _ in range(2)]
    assert not torch.equal(*noisy)


def test_stages_behind_the_first_three_have_none(frames):
    network = light_network(light_run(frames))
    FeatureNoise(network, 0.5, 0, torch.device('cpu'))
    hooked = [bool(stage[-1]._forward_hooks) for stage in network.backbone.stages()]
    assert hooked == [True] * 3 + [False] * 5


def test_a_learner_learns_with_noise_and_its_running_mean_is_without(frames):
    run = light_run(frames, feature_noise=0.5, ema_decay=0.5, learning_rate=1e-3)
    batch = batch_of(run)
    noisy = learner_of(run, light_network(run))
    first = noisy.step([batch], 0).losses['total']
    plain_run = light_run(frames, ema_decay=0.5, learning_rate=1e-3)
    plain = learner_of(plain_run, light_network(plain_run))
    assert first != plain.step([batch], 0).losses['total']
    with torch.no_grad():
        answers = [noisy.model_network(batch.images)[0] for _ in range(2)]
    assert torch.equal(*answers)


def test_noise_is_the_steps_whatever_came_before(frames):
    run = light_run(frames, feature_noise=0.5, learning_rate=0.0, freeze_norm=True)
    batch = batch_of(run)

    def losses(iterations, seed=0):
        training = dataclasses.replace(run.training, seed=seed)
        learner = learner_of(dataclasses.replace(run, training=training), light_network(run))
        return [learner.step([batch], i).losses['total'] for i in iterations]

    torch.manual_seed(9)
    through = losses((0, 1, 2))
    assert len(set(through)) == 3
    assert losses((2,)) == through[2:]
    assert losses((2,), seed=1) != through[2:]
