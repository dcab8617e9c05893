"""First come, first served: takers choose among options, in turn, within each frame."""

from __future__ import annotations

import numpy as np

from smoke_ros.evaluation.table import BoolArray, IntArray


def assign_in_turn(
    taker: IntArray, option: IntArray, frame: IntArray, allowed: BoolArray
) -> BoolArray:
    """Let every taker have its first choice that is allowed and still free.

    Turns of different frames do not touch each other, so all frames play at once, and so do T
    variants of the game, such as score thresholds.

    Parameters
    ----------
    taker, option, frame
        (P,) one row for every option that a taker would accept. Rows are ordered by frame, then
        by whose turn it is, then by preference.
    allowed
        (P, T) whether the taker may have the option in each variant.

    Returns
    -------
    (P, T) whether the taker has the option.
    """
    chosen = np.zeros_like(allowed)
    if not len(taker):
        return chosen
    taker_row = np.cumsum(_starts(taker)) - 1
    option_row = np.unique(option, return_inverse=True)[1]
    served = np.zeros((taker_row[-1] + 1, allowed.shape[1]), dtype=bool)
    taken = np.zeros((option_row.max() + 1, allowed.shape[1]), dtype=bool)
    for rows in _steps(taker, frame):
        has = allowed[rows] & ~served[taker_row[rows]] & ~taken[option_row[rows]]
        chosen[rows] = has
        # Within a step no two rows share a taker or an option: they are of different frames.
        served[taker_row[rows]] |= has
        taken[option_row[rows]] |= has
    return chosen


def _steps(taker: IntArray, frame: IntArray) -> list[IntArray]:
    """Split the rows into steps with at most one row of each frame, in playing order."""
    new_taker = _starts(taker)
    preference = _count_within(new_taker)
    first_rows = np.flatnonzero(new_taker)
    turn = _count_within(_starts(frame[first_rows]))[np.cumsum(new_taker) - 1]
    step = turn * (preference.max() + 1) + preference
    order = np.argsort(step, kind='stable')
    return np.split(order, np.flatnonzero(np.diff(step[order])) + 1)


def _starts(values: IntArray) -> BoolArray:
    """(N,) whether each value differs from the one before it."""
    starts = np.ones(len(values), dtype=bool)
    starts[1:] = values[1:] != values[:-1]
    return starts


def _count_within(starts: BoolArray) -> IntArray:
    """(N,) the place of each row in its run."""
    rows = np.arange(len(starts))
    return rows - np.maximum.accumulate(np.where(starts, rows, 0))
