"""The light architecture: EfficientNet-Lite0, a feature pyramid, SMOKE's heads."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from smoke_ros.checkpoint import load_checkpoint, save_checkpoint
from smoke_ros.config.model import ModelConfig
from smoke_ros.models import load_model
from smoke_ros.network.efficientnet_lite import EfficientNetLite0
from smoke_ros.network.fpn import FpnNeck
from smoke_ros.network.smoke import build_network


def light_model(**options) -> ModelConfig:
    defaults = {
        'architecture': 'efficientnet_lite0', 'norm': 'bn', 'head_channels': 128,
        'input_width': 736, 'input_height': 224,
    }  # fmt: skip
    return ModelConfig(**{**defaults, **options})


def settle(network: nn.Module) -> None:
    """Give BatchNorm statistics and scales that are not those of a fresh layer."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.1, 0.1)
            layer.running_var.uniform_(0.5, 1.5)


def test_features_have_strides_4_to_32():
    features = EfficientNetLite0().eval()(torch.zeros(1, 3, 64, 96))
    assert [tuple(f.shape[1:]) for f in features] == [
        (24, 16, 24), (40, 8, 12), (112, 4, 6), (320, 2, 3),
    ]  # fmt: skip
    assert EfficientNetLite0.out_channels == (24, 40, 112, 320)


def test_trunk_is_the_papers():
    """4.65 M parameters, of which the classifier, which we leave out, has 1.69 M."""
    trunk = EfficientNetLite0()
    count = sum(p.numel() for p in trunk.parameters())
    classifier = 320 * 1280 + 2 * 1280 + 1280 * 1000 + 1000
    assert count == 4_652_008 - classifier
    assert len(trunk.blocks) == 16


def test_stages_hold_every_layer_once():
    trunk = EfficientNetLite0()
    stages = trunk.stages()
    assert len(stages) == 8
    assert stages[0] == [trunk.stem]
    assert [block for stage in stages[1:] for block in stage] == list(trunk.blocks)
    assert len(stages[2]) == 2


def test_network_is_light():
    model = light_model()
    network = build_network(model).eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        heatmap, regression = network(torch.zeros(1, 3, model.input_height, model.input_width))
    assert heatmap.shape == (1, 3, model.feature_height, model.feature_width)
    assert regression.shape == (1, 8, model.feature_height, model.feature_width)
    assert sum(p.numel() for p in network.parameters()) < 6e6
    assert 1e9 < counter.get_total_flops() < 8e9


def test_every_feature_reaches_the_necks_output():
    neck = FpnNeck((4, 8, 16), 16, 'bn').eval()
    shapes = ((4, 8, 8), (8, 4, 4), (16, 2, 2))
    features = [torch.rand(1, *shape, requires_grad=True) for shape in shapes]
    out = neck(features)
    assert out.shape == (1, 16, 8, 8)
    out.sum().backward()
    assert all(feature.grad.abs().sum() > 0 for feature in features)


def changed_by_a_mark(neck, feature, row, column):
    """Return rows and columns of the neck's output that one place of a feature reaches."""
    features = [torch.rand(1, 4, 16, 16), torch.rand(1, 4, 8, 8)]
    marked = [each.clone() for each in features]
    marked[feature][0, :, row, column] += 10.0
    with torch.no_grad():
        changed = (neck(marked) - neck(features)).abs().sum(1)[0] > 0
    return changed.nonzero(as_tuple=True)


def test_a_feature_keeps_its_place_through_the_neck():
    """A mark in the coarse map changes the fine pixels that it covers, and their neighbours."""
    neck = FpnNeck((4, 4), 16, 'bn').eval()
    rows, columns = changed_by_a_mark(neck, feature=1, row=2, column=5)
    assert (rows.min(), rows.max()) == (3, 6)
    assert (columns.min(), columns.max()) == (9, 12)


@pytest.mark.parametrize('norm', ['bn', 'gn'])
def test_fresh_wide_blocks_change_nothing(norm):
    torch.manual_seed(0)
    plain = FpnNeck((4, 4), 16, norm).eval()
    wide = FpnNeck((4, 4), 16, norm, blocks=2).eval()
    missing, unexpected = wide.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    assert missing and all(name.startswith('blocks.') for name in missing)
    features = [torch.rand(1, 4, 16, 16), torch.rand(1, 4, 8, 8)]
    with torch.no_grad():
        assert torch.equal(wide(features), plain(features))


def test_a_wide_block_looks_three_places_far():
    neck = FpnNeck((4, 4), 16, 'bn', blocks=1).eval()
    torch.nn.init.ones_(neck.blocks[0][0].layers[-1].weight)
    rows, columns = changed_by_a_mark(neck, feature=0, row=7, column=8)
    assert (rows.min(), rows.max()) == (7 - 1 - 3, 7 + 1 + 3)
    assert (columns.min(), columns.max()) == (8 - 1 - 3, 8 + 1 + 3)


@pytest.mark.parametrize('norm', ['bn', 'gn'])
def test_checkpoint_round_trip(tmp_path, norm):
    model = light_model(
        norm=norm,
        neck_channels=32,
        neck_blocks=1,
        head_channels=64,
        input_width=64,
        input_height=64,
    )
    torch.manual_seed(0)
    network = build_network(model).eval()
    settle(network)
    save_checkpoint(tmp_path / 'light.pth', network, model)
    assert load_checkpoint(tmp_path / 'light.pth').model == model
    loaded = load_model(tmp_path / 'light.pth')
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for found, expected in zip(loaded.network.eval()(image), network(image), strict=True):
            assert torch.equal(found, expected)


def test_batch_equals_single_images():
    torch.manual_seed(0)
    network = build_network(light_model(input_width=64, input_height=64)).eval()
    settle(network)
    images = torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        together = network.neck(network.backbone(images))
        for i in range(3):
            alone = network.neck(network.backbone(images[i : i + 1]))
            torch.testing.assert_close(alone[0], together[i], atol=1e-5, rtol=1e-4)


def test_widths_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match='neck_channels of dla34 must be 64, got 32'):
        ModelConfig(neck_channels=32)
    with pytest.raises(ValueError, match='neck_blocks of dla34 must be 0, got 1'):
        ModelConfig(neck_blocks=1)
    with pytest.raises(ValueError, match='head_channels must be a multiple of 16, got 100'):
        light_model(head_channels=100)
    with pytest.raises(ValueError, match=r"architecture must be one of .*'efficientnet_lite0'"):
        ModelConfig(architecture='resnet18')
