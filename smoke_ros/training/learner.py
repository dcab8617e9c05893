"""One step of learning: from a batch to changed weights."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from smoke_ros.config.training import TrainingConfig
from smoke_ros.data.dataset import Batch
from smoke_ros.losses import LossTerms, SmokeLoss, count_positives
from smoke_ros.network.smoke import Smoke
from smoke_ros.training.depthwise import train_depthwise_quickly
from smoke_ros.training.ema import RunningMean
from smoke_ros.training.feature_noise import FeatureNoise
from smoke_ros.training.freezing import set_training_mode
from smoke_ros.training.optimiser import learning_rate, make_optimiser, set_learning_rate
from smoke_ros.training.processes import Processes

#: Types of the network's arithmetic by :attr:`TrainingConfig.precision`.
PRECISIONS = {
    'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16,
}  # fmt: skip


#: Orders of elements in memory by :attr:`TrainingConfig.channels_last`.
MEMORY_FORMATS = {True: torch.channels_last, False: torch.contiguous_format}


class NonFiniteLossError(ArithmeticError):
    """The loss or its gradient is NaN or infinite: there is nothing to learn from."""


@dataclass(frozen=True)
class StepReport:
    """What a step found, over all processes."""

    #: Each part of the loss, and their sum under 'total'.
    losses: dict[str, float]
    #: Before it was clipped.
    gradient_norm: float
    learning_rate: float


class Learner:
    """The network and everything that changes it.

    Attributes
    ----------
    network
        On its device, with the weights of the last step.
    """

    def __init__(
        self, network: Smoke, loss: SmokeLoss, config: TrainingConfig, processes: Processes
    ) -> None:
        self._memory_format = MEMORY_FORMATS[config.channels_last]
        network.to(processes.device)
        if processes.device.type == 'cpu':
            train_depthwise_quickly(network)
        self.network = network.to(memory_format=self._memory_format)  # type: ignore[call-overload]
        set_training_mode(network, freeze_norm=config.freeze_norm)
        self._loss, self._config, self._processes = loss, config, processes
        self._mean = RunningMean(network, config.ema_decay) if config.ema_decay else None
        self._noise = (
            FeatureNoise(network, config.feature_noise, config.seed, processes.device)
            if config.feature_noise else None
        )  # fmt: skip
        self._optimiser = make_optimiser(network, config)
        # Half precision underflows without a scaled loss; bfloat16 has the range of float32.
        self._scaler = torch.amp.GradScaler(
            processes.device.type, enabled=config.precision == 'float16'
        )
        self._parallel: nn.Module = network
        if processes.size > 1:
            # The trunk's unused projections (see network/dla.py) have no gradient to wait for.
            self._parallel = DistributedDataParallel(network, find_unused_parameters=True)

    @property
    def model_network(self) -> Smoke:
        """The network that is the result so far: the running mean, where there is one."""
        return self.network if self._mean is None else self._mean.network

    def step(self, passes: Sequence[Batch], iteration: int) -> StepReport:
        """Learn from the batches of one step, the one after ``iteration`` steps.

        The result is that of one pass with all images of all processes (with BatchNorm, whose
        statistics are each pass's own, nearly).

        Raises
        ------
        NonFiniteLossError
            In all processes, if the loss or its gradient is in any; the weights are as before.
        """
        config = self._config
        rate = learning_rate(iteration, config)
        set_learning_rate(self._optimiser, rate)
        if self._noise is not None:
            self._noise.begin(iteration, self._processes.rank)
        losses = self._add_up_gradients(passes)
        if not math.isfinite(losses['total']):
            raise NonFiniteLossError(f'the loss is {losses["total"]} ({_list(losses)})')
        self._scaler.unscale_(self._optimiser)
        most = config.gradient_clip or math.inf
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), most))
        # The scaler itself leaves a step out whose gradient overflowed, and scales less.
        if not math.isfinite(norm) and not self._scaler.is_enabled():
            raise NonFiniteLossError(f"the gradient's norm is {norm}, the loss is finite")
        self._scaler.step(self._optimiser)
        self._scaler.update()
        if self._mean is not None:
            self._mean.update(self.network, iteration)
        return StepReport(losses, norm, rate)

    def _add_up_gradients(self, passes: Sequence[Batch]) -> dict[str, float]:
        """Go forward and backward through each batch; return the losses of the whole step."""
        self._optimiser.zero_grad(set_to_none=True)
        counts = torch.stack([count_positives(batch.targets) for batch in passes])
        positives = self._processes.sum(counts.sum())
        sums: dict[str, Tensor] = {}
        for i, batch in enumerate(passes):
            with self._exchanging(i + 1 == len(passes)):
                losses = self._forward(batch, positives)
                # DistributedDataParallel takes the mean over the processes: make it the sum.
                self._scaler.scale(losses['total'] * self._processes.size).backward()
            for name, value in losses.items():
                sums[name] = sums.get(name, torch.zeros_like(value)) + value.detach()
        values = self._processes.sum(torch.stack(list(sums.values())))
        return dict(zip(sums, values.tolist(), strict=True))

    def _forward(self, batch: Batch, positives: Tensor) -> dict[str, Tensor]:
        """Return a batch's parts of the step's losses, and their sum."""
        device = self._processes.device
        batch = batch.to(device, non_blocking=True)
        images = batch.images.contiguous(memory_format=self._memory_format)
        precision = PRECISIONS[self._config.precision]
        with torch.autocast(device.type, precision, enabled=precision != torch.float32):
            heatmap, regression = self._parallel(images)
        terms = self._loss(heatmap, regression, batch.targets, positives)
        return scale_regression(terms, self._config).named()

    def _exchanging(self, exchanges: bool) -> contextlib.AbstractContextManager[None]:
        """Keep gradients to this process until the last pass of a step."""
        if exchanges or not isinstance(self._parallel, DistributedDataParallel):
            return contextlib.nullcontext()
        return self._parallel.no_sync()

    def state(self) -> dict[str, Any]:
        """Return everything that :meth:`step` changes, as tensors and plain values."""
        return {
            'network': self.network.state_dict(),
            'mean': self._mean.network.state_dict() if self._mean else None,
            'optimiser': self._optimiser.state_dict(),
            'scaler': self._scaler.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what :meth:`state` returned."""
        self.network.load_state_dict(state['network'])
        if self._mean is not None:
            self._mean.network.load_state_dict(state['mean'])
        self._optimiser.load_state_dict(state['optimiser'])
        self._scaler.load_state_dict(state['scaler'])


def scale_regression(terms: LossTerms, config: TrainingConfig) -> LossTerms:
    """Scale the regression's losses, sums over a step's images, to ``images_per_sum`` of them."""
    share = config.images_per_sum / config.batch_size
    parts = {n: part if n == 'heatmap' else share * part for n, part in terms.parts.items()}
    return LossTerms(parts)


def _list(losses: dict[str, float]) -> str:
    return ', '.join(f'{name} {value:g}' for name, value in losses.items())
