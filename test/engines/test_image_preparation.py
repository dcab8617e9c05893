"""What the GPU does to an image, on the CPU: the same as preprocess.py."""

import dataclasses

import numpy as np
import pytest
import torch
from small_network import MODEL

from smoke_ros.config.model import ModelConfig
from smoke_ros.engines.image_preparation import TABLE_TENSORS, Preparation, WarpTables, warp
from smoke_ros.preprocess import InputGeometry, normalise, warp_image

CPU = torch.device('cpu')


@pytest.mark.parametrize(
    ('image_size', 'scale'),
    [((1242, 375), None), ((1920, 1080), None), ((640, 480), None), ((300, 700), None),
     ((1242, 375), 0.7), ((640, 480), 1.3), ((1, 1), None)],
)  # fmt: skip
def test_within_a_grey_level_of_the_cpu(image_size, scale):
    width, height = image_size
    image = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    geometry = InputGeometry.centred(image_size, (1280, 384), scale)
    found = warp(torch.from_numpy(image), WarpTables.of(image_size, geometry, CPU)).numpy()
    expected = warp_image(image, geometry)
    difference = np.abs(found - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3
    np.testing.assert_array_equal(found == found.astype(np.uint8), True)


@pytest.mark.parametrize('order', ['bgr', 'rgb'])
def test_normalised_as_on_the_cpu(order):
    model = dataclasses.replace(ModelConfig(), channel_order=order)
    image = np.random.default_rng(2).integers(0, 255, (375, 1242, 3), dtype=np.uint8)
    geometry = InputGeometry.centred((1242, 375), (1280, 384))
    tables = WarpTables.of((1242, 375), geometry, CPU)
    found = Preparation(model, CPU)(torch.from_numpy(image), tables)
    expected = normalise(warp_image(image, geometry), model)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, atol=1.01 / min(model.std), rtol=0)
    assert (found - expected).abs().mean() < 1e-4


def test_tables_there_and_back():
    tables = WarpTables.of((30, 20), InputGeometry.centred((30, 20), (128, 64)), CPU)
    flat = tables.tensors()
    assert len(flat) == TABLE_TENSORS
    again = WarpTables.from_tensors(flat)
    assert again.columns.share is tables.columns.share
    assert again.rows.low is tables.rows.low
    assert MODEL.input_width == len(again.columns.low)
