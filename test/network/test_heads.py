import copy

import numpy as np
import pytest
import torch
from perfect_outputs import labelled_car, small_camera, small_model
from torch import nn

from smoke_ros.checkpoint import save_checkpoint
from smoke_ros.coder import RegressionLayout
from smoke_ros.config.model import ModelConfig
from smoke_ros.data.targets import Targets, make_targets
from smoke_ros.detector import Detector
from smoke_ros.losses import SmokeLoss
from smoke_ros.network.heads import HEATMAP_MARGIN, SmokeHeads
from smoke_ros.network.layers import ExactGroupNorm
from smoke_ros.network.smoke import build_network
from smoke_ros.preprocess import InputGeometry


def make_heads(model=None, **options):
    model = model or small_model()
    torch.manual_seed(0)
    return SmokeHeads(
        8, 3, RegressionLayout.from_config(model), model.norm, hidden_channels=32, **options
    )


def test_a_fresh_heatmap_says_a_tenth():
    heatmap, regression = make_heads()(torch.zeros(2, 8, 6, 10))
    assert heatmap.shape == (2, 3, 6, 10)
    torch.testing.assert_close(heatmap, torch.full_like(heatmap, 0.1), rtol=1e-2, atol=0)
    assert regression.shape == (2, 8, 6, 10)


def test_fresh_depths_are_taken_to_be_off_by_a_tenth():
    model = small_model(depth_spread=True)
    channel = RegressionLayout.from_config(model).depth_spread
    _, regression = make_heads(model)(torch.zeros(1, 8, 6, 10))
    np.testing.assert_allclose(regression[:, channel].exp().detach(), 0.1, rtol=0.05)
    assert regression[:, : channel.start].detach().abs().max() <= 1.0


@pytest.mark.parametrize('orientation', ['sincos', 'quaternion'])
@pytest.mark.parametrize('keypoint', ['projected_center', 'center_2d', 'center_3d'])
def test_activations_by_layout(orientation, keypoint):
    model = small_model(orientation=orientation, keypoint=keypoint)
    layout = RegressionLayout.from_config(model)
    heatmap, regression = make_heads(model)(100 * torch.randn(1, 8, 6, 10))
    assert regression.shape[1] == layout.channels
    assert heatmap.min() >= HEATMAP_MARGIN
    assert heatmap.max() <= 1 - HEATMAP_MARGIN
    assert regression[:, layout.dimensions].abs().max() <= 0.5
    length = regression[:, layout.orientation].norm(dim=1)
    torch.testing.assert_close(length, torch.ones_like(length))
    # The groups after them are as they come, beyond any activation's range.
    for group in (layout.centre_offset, layout.box_2d):
        assert group is None or regression[:, group].abs().max() > 1


def test_a_deeper_regression_head_has_further_1x1_layers():
    heads = make_heads(regression_layers=3).eval()
    kernels = [m.kernel_size for m in heads.regression if isinstance(m, nn.Conv2d)]
    assert kernels == [(3, 3), (1, 1), (1, 1), (1, 1)]
    assert sum(isinstance(m, nn.Conv2d) for m in heads.heatmap) == 2
    features = torch.randn(1, 8, 6, 10)
    assert heads(features)[1].shape == (1, 8, 6, 10)


def test_half_precision_is_left_behind_so_that_the_loss_stays_finite():
    heads = make_heads()
    nn.init.constant_(heads.heatmap[-1].bias, 50.0)
    with torch.autocast('cpu', torch.bfloat16):
        heatmap, regression = heads(torch.randn(1, 8, 6, 10))
    assert heatmap.dtype == regression.dtype == torch.float32
    assert torch.isfinite((1 - heatmap).log()).all()


@pytest.mark.parametrize(
    ('norm', 'kind', 'other'),
    [('gn', ExactGroupNorm, nn.BatchNorm2d), ('bn', nn.BatchNorm2d, ExactGroupNorm)],
)
def test_the_whole_network_has_one_kind_of_norm(norm, kind, other):
    layers = list(build_network(ModelConfig(norm=norm)).modules())
    assert sum(isinstance(layer, kind) for layer in layers) > 50
    assert not any(isinstance(layer, other) for layer in layers)


ABLATIONS = {
    'norm': {'norm': 'bn'},
    'orientation': {'orientation': 'quaternion'},
    'center_2d': {'keypoint': 'center_2d'},
    'center_3d': {'keypoint': 'center_3d'},
}


@pytest.mark.parametrize('options', ABLATIONS.values(), ids=ABLATIONS)
def test_an_ablation_changes_what_a_step_learns(options):
    features = torch.randn(2, 8, 24, 64, generator=torch.Generator().manual_seed(1))
    plain = learn_once(small_model(), features)
    other = learn_once(small_model(**options), features)
    name = 'regression.0.weight'
    assert not torch.allclose(plain[name], other[name], rtol=1e-3, atol=0)
    if 'norm' in options:
        # BatchNorm learns from the batch what it is run with; GroupNorm has nothing of the kind.
        assert other['regression.1.running_mean'].abs().max() > 0
        assert 'regression.1.running_mean' not in plain


def learn_once(model, features):
    """Return the weights of heads after a step of training."""
    car = labelled_car((2.0, 0.5, 15.0), 1.9, bbox=(130.0, 30.0, 190.0, 60.0))
    geometry = InputGeometry.centred((256, 96), (256, 96))
    targets = make_targets([car], small_camera(), geometry, model, max_objects=2)
    targets = Targets.stack([targets, targets])
    heads = make_heads(model).train()
    optimiser = torch.optim.SGD(heads.parameters(), lr=1e-2)
    terms = SmokeLoss(model)(*heads(features), targets)
    terms.total.backward()
    optimiser.step()
    return copy.deepcopy(heads.state_dict())


@pytest.mark.parametrize('keypoint', ['center_2d', 'center_3d'])
def test_a_checkpoint_brings_its_keypoint_to_the_detector(keypoint, tmp_path):
    model = small_model(
        input_width=64, input_height=64, keypoint=keypoint, orientation='quaternion', top_k=3
    )
    save_checkpoint(tmp_path / 'weights.pth', build_network(model), model)
    detector = Detector.from_model(tmp_path / 'weights.pth')
    assert detector.model == model
    image = np.full((96, 256, 3), 90, dtype=np.uint8)
    # A fresh network is unsure of everything; what counts is that its channels are understood.
    assert len(detector.detect(image, small_camera(), score_threshold=0.0)) <= 3
    _, regression = detector.network(detector.preprocess(image, small_camera()))
    assert regression.shape[1] == RegressionLayout.from_config(model).channels > 10
