"""What the demo can be told."""

from __future__ import annotations

from dataclasses import dataclass

from smoke_ros.config.model import DEFAULT_MODEL
from smoke_ros.config.options import check, option


@dataclass(frozen=True)
class DemoConfig:
    """Options of ``python -m smoke_ros.ros.demo``."""

    model: str = option(
        DEFAULT_MODEL, 'name of a model in models/registry.yaml, or path of a weights file'
    )
    device: str = option('auto', 'what the network runs on: auto, cpu, cuda or cuda:N')
    rate: float = option(
        1.0,
        'how fast the drive is played: 1 is the pace it was recorded at',
        low=0.001,
        high=100.0,
    )
    frames: int = option(0, 'how many frames are played; 0 for all', low=0)
    kitti: str = option(
        '',
        'folder of a KITTI raw drive, or one that has drives in it; by default the rendered drive '
        'that comes with smoke_ros',
    )
    out: str = option('out/demo', 'folder that bags, video, pictures and summary are written to')

    def __post_init__(self) -> None:
        check(self)
