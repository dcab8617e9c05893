"""A network's copy in which compiled layers stand for those that they know."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from smoke_ros.engines.compiled_layers import (
    CompiledDeformConv,
    FoldedConv,
    NormedConv,
    WinogradConv,
    fold_norm,
)
from smoke_ros.engines.kernels.vectors import LANES
from smoke_ros.network.deform_conv import DeformConv2d
from smoke_ros.network.dla import BasicBlock, Root
from smoke_ros.network.layers import Norm
from smoke_ros.network.smoke import Smoke

Conv = nn.Conv2d | DeformConv2d

#: What is kept of a value by the activations that follow a normalisation.
LIMITS = {nn.ReLU: (0.0, math.inf), nn.ReLU6: (0.0, 6.0)}
NO_LIMITS = (-math.inf, math.inf)


class CompiledBlock(nn.Module):
    """A BasicBlock whose residual is added while the second convolution is normalised."""

    def __init__(self, block: BasicBlock) -> None:
        super().__init__()
        self.first = compile_conv(block.conv1, block.norm1, block.relu)
        self.second = compile_conv(block.conv2, block.norm2, block.relu)

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        """Map (B, C, H, W) to (B, C_out, H / stride, W / stride)."""
        out: Tensor = self.second(self.first(x), x if residual is None else residual)
        return out


class CompiledRoot(nn.Module):
    """A Root of an aggregation."""

    def __init__(self, root: Root) -> None:
        super().__init__()
        self.mix = compile_conv(root.conv, root.norm, root.relu)

    def forward(self, *children: Tensor) -> Tensor:
        """Concatenate the children's channels and mix them."""
        out: Tensor = self.mix(torch.cat(children, 1))
        return out


def compile_network(network: Smoke) -> Smoke:
    """Return a copy for inference in single precision on the CPU; layers not known stay."""
    copied = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    _compile(copied)
    for weight in copied.parameters():
        if weight.dim() == 4:  # of a convolution
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
    return copied


def _compile(module: nn.Module) -> nn.Module:
    """Return what stands for a module; those that hold others get theirs replaced."""
    if isinstance(module, BasicBlock):
        return CompiledBlock(module)
    if isinstance(module, Root):
        return CompiledRoot(module)
    if isinstance(module, DeformConv2d) and module.weight.shape[1] % LANES == 0:
        return CompiledDeformConv(module)
    if isinstance(module, nn.Conv2d) and WinogradConv.suits(module):
        return WinogradConv(module)
    if isinstance(module, nn.Sequential):
        return nn.Sequential(*_compile_sequence(list(module)))
    for name, child in module.named_children():
        setattr(module, name, _compile(child))
    return module


def _compile_sequence(layers: list[nn.Module]) -> list[nn.Module]:
    """Compile layers that follow one another; what belongs together becomes one."""
    compiled: list[nn.Module] = []
    while layers:
        layer = layers.pop(0)
        norm = layers[0] if layers else None
        if isinstance(layer, Conv) and isinstance(norm, Norm):
            layers.pop(0)
            activation = layers.pop(0) if layers and type(layers[0]) in LIMITS else None
            compiled.append(compile_conv(layer, norm, activation))
        else:
            compiled.append(_compile(layer))
    return compiled


def compile_conv(conv: Conv, norm: nn.Module, activation: nn.Module | None) -> nn.Module:
    """Make one layer of a convolution, its normalisation and the activation."""
    low, high = NO_LIMITS if activation is None else LIMITS[type(activation)]
    if isinstance(norm, nn.BatchNorm2d):
        fold_norm(conv, norm)
        return FoldedConv(_compile(conv), conv, low, high)
    assert isinstance(norm, nn.GroupNorm)
    return NormedConv(_compile(conv), norm, low, high)
