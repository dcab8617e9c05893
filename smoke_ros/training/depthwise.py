"""Depthwise convolutions whose weights learn quickly on a CPU."""

from __future__ import annotations

import logging
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from smoke_ros.engines.errors import first_line

logger = logging.getLogger(__name__)


class TrainedDepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution; going backward it uses a kernel that Numba compiles here.

    PyTorch's own takes ten times as long for the weights' gradient as for the convolution, and in
    bfloat16 with a stride for the input's as well: together a quarter of such a step of the light
    network (docs/performance.md). In float32 little is gained.
    """

    @classmethod
    def of(cls, layer: nn.Conv2d) -> TrainedDepthwiseConv2d:
        """Return the same layer, which shares its parameters."""
        made = cls(
            layer.in_channels, layer.out_channels, layer.kernel_size[0], layer.stride[0],
            layer.kernel_size[0] // 2, groups=layer.groups, bias=False, device='meta',
        )  # fmt: skip
        made.weight = layer.weight
        return made.train(layer.training)

    @staticmethod
    def suits(layer: nn.Conv2d) -> bool:
        """Whether a layer is of the kind that there is a kernel for."""
        from smoke_ros.engines.kernels.depthwise import SIDES
        from smoke_ros.engines.kernels.vectors import LANES

        side, stride = layer.kernel_size[0], layer.stride[0]
        return (
            layer.in_channels == layer.out_channels == layer.groups
            and layer.in_channels % LANES == 0
            and side in SIDES
            and layer.kernel_size == (side, side)
            and layer.padding == (side // 2, side // 2)
            and layer.stride == (stride, stride)
            and (layer.dilation, layer.padding_mode, layer.bias) == ((1, 1), 'zeros', None)
        )

    def forward(self, input: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C, H / stride, W / stride)."""
        learns = torch.is_grad_enabled() and self.weight.requires_grad
        if not learns or input.device.type != 'cpu' or input.dtype == torch.float64:
            return super().forward(input)
        if torch.is_autocast_enabled('cpu'):
            input = input.to(torch.get_autocast_dtype('cpu'))
        result: Tensor = _DepthwiseConvolution.apply(input, self.weight, self.stride[0])
        return result


class _DepthwiseConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int) -> Tensor:
        cast = weight.to(x.dtype)
        ctx.save_for_backward(x, cast)
        ctx.stride = stride
        return F.conv2d(x, cast, None, stride, weight.shape[-1] // 2, 1, len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None]:
        x, weight = ctx.saved_tensors
        of_x = None
        if ctx.needs_input_grad[0]:
            of_x = _find_input_gradient(gradient, x, weight, ctx.stride)
        of_weight = find_weight_gradient(gradient, x, weight.shape[-1], ctx.stride)
        return of_x, of_weight, None


def _find_input_gradient(gradient: Tensor, x: Tensor, weight: Tensor, stride: int) -> Tensor:
    # With a stride PyTorch's bfloat16 takes ten times as long as its float32, and any other order
    # of the elements than channels-last ten times as long as that.
    kind = torch.float32 if stride > 1 else x.dtype
    gradient, like = (
        tensor.to(kind, memory_format=torch.channels_last) for tensor in (gradient, x)
    )
    result: Tensor = torch.ops.aten.convolution_backward(
        gradient, like, weight.to(kind), None, [stride] * 2, [weight.shape[-1] // 2] * 2, [1, 1],
        False, [0, 0], len(weight), [True, False, False],
    )[0]  # fmt: skip
    return result.to(x.dtype)


def find_weight_gradient(gradient: Tensor, x: Tensor, side: int, stride: int) -> Tensor:
    """Return the gradient (C, 1, side, side), float32, of a depthwise convolution's weights.

    Parameters
    ----------
    gradient
        (B, C, H_out, W_out), that of the result.
    x
        (B, C, H, W), what was convolved, with side // 2 zeros around it.
    side, stride
        Of the kernel: 3, 5 or 7.
    """
    from smoke_ros.engines.kernels.depthwise import weight_gradients

    pixels = gradient.permute(0, 2, 3, 1).float().contiguous()
    padded = F.pad(x.permute(0, 2, 3, 1).float(), (0, 0, *[side // 2] * 4)).contiguous()
    threads, channels = torch.get_num_threads(), x.shape[1]
    sums = torch.zeros(threads, side, side, channels)
    batch, rows, columns, _ = pixels.shape
    weight_gradients[side](
        threads, gradient=pixels, image=padded, sums=sums, batch=batch, rows=rows,
        columns=columns, height=padded.shape[1], width=padded.shape[2], channels=channels,
        stride=stride,
    )  # fmt: skip
    return sums.sum(0).permute(2, 0, 1)[:, None]


def train_depthwise_quickly(network: nn.Module) -> int:
    """Exchange a network's depthwise convolutions for ones that learn quickly on a CPU.

    Names and parameters stay as they are. Where Numba cannot be used nothing changes.

    Returns
    -------
    How many layers were exchanged.
    """
    try:
        from smoke_ros.engines.kernels import depthwise  # noqa: F401
    except Exception as error:  # noqa: BLE001, one that does not fit NumPy raises all sorts
        logger.info('depthwise convolutions learn by PyTorch, slowly: %s', first_line(error))
        return 0
    exchanged = 0
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, nn.Conv2d) and TrainedDepthwiseConv2d.suits(layer):
                setattr(parent, name, TrainedDepthwiseConv2d.of(layer))
                exchanged += 1
    return exchanged
