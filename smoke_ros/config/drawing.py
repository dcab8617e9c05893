"""How detections are drawn."""

from __future__ import annotations

from dataclasses import dataclass

from smoke_ros.config.options import check, option


@dataclass(frozen=True)
class DrawingConfig:
    """Options of :func:`smoke_ros.drawing.annotate`."""

    birds_eye: bool = option(True, "whether a bird's-eye view is set into the image")
    range_m: float = option(
        80.0, "how far ahead the bird's-eye view reaches", unit='m', low=1.0, high=1000.0
    )

    def __post_init__(self) -> None:
        check(self)
