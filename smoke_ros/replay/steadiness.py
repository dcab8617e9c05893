"""How steady detections are from frame to frame, without ground truth and without a tracker.

Two boxes of neighbouring frames are the same object if their classes agree and their centres, seen
from above, are within ``same_share * distance + same_speed * seconds`` of each other; the nearest
pair of a frame is matched first, and every box at most once. The camera's own motion is not known,
so it counts as motion of the objects.

* A *flash* is a box without a match in the frame before and without one in the frame after.
* A *gap* is a box without a match in the frame after it that has one in the frame after that,
  which in turn has none in the frame between.
* *Flicker* is the share of flashes and gaps in all boxes that are or ought to be there:
  ``(flashes + gaps) / (boxes + gaps)``, over frames with a neighbour on either side.
* A *depth jump* is the second difference of a matched box's z over three frames,
  ``z[t + 1] - 2 z[t] + z[t - 1]``: 0 at constant speed. With uneven stamps it is twice the
  distance of ``z[t]`` from the straight line between the two others, which is the same at even
  ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smoke_ros.config.report import ReportConfig
from smoke_ros.evaluation.camera_errors import NEAREST_RELATIVE_M
from smoke_ros.evaluation.table import BoolArray, IntArray, ObjectTable
from smoke_ros.replay.streams import Stream
from smoke_ros.structures import FloatArray

#: The match of a box that has none.
NONE = -1


@dataclass(frozen=True, eq=False)
class Steadiness:
    """What :func:`measure_steadiness` found."""

    #: Frames with a neighbour on either side, and the boxes in them.
    frames: int
    boxes: int
    flashes: int
    gaps: int
    #: (J,) sizes of the depth jumps in metres, and as shares of the depth.
    jumps_m: FloatArray
    jumps_relative: FloatArray
    #: (2, F) stamps in ns of flashes and gaps, and how many at each.
    unsteady: IntArray

    @property
    def flicker(self) -> float | None:
        """Share of boxes that flash or are missing between two that match."""
        whole = self.boxes + self.gaps
        return (self.flashes + self.gaps) / whole if whole else None

    def jump_m(self, share: float) -> float | None:
        """Return the size that this share of the depth jumps stays below, in metres."""
        return float(np.quantile(self.jumps_m, share)) if len(self.jumps_m) else None

    def jump_relative(self, share: float) -> float | None:
        """Return the same as a share of the depth."""
        return float(np.quantile(self.jumps_relative, share)) if len(self.jumps_m) else None


@dataclass(frozen=True, eq=False)
class _Frame:
    """The boxes of one frame: rows of the table sorted by frame."""

    stamp_ns: int
    class_name: np.ndarray
    #: (M, 2) x and z.
    centres: FloatArray

    def __len__(self) -> int:
        return len(self.centres)


def measure_steadiness(
    streams: Sequence[Stream], score_threshold: float, config: ReportConfig
) -> Steadiness:
    """Measure flicker and depth jumps of the detections that reach a score.

    Parameters
    ----------
    streams
        Topics do not touch each other.
    score_threshold
        Detections below it are left out.
    config
        How far apart matches may be, and neighbouring frames.
    """
    tally = _Tally(config)
    for stream in streams:
        for frames in _neighbours(stream, score_threshold, config.largest_gap):
            tally.add(frames)
    return tally.result()


def _neighbours(stream: Stream, score_threshold: float, largest_gap: float) -> list[list[_Frame]]:
    """Split the frames of a stream into rows of neighbours, none lost between them."""
    if not len(stream):
        return []
    table = stream.detections
    table = table.where(table.score >= score_threshold)
    edges = np.searchsorted(table.frame, np.arange(len(stream) + 1))
    processed = stream.processed
    steps = np.diff(stream.stamp_ns)
    usual = np.median(steps) if len(steps) else 0
    runs: list[list[_Frame]] = [[]]
    for i in range(len(stream)):
        if i and not 0 < steps[i - 1] <= largest_gap * usual:
            runs.append([])
        if processed[i]:
            rows = slice(edges[i], edges[i + 1])
            runs[-1].append(_frame_of(table, rows, int(stream.stamp_ns[i])))
        else:
            runs.append([])
    return runs


def _frame_of(table: ObjectTable, rows: slice, stamp_ns: int) -> _Frame:
    return _Frame(stamp_ns, table.class_name[rows], table.boxes[rows][:, [0, 2]])


def match_boxes(earlier: _Frame, later: _Frame, config: ReportConfig) -> IntArray:
    """Return for each box of the earlier frame its match's place in the later one, or -1."""
    matches = np.full(len(earlier), NONE)
    if not len(earlier) or not len(later):
        return matches
    shift = earlier.centres[:, None] - later.centres[None]
    distance = np.hypot(shift[..., 0], shift[..., 1])
    seconds = (later.stamp_ns - earlier.stamp_ns) / 1e9
    reach = config.same_share * np.hypot(*earlier.centres.T) + config.same_speed * seconds
    same = earlier.class_name[:, None] == later.class_name[None]
    near = np.argwhere(same & (distance <= reach[:, None]))
    taken = np.zeros(len(later), dtype=bool)
    for a, b in near[np.argsort(distance[tuple(near.T)], kind='stable')]:
        if matches[a] == NONE and not taken[b]:
            matches[a], taken[b] = b, True
    return matches


