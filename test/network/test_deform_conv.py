import pytest
import torch
import torch.nn.functional as F

from smoke_ros.network.deform_conv import DeformConv2d, deform_conv2d


def make_inputs(batch=2, channels=3, out_channels=2, height=4, width=5, dtype=torch.float64):
    torch.manual_seed(0)
    features = torch.randn(batch, channels, height, width, dtype=dtype)
    # Not at whole pixels, where bilinear interpolation has a kink.
    offsets = 3 * torch.rand(batch, 18, height, width, dtype=dtype) - 1.5
    offsets += 0.05 * (offsets - offsets.round() >= 0) + 0.01
    mask = torch.rand(batch, 9, height, width, dtype=dtype)
    weight = torch.randn(out_channels, channels, 3, 3, dtype=dtype)
    bias = torch.randn(out_channels, dtype=dtype)
    return features, offsets, mask, weight, bias


def deform_conv_by_definition(features, offsets, mask, weight, bias):
    """Sum over taps, one pixel at a time."""
    batch, channels, height, width = features.shape
    out = bias[None, :, None, None].repeat(batch, 1, height, width).clone()

    def pixel(b, y, x):
        inside = 0 <= y < height and 0 <= x < width
        return features[b, :, y, x] if inside else features.new_zeros(channels)

    for b in range(batch):
        for y in range(height):
            for x in range(width):
                for tap in range(9):
                    row = y + tap // 3 - 1 + float(offsets[b, 2 * tap, y, x])
                    column = x + tap % 3 - 1 + float(offsets[b, 2 * tap + 1, y, x])
                    top, left = int(row // 1), int(column // 1)
                    low, start = row - top, column - left
                    value = (
                        (1 - low) * (1 - start) * pixel(b, top, left)
                        + (1 - low) * start * pixel(b, top, left + 1)
                        + low * (1 - start) * pixel(b, top + 1, left)
                        + low * start * pixel(b, top + 1, left + 1)
                    )
                    value = value * mask[b, tap, y, x]
                    out[b, :, y, x] += weight[:, :, tap // 3, tap % 3] @ value
    return out


def test_it_is_what_its_definition_says():
    inputs = make_inputs()
    torch.testing.assert_close(deform_conv2d(*inputs), deform_conv_by_definition(*inputs))


def test_gradients():
    inputs = make_inputs(batch=1, channels=2, height=3, width=3)
    inputs = tuple(tensor.requires_grad_() for tensor in inputs)
    assert torch.autograd.gradcheck(deform_conv2d, inputs)


@pytest.mark.parametrize('place', ['features', 'offsets'])
def test_gradients_of_the_layer_reach_its_input_through(place):
    layer = DeformConv2d(2, 2).double()
    torch.manual_seed(1)
    if place == 'offsets':
        torch.nn.init.normal_(layer.offset_mask.weight, std=0.3)
        torch.nn.init.uniform_(layer.offset_mask.bias, 0.2, 0.3)
    else:
        # Offsets at whole pixels have a kink: keep them constant and in between.
        torch.nn.init.constant_(layer.offset_mask.bias, 0.25)
    features = torch.randn(1, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, features)


def test_a_fresh_layer_is_half_a_plain_convolution():
    layer = DeformConv2d(3, 4)
    features = torch.randn(2, 3, 6, 7)
    plain = F.conv2d(features, layer.weight, padding=1)
    torch.testing.assert_close(layer(features), plain / 2, rtol=1e-5, atol=1e-5)


def test_far_away_taps_see_nothing():
    features, offsets, mask, weight, bias = make_inputs()
    out = deform_conv2d(features, offsets + 100, mask, weight, bias)
    torch.testing.assert_close(out, bias[None, :, None, None].expand_as(out))


def test_images_of_a_batch_do_not_mix():
    features, offsets, mask, weight, bias = make_inputs()
    both = deform_conv2d(features, offsets, mask, weight, bias)
    second = deform_conv2d(features[1:], offsets[1:], mask[1:], weight, bias)
    torch.testing.assert_close(both[1:], second)
