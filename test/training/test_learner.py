import copy
import dataclasses

import pytest
import torch
from tiny_smoke import MODEL, make_network, make_run

from smoke_ros.config.model import ModelConfig
from smoke_ros.data.dataset import KittiDataset, collate
from smoke_ros.losses import LossTerms, SmokeLoss
from smoke_ros.network.smoke import build_network
from smoke_ros.training.depthwise import TrainedDepthwiseConv2d
from smoke_ros.training.learner import Learner, NonFiniteLossError, scale_regression
from smoke_ros.training.processes import Processes

ALONE = Processes(torch.device('cpu'))


@pytest.fixture(scope='module')
def samples(frames):
    run = make_run(frames)
    dataset = KittiDataset(run.data, MODEL, training=False)
    return [dataset[i] for i in range(len(dataset))]


def make_learner(frames, network=None, **options) -> Learner:
    run = make_run(frames, **options)
    return Learner(network or make_network(), SmokeLoss(MODEL, run.loss), run.training, ALONE)


def parameters(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in learner.network.named_parameters()}


def test_losses_fall(frames, samples):
    learner = make_learner(frames, learning_rate=2e-3)
    totals = [learner.step([collate(samples)], 0).losses['total'] for _ in range(10)]
    assert totals[-1] < 0.7 * totals[0]


def test_running_mean_follows_by_the_steps_number(frames, samples):
    learner = make_learner(frames, ema_decay=0.999)
    before = [parameter.clone() for parameter in learner.model_network.parameters()]
    learner.step([collate(samples)], 100)  # a decay of 101 / 110
    pairs = zip(learner.model_network.parameters(), learner.network.parameters(), strict=True)
    for old, (mean, now) in zip(before, pairs, strict=True):
        torch.testing.assert_close(mean, (101 * old + 9 * now) / 110)


def test_report_names_the_parts_of_the_loss(frames, samples):
    report = make_learner(frames).step([collate(samples)], 0)
    parts = {name: value for name, value in report.losses.items() if name != 'total'}
    assert set(parts) == {'heatmap', 'orientation', 'dimensions', 'location'}
    assert report.losses['total'] == pytest.approx(sum(parts.values()), rel=1e-6)
    assert report.learning_rate == 2.5e-4


def test_passes_add_up_to_the_whole_batch(frames, samples):
    """Also where passes have different numbers of objects: 3 and 3 of 6, or 5 and 1."""
    whole = make_learner(frames)
    divided = make_learner(frames, accumulate=2)
    for order in ((0, 1, 2, 3), (0, 2, 1, 3)):
        ordered = [samples[i] for i in order]
        expected = whole.step([collate(ordered)], 0)
        found = divided.step([collate(ordered[:2]), collate(ordered[2:])], 0)
        assert found.losses == pytest.approx(expected.losses, rel=1e-5)
        assert found.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-4)


def test_regression_counts_as_in_batches_of_the_authors():
    terms = LossTerms({'heatmap': torch.tensor(2.0), 'location': torch.tensor(3.0)})
    config = make_run('', batch_size=32).training
    scaled = scale_regression(terms, config).parts
    assert scaled['heatmap'] == 2.0
    assert scaled['location'] == pytest.approx(3.0 * 8 / 32)


def test_batch_size_does_not_change_the_loss_of_an_image(frames, samples):
    once = make_learner(frames, batch_size=4).step([collate(samples)], 0)
    twice = make_learner(frames, batch_size=8).step([collate(samples + samples)], 0)
    assert twice.losses == pytest.approx(once.losses, rel=1e-5)


@pytest.mark.parametrize(('precision', 'tolerance'), [('bfloat16', 0.02), ('float16', 0.002)])
def test_mixed_precision_has_nearly_the_same_loss_and_learns(
    frames, samples, precision, tolerance
):
    exact = make_learner(frames)
    mixed = make_learner(frames, precision=precision, learning_rate=2e-3)
    expected = exact.step([collate(samples)], 0).losses
    losses = [mixed.step([collate(samples)], 0).losses for _ in range(8)]
    assert losses[0] == pytest.approx(expected, rel=tolerance)
    assert min(step['total'] for step in losses) < 0.95 * losses[0]['total']
    assert all(p.dtype == torch.float32 for p in mixed.network.parameters())


def test_float16_scales_the_loss_and_bfloat16_does_not(frames):
    assert make_learner(frames, precision='float16').state()['scaler']['scale'] > 1.0
    assert not make_learner(frames, precision='bfloat16').state()['scaler']


