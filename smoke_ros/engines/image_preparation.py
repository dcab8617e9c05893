"""From images in the device's memory to the network's input, there: preprocess.py in PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from smoke_ros.config.model import ModelConfig
from smoke_ros.preprocess import ROUNDING_MARGIN, InputGeometry, source_positions
from smoke_ros.structures import FloatArray


class AxisTable(NamedTuple):
    """Where the pixels of one axis of the input come from."""

    #: (n,) int64 indices of the two source pixels around each.
    low: Tensor
    high: Tensor
    #: (n,) of the way from the first to the second.
    share: Tensor
    #: (n,) 1 inside the image, 0 where the input is black.
    inside: Tensor


class WarpTables(NamedTuple):
    """Where the input's pixels come from."""

    rows: AxisTable
    columns: AxisTable

    @classmethod
    def of(
        cls, image_size: tuple[int, int], geometry: InputGeometry, device: torch.device
    ) -> WarpTables:
        """Return the tables for an image of (width, height)."""
        rows = source_positions(geometry.height, geometry.scale, geometry.shift_y)
        columns = source_positions(geometry.width, geometry.scale, geometry.shift_x)
        return cls(
            _axis_table(rows, image_size[1], device), _axis_table(columns, image_size[0], device)
        )

    @classmethod
    def from_tensors(cls, tensors: Sequence[Tensor]) -> WarpTables:
        """Invert :meth:`tensors`."""
        half = len(tensors) // 2
        return cls(AxisTable(*tensors[:half]), AxisTable(*tensors[half:]))

    def tensors(self) -> list[Tensor]:
        """Return all of them, flat and in a fixed order."""
        return [*self.rows, *self.columns]


#: How many tensors a camera's tables are.
TABLE_TENSORS = len(WarpTables._fields) * len(AxisTable._fields)


def _axis_table(positions: FloatArray, size: int, device: torch.device) -> AxisTable:
    first = np.floor(positions).astype(np.int64)
    inside = (positions >= -0.5) & (positions < size - 0.5)
    arrays = (
        first.clip(0, size - 1), (first + 1).clip(0, size - 1),
        (positions - first).astype(np.float32), inside.astype(np.float32),
    )  # fmt: skip
    return AxisTable(*(torch.from_numpy(array).to(device) for array in arrays))


def warp(image: Tensor, tables: WarpTables) -> Tensor:
    """Do as :func:`smoke_ros.preprocess.warp_image`, (h, w, 3) uint8 to whole float32 values."""
    rows, columns = tables
    tall = _blend(
        image.index_select(0, rows.low).float(), image.index_select(0, rows.high).float(),
        rows.share[:, None, None],
    )  # fmt: skip
    blended = _blend(
        tall.index_select(1, columns.low), tall.index_select(1, columns.high),
        columns.share[:, None],
    )  # fmt: skip
    whole = (blended + ROUNDING_MARGIN).floor()
    return whole * rows.inside[:, None, None] * columns.inside[:, None]


def _blend(low: Tensor, high: Tensor, share: Tensor) -> Tensor:
    return low + (high - low) * share


class Preparation:
    """Warps and normalises images for one model."""

    def __init__(self, model: ModelConfig, device: torch.device) -> None:
        self._flips = model.channel_order == 'rgb'
        self._mean = torch.tensor(model.mean, device=device)
        self._std = torch.tensor(model.std, device=device)

    def __call__(self, image: Tensor, tables: WarpTables) -> Tensor:
        """Turn (h, w, 3) uint8 BGR into (1, 3, H, W) float32, normalised."""
        warped = warp(image, tables)
        if self._flips:
            warped = warped.flip(-1)
        return ((warped - self._mean) / self._std).permute(2, 0, 1)[None]
