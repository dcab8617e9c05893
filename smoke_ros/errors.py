"""Errors of this package that have no standard counterpart."""

from __future__ import annotations


class CheckpointError(ValueError):
    """A weights file that cannot be used: damaged, unsafe, or not of the model it should be."""


class KittiFormatError(ValueError):
    """A file in KITTI's layout with something wrong in it; the message names file and line."""
