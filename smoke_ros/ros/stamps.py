"""Stamps of messages as nanoseconds, which compare and subtract exactly."""

from __future__ import annotations

from builtin_interfaces.msg import Time


def stamp_ns(stamp: Time) -> int:
    """Return a message's stamp in nanoseconds."""
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def stamp_message(nanoseconds: int) -> Time:
    """Return nanoseconds as a message's stamp."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return Time(sec=seconds, nanosec=rest)
