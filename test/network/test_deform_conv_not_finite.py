import math

import pytest
import torch

from smoke_ros.network.deform_conv import deform_conv2d


@pytest.mark.parametrize('value', [math.nan, math.inf, -math.inf, 1e30])
def test_a_position_that_is_none_spoils_its_own_pixel_only(value):
    torch.manual_seed(0)
    features, weight = torch.randn(1, 4, 6, 8), torch.randn(4, 4, 3, 3)
    offsets, mask = torch.randn(1, 18, 6, 8), torch.rand(1, 9, 6, 8)
    clean = deform_conv2d(features, offsets, mask, weight, None)
    offsets[0, 5, 2, 3] = value
    spoilt = deform_conv2d(features, offsets, mask, weight, None)
    if math.isnan(value):
        assert spoilt[0, :, 2, 3].isnan().all()
    spoilt[0, :, 2, 3] = clean[0, :, 2, 3]
    torch.testing.assert_close(spoilt, clean)
