"""Plain PyTorch: the engine that the others are checked against."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from smoke_ros.engines.engine import WholeMaps
from smoke_ros.engines.half_precision import half_network
from smoke_ros.network.smoke import Smoke


class EagerEngine(WholeMaps):
    """Runs a network as it is, on the device it is put on; in half precision a copy of it."""

    name = 'eager'

    def __init__(self, network: Smoke, device: torch.device, precision: str = 'float32') -> None:
        module: nn.Module = network
        there = torch.empty(0, device=device).device
        if precision != 'float32':
            module = half_network(network, precision)
        elif any(tensor.device != there for tensor in network.parameters()):
            # Another detector may use the same network where it is.
            module = copy.deepcopy(network)
        self.module = module.eval().to(device)
        self.device = device
        self.precision = precision

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map normalised images (B, 3, H, W) to (heatmap, regression); no gradients."""
        images = images.to(self.device).contiguous()
        # cuDNN's default of TF32 keeps 10 bits of mantissa: too few for metres at a distance.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            heatmap, regression = self.module(images)
        return heatmap, regression


def resolve_device(name: str) -> torch.device:
    """Return the device of a name: 'auto', 'cpu', 'cuda' or 'cuda:N'.

    Raises
    ------
    ValueError
        If there is no such device; says what there is.
    """
    cuda_count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == 'auto':
        return torch.device('cuda' if cuda_count else 'cpu')
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(
            f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got {name!r}"
        ) from error
    if device.type not in ('cpu', 'cuda'):
        raise ValueError(f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got {name!r}")
    if device.type == 'cuda' and (device.index or 0) >= cuda_count:
        raise ValueError(
            f'device {name!r} is not there: PyTorch {torch.__version__} sees {cuda_count} CUDA '
            "device(s); choose 'cpu' or 'auto', or install a driver and a CUDA build of PyTorch"
        )
    return device
