"""What every engine offers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from smoke_ros import coder
from smoke_ros.preprocess import Image, InputGeometry


class Engine(Protocol):
    """Runs one network.

    Attributes
    ----------
    name
        As the option ``engine`` has it.
    precision
        Number format of the convolutions: 'float32', 'bfloat16' or 'float16'.
    device
        Where it runs, and where its results lie.
    """

    name: str
    precision: str
    device: torch.device

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Map normalised images (B, 3, H, W) to (heatmap, regression), float32, activated."""

    def peaks(self, images: Tensor, top_k: int) -> coder.Peaks:
        """Return what :func:`coder.select_peaks` finds in the maps of normalised images."""


@runtime_checkable
class ImageEngine(Protocol):
    """An engine that also lays images into the network's input itself, where it runs."""

    def peaks_of_images(
        self, images_bgr: Sequence[Image], geometries: Sequence[InputGeometry], top_k: int
    ) -> coder.Peaks:
        """Do as :meth:`Engine.peaks`, from (h, w, 3) uint8 images in the host's memory."""


class WholeMaps:
    """Peaks the plain way, for engines that compute the whole maps."""

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`Engine`."""
        raise NotImplementedError

    def peaks(self, images: Tensor, top_k: int) -> coder.Peaks:
        """See :class:`Engine`."""
        return coder.select_peaks(*self(images), top_k)


class FunctionEngine(WholeMaps):
    """Any function in an engine's place: an experiment, or a test's stand-in."""

    name = 'function'
    precision = 'float32'

    def __init__(
        self, function: Callable[[Tensor], tuple[Tensor, Tensor]], device: torch.device
    ) -> None:
        self._function = function
        self.device = device

    def __call__(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """See :class:`Engine`."""
        return self._function(images)
