import dataclasses

import pytest
import torch
from tiny_smoke import make_job, make_network, make_run
from torch import nn

from smoke_ros.config.model import ModelConfig
from smoke_ros.config.training import TrainingConfig
from smoke_ros.data.dataset import KittiDataset, collate
from smoke_ros.losses import SmokeLoss
from smoke_ros.network.smoke import build_network
from smoke_ros.training.freezing import freeze, freeze_stages, set_training_mode
from smoke_ros.training.learner import Learner
from smoke_ros.training.loop import run_job
from smoke_ros.training.optimiser import make_optimiser
from smoke_ros.training.processes import Processes
from smoke_ros.training.validation import validate

ALONE = Processes(torch.device('cpu'))
LIGHT = {
    'architecture': 'efficientnet_lite0', 'norm': 'bn', 'neck_channels': 16, 'head_channels': 16,
}  # fmt: skip


def light_run(frames, **training):
    run = make_run(frames, **training)
    return dataclasses.replace(run, model=dataclasses.replace(run.model, **LIGHT))


def light_network(run, stages: int = 0):
    torch.manual_seed(0)
    network = build_network(run.model)
    freeze_stages(network, stages)
    return network


def learner_of(run, network) -> Learner:
    return Learner(network, SmokeLoss(run.model, run.loss), run.training, ALONE)


def batch_of(run):
    dataset = KittiDataset(run.data, run.model, training=False)
    return collate([dataset[i] for i in range(len(dataset))])


def snapshot(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def changed_since(before: dict[str, torch.Tensor], network: nn.Module) -> set[str]:
    return {name for name, t in network.state_dict().items() if not torch.equal(t, before[name])}


def test_frozen_parameters_are_left_out():
    layer = make_network()
    count = freeze(layer, ('backbone.', 'neck.0.'))
    frozen = [name for name, p in layer.named_parameters() if not p.requires_grad]
    assert len(frozen) == count == 6
    assert all(name.startswith(('backbone.', 'neck.0.')) for name in frozen)
    optimiser = make_optimiser(layer, TrainingConfig())
    assert sum(len(group['params']) for group in optimiser.param_groups) == (
        len(list(layer.parameters())) - 6
    )


def test_freezing_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"no parameter begins with 'trunk'.*backbone\.0"):
        freeze(make_network(), ('trunk',))


@pytest.mark.parametrize('architecture', ['dla34', 'efficientnet_lite0'])
def test_stages_of_each_trunk_freeze_from_the_image_on(architecture):
    model = ModelConfig(
        architecture=architecture, norm='bn', head_channels=16, input_width=64, input_height=64
    )
    network = build_network(model)
    stages = network.backbone.stages()
    freeze_stages(network, 2)
    frozen = {id(p) for p in network.parameters() if not p.requires_grad}
    first = [p for stage in stages[:2] for layer in stage for p in layer.parameters()]
    assert frozen == {id(p) for p in first}
    every = {id(p) for stage in stages for layer in stage for p in layer.parameters()}
    assert every == {id(p) for p in network.backbone.parameters()}


def test_more_stages_than_there_are_is_refused():
    network = build_network(ModelConfig(**LIGHT, input_width=64, input_height=64))
    with pytest.raises(ValueError, match='freeze_stages must be at most 8, got 9'):
        freeze_stages(network, 9)


def test_frozen_stages_keep_weights_and_statistics(frames):
    run = light_run(frames)
    network = light_network(run, stages=3)
    learner = learner_of(run, network)
    before = snapshot(network)
    learner.step([batch_of(run)], 0)
    changed = changed_since(before, network)
    frozen = ('backbone.stem.', 'backbone.blocks.0.', 'backbone.blocks.1.', 'backbone.blocks.2.')
    assert not [name for name in changed if name.startswith(frozen)]
    assert 'backbone.blocks.3.expand.0.weight' in changed
    assert 'backbone.blocks.3.expand.1.running_mean' in changed


def test_frozen_norm_keeps_the_trunks_statistics_and_learns_its_scales(frames):
    run = light_run(frames, freeze_norm=True)
    network = light_network(run)
    learner = learner_of(run, network)
    before = snapshot(network)
    learner.step([batch_of(run)], 0)
    changed = changed_since(before, network)
    statistics = {name for name in changed if 'running_' in name or 'num_batches' in name}
    assert statistics
    assert not [name for name in statistics if name.startswith('backbone.')]
    assert 'backbone.blocks.5.expand.1.weight' in changed


def test_validation_leaves_frozen_statistics_frozen(frames):
    run = light_run(frames, freeze_norm=True)
    network = light_network(run)
    learner = learner_of(run, network)
    modes = [layer.training for layer in network.modules()]
    assert {True, False} == set(modes)
    validate(learner.model_network, run, KittiDataset(run.data, run.model, training=False), ALONE)
    assert [layer.training for layer in network.modules()] == modes


def test_frozen_layers_stay_after_resuming(frames, tmp_path):
    """Two steps in one go equal one step, and one more after a restart."""
    options = {'freeze_norm': True, 'freeze_stages': 3, 'iterations': 2, 'checkpoint_every': 1}

    def job(**more):
        made = make_job(frames, **options, **more)
        run = light_run(frames, **options, **more)
        dataset = KittiDataset(run.data, run.model, training=True)
        network = light_network(run, run.training.freeze_stages)
        return dataclasses.replace(made, run=run, network=network, training=dataset)

    whole = job()
    start = snapshot(whole.network)
    run_job(whole, tmp_path / 'whole', ALONE)
    changed = changed_since(start, whole.network)
    assert changed
    assert not [n for n in changed if n.startswith(('backbone.stem.', 'backbone.blocks.0.'))]
    assert not [n for n in changed if n.startswith('backbone.') and 'running_' in n]

    first = job()
    first = dataclasses.replace(
        first,
        run=dataclasses.replace(
            first.run, training=dataclasses.replace(first.run.training, iterations=1, drops=())
        ),
    )
    run_job(first, tmp_path / 'parts', ALONE)
    second = job()
    run_job(second, tmp_path / 'parts', ALONE, resume=True)
    assert changed_since(snapshot(whole.network), second.network) == set()


def test_mode_of_a_network_without_frozen_layers_is_training():
    network = make_network()
    set_training_mode(network.eval(), freeze_norm=False)
    assert all(layer.training for layer in network.modules())