def test_memory_format_does_not_change_what_is_learnt(frames, samples):
    last = make_learner(frames, channels_last=True).step([collate(samples)], 0)
    first = make_learner(frames, channels_last=False).step([collate(samples)], 0)
    assert last.losses == pytest.approx(first.losses, rel=1e-5)


def test_gradient_is_clipped(frames, samples):
    network = make_network()
    learner = make_learner(frames, network, gradient_clip=0.5)
    report = learner.step([collate(samples)], 0)
    norms = [p.grad.norm() for p in network.parameters() if p.grad is not None]
    assert report.gradient_norm > 1.0
    assert torch.stack(norms).norm().item() == pytest.approx(0.5, rel=1e-3)


def test_frozen_parameters_stay(frames, samples):
    network = make_network()
    network.backbone.requires_grad_(False)
    learner = make_learner(frames, network)
    before = parameters(learner)
    learner.step([collate(samples)], 0)
    after = parameters(learner)
    changed = {name.split('.')[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {'neck', 'heads'}


@pytest.mark.parametrize('precision', ['float32', 'float16'])
def test_loss_that_is_not_finite_changes_nothing(frames, samples, precision):
    learner = make_learner(frames, precision=precision, ema_decay=0.9)
    before = parameters(learner)
    batch = collate(samples)
    batch.targets.locations[0, 0, 2] = float('nan')
    with pytest.raises(NonFiniteLossError, match=r'the loss is nan \(heatmap \d.*location nan'):
        learner.step([batch], 0)
    after = parameters(learner)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_gradient_that_is_not_finite_changes_nothing(frames, samples):
    network = make_network()
    network.heads.heatmap[3].bias.register_hook(lambda gradient: gradient * float('inf'))
    learner = make_learner(frames, network)
    before = parameters(learner)
    with pytest.raises(NonFiniteLossError, match="gradient's norm is inf"):
        learner.step([collate(samples)], 0)
    after = parameters(learner)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_images_without_objects_teach_the_heatmap(frames, samples):
    empty = dataclasses.replace(
        samples[0],
        targets=dataclasses.replace(
            samples[0].targets,
            heatmap=torch.zeros_like(samples[0].targets.heatmap),
            regressed=torch.zeros_like(samples[0].targets.regressed),
        ),
    )
    report = make_learner(frames).step([collate([empty])], 0)
    assert report.losses['heatmap'] > 0.0
    assert report.losses['location'] == 0.0


def test_running_mean_is_the_model(frames, samples):
    learner = make_learner(frames, ema_decay=0.999)
    assert learner.model_network is not learner.network
    learner.step([collate(samples)], 100)
    for mean, current in zip(
        learner.model_network.parameters(), learner.network.parameters(), strict=True
    ):
        assert not torch.equal(mean, current) or torch.all(current == 0)
    assert make_learner(frames).model_network is not learner.network


def test_a_step_with_quick_depthwise_layers_is_a_plain_one(frames, samples, monkeypatch):
    batch = collate(samples)
    model = ModelConfig(
        architecture='efficientnet_lite0', norm='bn', neck_blocks=1, classes=MODEL.classes,
        dimension_reference=MODEL.dimension_reference, depth_reference=MODEL.depth_reference,
        input_width=MODEL.input_width, input_height=MODEL.input_height,
    )  # fmt: skip
    torch.manual_seed(0)
    network = build_network(model)
    quick = make_learner(frames, copy.deepcopy(network))
    monkeypatch.setattr('smoke_ros.training.learner.train_depthwise_quickly', lambda _: 0)
    plain = make_learner(frames, network)
    kinds = [type(layer) for layer in quick.network.modules()]
    assert kinds.count(TrainedDepthwiseConv2d) == 19
    assert TrainedDepthwiseConv2d not in [type(layer) for layer in plain.network.modules()]
    reports = [learner.step([batch], 0) for learner in (quick, plain)]
    assert reports[0].losses == pytest.approx(reports[1].losses, rel=1e-4)
    assert reports[0].gradient_norm == pytest.approx(reports[1].gradient_norm, rel=1e-3)
    for (name, found), known in zip(
        quick.network.named_parameters(), plain.network.parameters(), strict=True
    ):
        gap = (found.grad - known.grad).norm()
        assert gap <= 1e-3 * known.grad.norm() + 1e-6, name
