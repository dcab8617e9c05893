"""Errors of the engines."""

from __future__ import annotations


class EngineUnavailableError(RuntimeError):
    """An engine that cannot run here; the message says what is missing."""


def first_line(error: Exception) -> str:
    """Return the beginning of a message that may fill pages."""
    lines = str(error).strip().splitlines()
    return f'{type(error).__name__}: {lines[0] if lines else "no reason given"}'