class _Tally:
    """Adds up over runs of neighbouring frames."""

    def __init__(self, config: ReportConfig) -> None:
        self._config = config
        self._frames = self._boxes = self._flashes = self._gaps = 0
        self._jumps: list[FloatArray] = [np.zeros((2, 0))]
        self._unsteady: list[tuple[int, int]] = []

    def add(self, frames: Sequence[_Frame]) -> None:
        """Look at every frame of a run that has one on either side."""
        onwards = [match_boxes(a, b, self._config) for a, b in itertools.pairwise(frames)]
        for i in range(1, len(frames) - 1):
            before, here, after = frames[i - 1 : i + 2]
            has_past = _matched(onwards[i - 1], len(here))
            flashes = int((~has_past & (onwards[i] == NONE)).sum())
            gaps = self._count_gaps(before, after, onwards[i - 1], onwards[i])
            self._frames += 1
            self._boxes += len(here)
            self._flashes += flashes
            self._gaps += gaps
            if flashes + gaps:
                self._unsteady.append((here.stamp_ns, flashes + gaps))
            self._jumps.append(_depth_jumps(before, here, after, onwards[i - 1], onwards[i]))

    def _count_gaps(
        self, before: _Frame, after: _Frame, from_before: IntArray, from_here: IntArray
    ) -> int:
        """Count the boxes before and after that match each other and nothing between."""
        lost = from_before == NONE
        new = ~_matched(from_here, len(after))
        if not lost.any() or not new.any():
            return 0
        ends = _Frame(before.stamp_ns, before.class_name[lost], before.centres[lost])
        starts = _Frame(after.stamp_ns, after.class_name[new], after.centres[new])
        return int((match_boxes(ends, starts, self._config) != NONE).sum())

    def result(self) -> Steadiness:
        """Return the sums."""
        jumps = np.concatenate(self._jumps, axis=1)
        unsteady = np.array(self._unsteady, np.int64).reshape(-1, 2).T
        return Steadiness(
            self._frames, self._boxes, self._flashes, self._gaps, jumps[0], jumps[1], unsteady
        )


def _matched(matches: IntArray, count: int) -> BoolArray:
    """(count,) which boxes of the later frame are a match."""
    matched = np.zeros(count, dtype=bool)
    matched[matches[matches != NONE]] = True
    return matched


def _depth_jumps(
    before: _Frame, here: _Frame, after: _Frame, from_before: IntArray, from_here: IntArray
) -> FloatArray:
    """(2, J) sizes of the jumps of boxes that are matched on either side, and their shares."""
    first = np.flatnonzero(from_before != NONE)
    middle = from_before[first]
    last = from_here[middle]
    use = last != NONE
    z0 = before.centres[first[use], 1]
    z1 = here.centres[middle[use], 1]
    z2 = after.centres[last[use], 1]
    share = (here.stamp_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)
    jumps = np.abs(2.0 * (z0 + share * (z2 - z0) - z1))
    return np.stack((jumps, jumps / np.maximum(z1, NEAREST_RELATIVE_M)))
