"""What the report of a replay measures and shows."""

from __future__ import annotations

from dataclasses import dataclass

from smoke_ros.config.options import check, option


@dataclass(frozen=True)
class ReportConfig:
    """Options of the report of a replay, beside those of the evaluation."""

    segments: int = option(8, 'equal lengths of time that a bag is cut into', low=1, high=100)
    same_share: float = option(
        0.1,
        'how far a box may be from where it was in the frame before and still be the same, as a '
        'share of its distance: room for errors of depth',
        low=0.0, high=1.0,
    )  # fmt: skip
    same_speed: float = option(
        20.0, 'and, on top of it, for every second between the frames: room for motion',
        unit='m/s', low=0.0, high=200.0,
    )  # fmt: skip
    largest_gap: float = option(
        1.5,
        'how many times their usual interval two frames may be apart and still be neighbours',
        low=1.0, high=100.0,
    )  # fmt: skip
    pictures: int = option(48, 'most annotated frames in one report', low=1, high=1000)

    def __post_init__(self) -> None:
        check(self)
