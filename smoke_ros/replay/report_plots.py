"""Plots of a replay as SVG text, of bounded size however many frames there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from smoke_ros.colours import class_colour
from smoke_ros.evaluation.plots import BLUE, GREEN, ORANGE, RED, svg
from smoke_ros.replay.measure import Counts
from smoke_ros.replay.records import DROPPED, FAILED, LoadSample
from smoke_ros.replay.steadiness import Steadiness
from smoke_ros.replay.streams import Stream, given_stamps
from smoke_ros.structures import FloatArray

#: Points of a line over time.
TIME_BINS = 300
HISTOGRAM_BINS = 50
#: Of values in a histogram: those that differ by rounding alone cannot be told apart by bins.
DIGITS = 6
SIZE = (11.0, 2.9)


def timeline_starts(streams: Sequence[Stream]) -> dict[str, tuple[int, float]]:
    """Lay bags one after the other: by bag its first stamp in ns, and when it starts in s."""
    starts: dict[str, tuple[int, float]] = {}
    end = 0.0
    for bag in dict.fromkeys(stream.bag for stream in streams):
        of_bag = [stream.stamp_ns for stream in streams if stream.bag == bag]
        stamps = given_stamps(np.concatenate(of_bag))
        starts[bag] = (int(stamps.min()), end)
        end += max((int(stamps.max()) - int(stamps.min())) / 1e9, 1e-3)
    return starts


def seconds_of(stream: Stream, starts: dict[str, tuple[int, float]]) -> FloatArray:
    """Return (N,) seconds on the common timeline; NaN where the stamp was never set."""
    first, start = starts[stream.bag]
    seconds = (stream.stamp_ns - first) / 1e9 + start
    return np.where(stream.stamp_ns < first, np.nan, seconds)


def times_svg(streams: Sequence[Stream], *, live: bool) -> str:
    """Draw the latency, offline what a frame took: as a histogram and over time."""
    figure = Figure(figsize=SIZE, layout='constrained')
    left, right = figure.subplots(1, 2, width_ratios=(1, 2))
    starts = timeline_starts(streams)
    seconds = np.concatenate([seconds_of(stream, starts) for stream in streams])
    ms = np.concatenate([s.latency_ms if live else s.processing_ms for s in streams])
    what = 'latency (ms)' if live else 'time of a frame (ms)'
    known = np.isfinite(ms)
    if known.any():
        left.hist(ms[known].round(DIGITS), bins=HISTOGRAM_BINS, color=BLUE)
        for share, dashes in ((50, '-'), (95, '--'), (99, ':')):
            value = float(np.percentile(ms[known], share))
            left.axvline(value, color=RED, linestyle=dashes, label=f'p{share} {value:.0f} ms')
        left.legend(fontsize='small')
        for reduce, colour, label in ((np.max, ORANGE, 'worst'), (np.median, BLUE, 'median')):
            right.plot(*_binned(seconds[known], ms[known], reduce), color=colour, label=label)
    left.set(xlabel=what, ylabel='frames')
    right.set(xlabel='time (s)', ylabel=what, ylim=(0.0, None))
    _mark_lost(right, streams, seconds)
    _mark_bags(right, starts)
    _legend(right)
    _grid(left, right)
    return svg(figure, 'times')


def detections_svg(
    streams: Sequence[Stream],
    names: dict[str, str],
    score_threshold: float,
    steadiness: Sequence[Steadiness],
) -> str:
    """Draw how many detections a frame has over time, by class, and where they flicker."""
    figure = Figure(figsize=(SIZE[0], 3.6), layout='constrained')
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    starts = timeline_starts(streams)
    seconds = np.concatenate([seconds_of(stream, starts)[stream.processed] for stream in streams])
    for name in sorted({str(c) for s in streams for c in np.unique(s.detections.class_name)}):
        counts = np.concatenate([_counts(s, name, score_threshold) for s in streams])
        colour = class_colour(names.get(name, name))
        axes.plot(*_binned(seconds, counts, np.mean), color=colour, label=names.get(name, name))
    when, weights = _unsteady(streams, steadiness, starts)
    below.hist(when, _edges(seconds), weights=weights, color=RED)
    axes.set(ylabel='detections a frame', ylim=(0.0, None))
    below.set(xlabel='time (s)', ylabel='flashes\nand gaps', ylim=(0.0, None))
    _mark_bags(axes, starts)
    _legend(axes)
    _grid(axes, below)
    return svg(figure, 'detections')


def distance_svg(counts: Counts, steady: Steadiness) -> str:
    """Draw detections by distance, and the sizes of depth jumps."""
    figure = Figure(figsize=SIZE, layout='constrained')
    left, right = figure.subplots(1, 2)
    places = np.arange(len(counts.bins_m))
    below = np.zeros(len(places))
    for name, row in counts.by_class.items():
        left.bar(places, row, 0.7, bottom=below, color=class_colour(name), label=name)
        below += row
    left.set_xticks(places, [f'{low:g}+' for low in counts.bins_m])
    left.set(xlabel='distance (m)', ylabel='detections')
    if counts.by_class:
        left.legend(fontsize='small')
    if len(steady.jumps_m):
        most = float(np.quantile(steady.jumps_m, 0.98))
        jumps = np.minimum(steady.jumps_m, most)
        right.hist(jumps.round(DIGITS), HISTOGRAM_BINS, color=GREEN)
    right.set(xlabel='depth jump (m), the largest 2% in the last bar', ylabel='boxes')
    _grid(left, right)
    return svg(figure, 'distance')


def load_svg(load: Sequence[LoadSample]) -> str:
    """Draw CPU and memory over time."""
    figure = Figure(figsize=SIZE, layout='constrained')
    left, right = figure.subplots(1, 2)
    seconds = np.array([sample.time_s for sample in load])
    cpu = np.array([sample.cpu_percent for sample in load])
    memory = np.array([sample.memory_mb for sample in load])
    left.plot(*_binned(seconds, cpu, np.mean), color=BLUE)
    right.plot(*_binned(seconds, memory, np.max), color=ORANGE)
    left.set(xlabel='time (s)', ylabel='CPU (% of one core)', ylim=(0.0, 1.1 * cpu.max()))
    right.set(xlabel='time (s)', ylabel='memory (MB)', ylim=(0.0, 1.1 * memory.max()))
    _grid(left, right)
    return svg(figure, 'load')


def _counts(stream: Stream, class_name: str, score_threshold: float) -> FloatArray:
    table = stream.detections
    rows = (table.class_name == class_name) & (table.score >= score_threshold)
    counts = np.bincount(table.frame[rows], minlength=len(stream))
    return counts[stream.processed].astype(np.float64)


def _unsteady(
    streams: Sequence[Stream],
    steadiness: Sequence[Steadiness],
    starts: dict[str, tuple[int, float]],
) -> tuple[FloatArray, FloatArray]:
    """Return when there were flashes and gaps, and how many at each time."""
    parts = [np.zeros((2, 0))]
    for stream, steady in zip(streams, steadiness, strict=True):
        first, start = starts[stream.bag]
        stamps, counts = steady.unsteady
        parts.append(np.stack(((stamps - first) / 1e9 + start, counts)))
    when, weights = np.concatenate(parts, axis=1)
    return when, weights


def _mark_lost(axes: Axes, streams: Sequence[Stream], seconds: FloatArray) -> None:
    """Mark where frames were dropped or failed, along the bottom."""
    status = np.concatenate([stream.status for stream in streams])
    for name, colour in ((DROPPED, RED), (FAILED, 'black')):
        when = seconds[(status == name) & np.isfinite(seconds)]
        if len(when):
            places = np.unique(np.digitize(when, _edges(seconds)))
            middles = _middles(seconds)[np.clip(places - 1, 0, TIME_BINS - 1)]
            axes.plot(middles, np.zeros(len(places)), '|', color=colour, label=name, clip_on=False)


def _mark_bags(axes: Axes, starts: dict[str, tuple[int, float]]) -> None:
    for _, start in list(starts.values())[1:]:
        axes.axvline(start, color='grey', linewidth=0.6, linestyle='--')


def _binned(
    seconds: FloatArray, values: FloatArray, reduce: Callable[[FloatArray], float]
) -> tuple[FloatArray, FloatArray]:
    """Reduce values to one for each length of time; short series stay as they are.

    What has no time is left out.
    """
    is_placed = np.isfinite(seconds)
    seconds, values = seconds[is_placed], values[is_placed]
    order = np.argsort(seconds, kind='stable')
    seconds, values = seconds[order], values[order]
    if len(seconds) <= TIME_BINS:
        return seconds, values
    place = np.clip(np.digitize(seconds, _edges(seconds)) - 1, 0, TIME_BINS - 1)
    cuts = np.flatnonzero(np.diff(place)) + 1
    parts = np.split(values, cuts)
    return _middles(seconds)[place[np.append(0, cuts)]], np.array([reduce(part) for part in parts])


def _edges(seconds: FloatArray) -> FloatArray:
    seconds = seconds[np.isfinite(seconds)]
    low, high = (float(seconds.min()), float(seconds.max())) if len(seconds) else (0.0, 1.0)
    return np.linspace(low, max(high, low + 1e-3), TIME_BINS + 1, dtype=np.float64)


def _middles(seconds: FloatArray) -> FloatArray:
    edges = _edges(seconds)
    return 0.5 * (edges[:-1] + edges[1:])


def _legend(axes: Axes) -> None:
    """Put the legend above the panel, where it hides nothing."""
    if axes.get_legend_handles_labels()[0]:
        axes.legend(
            fontsize='small', loc='lower right', bbox_to_anchor=(1.0, 1.0), ncols=6, frameon=False
        )


def _grid(*panels: Axes) -> None:
    for axes in panels:
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
        axes.spines[['top', 'right']].set_visible(False)
