"""The figures of a replay as tables of text."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from smoke_ros.evaluation.evaluate import Evaluation
from smoke_ros.evaluation.tables import NOTHING, Table, figure, percent
from smoke_ros.replay.measure import Counts, Measurement, ReplayMeasurements
from smoke_ros.replay.metrics import Metric
from smoke_ros.replay.records import RunRecord
from smoke_ros.replay.requirements import Verdict
from smoke_ros.replay.steadiness import Steadiness
from smoke_ros.replay.streams import Replay
from smoke_ros.replay.timing import Times

#: Reasons for frames without results that are listed, the most frequent first.
MOST_REASONS = 12
#: Bags and topics that are named before the rest is only counted.
MOST_NAMES = 6


def run_table(replay: Replay) -> Table:
    """Say what ran, on what."""
    rows = [
        ('mode', _different(run.mode for run in replay.runs)),
        ('bags', _different(bag for run in replay.runs for bag in run.bags)),
        ('topics', _different(topic for run in replay.runs for topic in run.topics)),
        ('model', _different(_model(run) for run in replay.runs)),
        ('trained on', _different(str(run.model.get('trained_on', '')) for run in replay.runs)),
        ('device', _different(run.device for run in replay.runs)),
        ('engine', _different(run.engine for run in replay.runs)),
        ('versions', _different(_pairs(run.versions) for run in replay.runs)),
        ('options', _different(_pairs(run.options) for run in replay.runs)),
        ('smoke_ros', _different(run.smoke_ros for run in replay.runs)),
        ('started', min(run.started for run in replay.runs)),
        ('ended', max(run.ended or 'cut off' for run in replay.runs)),
    ]
    return Table('What ran', ('', ''), tuple(rows))


def requirements_table(verdicts: Sequence[Verdict]) -> Table:
    """List requirements, met or not."""
    rows = tuple(
        ('met' if verdict.met else 'NOT MET', str(verdict.requirement), verdict.sentence)
        for verdict in verdicts
    )
    return Table('Requirements', ('', 'requirement', 'found'), rows)


def times_table(measured: Measurement) -> Table:
    """Give latency and what the stages took."""
    rows = []
    if measured.latency.count:
        rows.append(_times_row('latency, stamp to publication', measured.latency))
    rows.append(_times_row('a frame', measured.processing))
    rows += [_times_row(f'stage {name}', times) for name, times in measured.stages.items()]
    note = 'percentiles are linear between the two nearest values'
    if measured.jitter_ms is not None:
        note += f'; jitter (mean change of latency between frames): {measured.jitter_ms:.1f} ms'
    return Table('How long frames took', ('', 'frames', *TIME_HEADER), tuple(rows), note)


TIME_HEADER = ('mean', 'p50', 'p95', 'p99', 'worst')


def counts_table(counts: Counts, score_threshold: float) -> Table:
    """Count detections by class and distance."""
    lows = [f'{low:g}' for low in counts.bins_m]
    bins = [f'{a}-{b} m' for a, b in itertools.pairwise(lows)] + [f'{lows[-1]} m +']
    rows = tuple(
        (name, str(sum(row)), *(str(count) for count in row))
        for name, row in counts.by_class.items()
    )
    note = f'those that reach a score of {score_threshold:g}; distance is z'
    return Table('Detections by class and distance', ('', 'all', *bins), rows, note)


def steadiness_table(steady: Steadiness) -> Table:
    """Give flicker and depth jumps."""
    row = (
        percent(steady.flicker),
        str(steady.boxes),
        str(steady.flashes),
        str(steady.gaps),
        str(len(steady.jumps_m)),
        figure(steady.jump_m(0.5), 2, ' m'),
        figure(steady.jump_m(0.9), 2, ' m'),
        percent(steady.jump_relative(0.5)),
    )
    header = (
        'flicker', 'boxes', 'flashes', 'gaps', 'matched over 3 frames', 'depth jump, median',
        '90% below', 'median of z',
    )  # fmt: skip
    note = (
        'a flash is a box that neither neighbouring frame has, a gap one that both have and this '
        'one lacks; flicker is their share; a depth jump is the second difference of z over '
        'three frames'
    )
    return Table('Steadiness from frame to frame', header, (row,), note)


def reasons_table(replay: Replay) -> Table:
    """List why frames have no results."""
    sums: dict[str, int] = {}
    for stream in replay.streams:
        for reason, count in stream.reasons.items():
            sums[reason] = sums.get(reason, 0) + count
    listed = sorted(sums.items(), key=lambda item: -item[1])
    rows = [(reason, str(count)) for reason, count in listed[:MOST_REASONS]]
    rest = sum(count for _, count in listed[MOST_REASONS:])
    if rest:
        rows.append(('other reasons', str(rest)))
    return Table('Frames without results', ('reason', 'frames'), tuple(rows))


def streams_table(replay: Replay, measured: ReplayMeasurements) -> Table:
    """Give a row for every topic of every bag."""
    rows = tuple(
        (f'{Path(stream.bag).name} {stream.topic}', *_part_row(part, measured.whole))
        for stream, part in zip(replay.streams, measured.streams, strict=True)
    )
    return Table('By bag and topic', ('', *_part_header(measured.whole)), rows)


def segments_table(measured: ReplayMeasurements) -> Table:
    """Give a row for every segment of every bag."""
    several = len({segment.bag for segment in measured.segments}) > 1
    rows = tuple(
        (
            (f'{Path(segment.bag).name} ' if several else '')
            + f'{segment.start_s:.1f} to {segment.end_s:.1f} s',
            *_part_row(segment.measurement, measured.whole),
        )
        for segment in measured.segments
    )
    note = 'depth error: median, of all classes, weighted by matched objects'
    has_truth = measured.whole.evaluation is not None
    header = ('', *_part_header(measured.whole))
    return Table('By segment of time', header, rows, note if has_truth else '')


def cards(metrics: Sequence[Metric], counts: Counts) -> list[tuple[str, str]]:
    """Choose the few figures that a reader looks for first, with their names."""
    by_name = {metric.name: metric.value for metric in metrics}
    shown = [('frames processed', f'{counts.processed:,} of {counts.frames:,}')]
    if by_name['latency_p99_ms'] is not None:
        shown.append(('latency p99', figure(by_name['latency_p99_ms'], 0, ' ms')))
    elif by_name['processing_p50_ms'] is not None:
        shown.append(('a frame takes (median)', figure(by_name['processing_p50_ms'], 0, ' ms')))
    first_class = next((name for name in by_name if name.endswith('/3d/moderate')), '')
    if by_name.get(first_class) is not None:
        name = first_class.replace('/', ' ')
        shown.append((f'AP {name}', figure(by_name[first_class], 1, '%')))
    depth = first_class.replace('3d/moderate', 'depth_median_percent')
    if by_name.get(depth) is not None:
        shown.append((f'depth error, {depth.partition("/")[0]}', figure(by_name[depth], 1, '%')))
    shown.append(('detections a frame', figure(counts.detections_per_frame, 1)))
    if by_name['flicker_percent'] is not None:
        shown.append(('flicker', figure(by_name['flicker_percent'], 1, '%')))
    return shown


def _part_header(whole: Measurement) -> tuple[str, ...]:
    timed = 'latency p99' if whole.latency.count else 'a frame, p99'
    header: tuple[str, ...] = (
        'frames',
        'dropped',
        'failed',
        timed,
        'detections a frame',
        'flicker',
        'depth jump',
    )
    if whole.evaluation is not None:
        header += ('labelled', 'recall', 'depth error', 'false a frame')
    return header


def _part_row(part: Measurement, whole: Measurement) -> tuple[str, ...]:
    """Give the cells below :func:`_part_header`."""
    counts, steady = part.counts, part.steadiness
    timed = part.latency if whole.latency.count else part.processing
    row: tuple[str, ...] = (
        str(counts.frames),
        str(counts.dropped),
        str(counts.failed),
        figure(timed.p99_ms, 0, ' ms'),
        figure(counts.detections_per_frame, 1),
        percent(steady.flicker),
        figure(steady.jump_m(0.5), 2, ' m'),
    )
    if whole.evaluation is None:
        return row
    evaluation = part.evaluation
    return row + (_accuracy_cells(evaluation) if evaluation else (NOTHING,) * 4)


def _accuracy_cells(evaluation: Evaluation) -> tuple[str, ...]:
    errors = [part.errors for part in evaluation.classes]
    objects = sum(error.recall.objects for error in errors)
    found = sum(error.recall.found for error in errors)
    medians = [(e.depth.median_abs_m, e.depth.count) for e in errors if e.depth.count]
    total = sum(count for _, count in medians)
    depth = sum((m or 0.0) * n for m, n in medians) / total if total else None
    return (
        str(objects),
        percent(found / objects if objects else None),
        figure(depth, 2, ' m'),
        figure(evaluation.false_boxes_per_frame, 2),
    )


def _times_row(name: str, times: Times) -> tuple[str, ...]:
    parts = (times.mean_ms, times.p50_ms, times.p95_ms, times.p99_ms, times.worst_ms)
    return (name, str(times.count), *(figure(value, 1, ' ms') for value in parts))


def _different(texts: Iterable[str]) -> str:
    """Name each text once, and not more than a few."""
    names = [text for text in dict.fromkeys(texts) if text]
    more = f' and {len(names) - MOST_NAMES} more' if len(names) > MOST_NAMES else ''
    return ('; '.join(names[:MOST_NAMES]) + more) or 'not stated'


def _model(run: RunRecord) -> str:
    sha256 = str(run.model.get('sha256', ''))
    return str(run.model.get('name', '')) + (f' (sha256 {sha256[:12]})' if sha256 else '')


def _pairs(values: Any) -> str:
    return ', '.join(
        f'{name} {value}' for name, value in values.items() if value not in (None, '')
    )
