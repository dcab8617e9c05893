import pytest
import torch
import torch.nn.functional as F

from smoke_ros.network.deform_conv import DeformConv2d


@pytest.mark.parametrize('width', [64, 600])
def test_taps_are_where_they_belong_under_autocast(width):
    """At rest a deformable convolution is a plain one, weighted by half: sigmoid(0)."""
    torch.manual_seed(0)
    layer = DeformConv2d(8, 8)
    features = torch.randn(1, 8, 4, width)
    with torch.autocast('cpu', torch.bfloat16):
        found = layer(features)
    expected = 0.5 * F.conv2d(features, layer.weight, padding=1)
    assert (found.float() - expected).abs().max() < 0.05
