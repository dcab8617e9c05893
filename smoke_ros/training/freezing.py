"""Which parts of a network stay as they are."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from smoke_ros.network.smoke import Smoke


def freeze(network: nn.Module, prefixes: Iterable[str]) -> int:
    """Keep the parameters whose names begin with one of ``prefixes`` from learning.

    Returns
    -------
    How many tensors are frozen.

    Raises
    ------
    ValueError
        If no parameter's name begins with one of them.
    """
    parameters = dict(network.named_parameters())
    frozen = set()
    for prefix in prefixes:
        found = {name for name in parameters if name.startswith(prefix)}
        if not found:
            parts = sorted({'.'.join(name.split('.')[:2]) for name in parameters})
            raise ValueError(
                f'freeze: no parameter begins with {prefix!r}; there are {", ".join(parts)}'
            )
        frozen |= found
    for name in frozen:
        parameters[name].requires_grad_(False)
    return len(frozen)


def freeze_stages(network: Smoke, count: int) -> None:
    """Keep the trunk's first stages from learning; nothing is computed backward through them.

    Raises
    ------
    ValueError
        If the trunk has fewer.
    """
    if not count:
        return
    stages = network.backbone.stages()  # type: ignore[operator]
    if count > len(stages):
        raise ValueError(f'freeze_stages must be at most {len(stages)}, got {count}')
    for stage in stages[:count]:
        for layer in stage:
            layer.requires_grad_(False)


def set_training_mode(network: nn.Module, *, freeze_norm: bool) -> None:
    """Put a network into training mode, but for BatchNorm layers whose statistics are to stay.

    Those are the frozen ones, which would change what frozen layers say, and with ``freeze_norm``
    all of the trunk's.
    """
    network.train()
    for name, layer in network.named_modules():
        if isinstance(layer, _BatchNorm):
            is_frozen = not any(p.requires_grad for p in layer.parameters())
            if is_frozen or (freeze_norm and name.startswith('backbone.')):
                layer.eval()
