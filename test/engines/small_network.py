"""A network with every kind of layer that SMOKE has, a hundredth of its size."""

import torch
from torch import nn

from smoke_ros.checkpoint import TrainingRecord
from smoke_ros.coder import RegressionLayout
from smoke_ros.config.model import ModelConfig
from smoke_ros.models import LoadedModel
from smoke_ros.network.deform_conv import DeformBlock, DeformConv2d
from smoke_ros.network.heads import SmokeHeads
from smoke_ros.network.layers import make_norm
from smoke_ros.network.smoke import Smoke

MODEL = ModelConfig(
    input_width=128, input_height=64, channel_order='rgb', top_k=9, trained_on='nothing at all'
)


def small_network(model=MODEL):
    """Return the network; its deformable convolutions move their taps by pixels."""
    torch.manual_seed(0)
    trunk = nn.Sequential(
        nn.Conv2d(3, 16, 7, stride=8, padding=3), make_norm(model.norm, 16), nn.ReLU()
    )
    neck = nn.Sequential(
        DeformBlock(16, 32, model.norm),
        nn.ConvTranspose2d(32, 32, 4, stride=2, padding=1, groups=32, bias=False),
        DeformBlock(32, 32, model.norm),
    )
    layout = RegressionLayout.from_config(model)
    heads = SmokeHeads(32, len(model.classes), layout, model.norm, 32)
    network = Smoke(trunk, neck, heads).eval()
    for module in network.modules():
        if isinstance(module, DeformConv2d):
            nn.init.normal_(module.offset_mask.weight, std=0.2)
    return network.requires_grad_(False)


def small_model(model=MODEL):
    """Return it as a loaded model."""
    return LoadedModel('small', small_network(model), model, TrainingRecord(), 'ab' * 32)
