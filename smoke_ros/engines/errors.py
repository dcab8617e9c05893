"""Errors of the engines."""

from __future__ import annotations


class EngineUnavailableError(RuntimeError):
    """An engine that cannot run here; the message says what is missing."""
