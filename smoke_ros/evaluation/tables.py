"""The figures of an evaluation as tables of text, for the terminal and the HTML report alike."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from smoke_ros.evaluation.average_precision import (
    DIFFICULTIES,
    RECALL_POINTS,
    AveragePrecision,
)
from smoke_ros.evaluation.camera_errors import (
    FLIPPED_WITHIN_DEG,
    GOOD_HEADING_DEG,
    CameraErrors,
    DepthErrors,
    Recall,
)
from smoke_ros.evaluation.evaluate import PROTOCOL, ClassEvaluation, Evaluation
from smoke_ros.evaluation.frames import Provenance

#: Stands where there is nothing to give a figure for.
NOTHING = '-'

#: Keys of the tables of a class that have a plot beside them.
AVERAGE_PRECISION, DEPTH = 'average_precision', 'depth'


@dataclass(frozen=True)
class Table:
    """A title, column names and rows of as many cells."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ''


def figure(value: float | None, digits: int, unit: str = '') -> str:
    """Write a figure with its unit, or a dash for none."""
    # Adding 0.0 to a rounded figure turns -0.0 into 0.0.
    return NOTHING if value is None else f'{round(value, digits) + 0.0:,.{digits}f}{unit}'


def percent(share: float | None) -> str:
    """Write a share in percent."""
    return figure(None if share is None else 100.0 * share, 1, '%')


def summary_table(evaluation: Evaluation, provenance: Provenance) -> Table:
    """Say what was scored, and how."""
    config = evaluation.config
    rows = [
        ('protocol', PROTOCOL),
        ('labels', provenance.labels),
        ('detections', provenance.detections),
        ('split', provenance.split),
        ('frames', str(evaluation.frames)),
        ('objects', _by_class(evaluation, 'objects')),
        ('detected', _by_class(evaluation, 'detections')),
        ('score threshold', f'{config.score_threshold:g}, but for AP and calibration'),
        ('false boxes', f'{figure(evaluation.false_boxes_per_frame, 3)} a frame'),
    ]
    if provenance.run_info:
        info = provenance.run_info
        weights = f' (weights sha256 {info.weights_sha256[:12]})' if info.weights_sha256 else ''
        rows.append(('model', info.model + weights))
        rows.append(('trained on', info.trained_on or 'not stated'))
    return Table('Summary', ('', ''), tuple(rows))


def class_tables(evaluation: Evaluation, part: ClassEvaluation) -> dict[str, Table]:
    """Return the tables of one class in their order, by keys that outlast a change of title."""
    errors, config = part.errors, evaluation.config
    return {
        AVERAGE_PRECISION: _average_precision_table(part),
        'precision_recall': _precision_recall_table(part, config.score_threshold),
        DEPTH: _depth_table(errors),
        'heading': _heading_table(errors),
        'size': _size_table(errors),
        'occlusion': _recall_table('Recall by occlusion', errors.recall_by_occlusion),
        'truncation': _recall_table('Recall by truncation', errors.recall_by_truncation),
        'false_boxes': _false_boxes_table(part, evaluation.frames),
        'working_points': _working_points_table(part, config.clear_distance_m),
    }


def calibration_table(part: ClassEvaluation) -> Table:
    """Return how right detections of each score are."""
    rows = tuple(
        (
            f'{row.low:.1f} to {row.high:.1f}',
            str(row.count),
            figure(row.mean_score, 3),
            figure(row.precision, 3),
        )
        for row in part.errors.calibration
    )
    header = ('score', 'detections', 'mean score', 'share right')
    return Table('Calibration of score', header, rows)


def _average_precision_table(part: ClassEvaluation) -> Table:
    names = tuple(level.name for level in DIFFICULTIES)
    header = ('metric', 'overlap', *(f'R40 {n}' for n in names), *(f'R11 {n}' for n in names))
    scores = [*part.benchmark]
    scores += [score for score in part.devkit if score not in part.benchmark]
    rows: dict[tuple[str, float], list[AveragePrecision]] = {}
    for score in scores:
        rows.setdefault((score.metric, score.min_overlap), []).append(score)
    cells = tuple(
        (
            metric.upper(),
            f'{overlap:.2f}',
            *(_ap_cell(score, score.r40) for score in row),
            *(_ap_cell(score, score.r11) for score in row),
        )
        for (metric, overlap), row in rows.items()
    )
    notes = []
    if part.devkit is not part.benchmark:
        strict, lenient = part.benchmark[-1].min_overlap, part.devkit[-1].min_overlap
        notes.append(
            f'BEV and 3D at {strict:.2f} are those of the benchmark and of most papers, at '
            f"{lenient:.2f} those of KITTI's evaluation program as first published"
        )
    if any(not score.meaningful for score in scores):
        notes.append(f'in brackets: not meaningful, fewer than {RECALL_POINTS} objects')
    return Table('Average precision (%)', header, cells, '; '.join(notes))


def _ap_cell(score: AveragePrecision, value: float | None) -> str:
    text = figure(value, 2)
    return text if score.meaningful else f'({text})'


def _precision_recall_table(part: ClassEvaluation, threshold: float) -> Table:
    rows = tuple(
        (
            score.metric.upper(),
            f'{score.min_overlap:.2f}',
            score.difficulty,
            str(score.objects),
            percent(score.precision),
            percent(score.recall),
            str(score.true_positives),
            str(score.false_positives),
            str(score.false_negatives),
        )
        for score in part.benchmark
        if score.metric != 'aos'
    )
    header = (
        'metric',
        'overlap',
        'difficulty',
        'objects',
        'precision',
        'recall',
        'right',
        'wrong',
        'missed',
    )
    return Table(f"Precision and recall by KITTI's rules at score {threshold:g}", header, rows)


def _depth_table(errors: CameraErrors) -> Table:
    header = (
        'distance',
        'objects',
        'found',
        'recall',
        'mean |dz|',
        'median',
        '90%',
        'bias',
        'mean |dz|/z',
        'median',
        'bias',
    )
    # Objects without a 3D box come last, in a row without errors.
    pairs = itertools.zip_longest(errors.recall_by_distance, errors.depth_by_distance)
    rows = [_depth_row(recall, depth) for recall, depth in pairs]
    rows.append(_depth_row(errors.recall, errors.depth))
    return Table('Recall and depth error by distance', header, tuple(rows))


def _depth_row(recall: Recall, depth: DepthErrors | None) -> tuple[str, ...]:
    found = (recall.of, str(recall.objects), str(recall.found), percent(recall.recall))
    if depth is None:
        return (*found, *(NOTHING,) * 7)
    lengths = (depth.mean_abs_m, depth.median_abs_m, depth.p90_abs_m, depth.bias_m)
    shares = (depth.mean_relative, depth.median_relative, depth.bias_relative)
    return (
        *found,
        *(figure(value, 2, ' m') for value in lengths),
        *(percent(value) for value in shares),
    )


def _heading_table(errors: CameraErrors) -> Table:
    heading = errors.heading
    header = (
        'matched',
        'median',
        '90%',
        f'within {GOOD_HEADING_DEG:g} deg',
        f'flipped (within {FLIPPED_WITHIN_DEG:g} deg of opposite)',
    )
    row = (
        str(heading.count),
        figure(heading.median_deg, 1, ' deg'),
        figure(heading.p90_deg, 1, ' deg'),
        percent(heading.share_good),
        percent(heading.share_flipped),
    )
    return Table('Heading error', header, (row,))


def _size_table(errors: CameraErrors) -> Table:
    rows = tuple(
        (
            size.dimension,
            str(size.count),
            figure(size.mean_abs_m, 3, ' m'),
            figure(size.bias_m, 3, ' m'),
            percent(size.mean_relative),
        )
        for size in errors.size
    )
    return Table('Size error', ('', 'matched', 'mean', 'bias', 'mean relative'), rows)


def _recall_table(title: str, recalls: tuple[Recall, ...]) -> Table:
    rows = tuple(
        (recall.of, str(recall.objects), str(recall.found), percent(recall.recall))
        for recall in recalls
    )
    return Table(title, ('', 'objects', 'found', 'recall'), rows)


def _false_boxes_table(part: ClassEvaluation, frames: int) -> Table:
    errors = part.errors
    per_frame = figure(errors.false_boxes / frames if frames else None, 3)
    row = (str(errors.false_boxes), per_frame, figure(errors.calibration_error, 3))
    header = ('false boxes', 'a frame', 'calibration error')
    return Table('False boxes and calibration', header, (row,))


def _working_points_table(part: ClassEvaluation, farthest_m: float) -> Table:
    header = (
        'false a frame',
        'score',
        'false boxes',
        'recall',
        'clear objects',
        'found',
        'recall',
        'median |dz|/z',
        'bias',
        f'within {GOOD_HEADING_DEG:g} deg',
    )
    rows = tuple(
        (
            f'{point.allowed_per_frame:g}',
            figure(point.score_threshold, 3),
            str(point.false_boxes),
            percent(point.recall.recall),
            str(point.clear_recall.objects),
            str(point.clear_recall.found),
            percent(point.clear_recall.recall),
            percent(point.clear_depth.median_relative),
            percent(point.clear_depth.bias_relative),
            percent(point.clear_heading.share_good),
        )
        for point in part.working_points
    )
    cut = DIFFICULTIES[0].max_truncation
    note = f'clear: fully visible, at most {cut:.0%} truncated, up to {farthest_m:g} m'
    return Table('What is found at a given rate of false boxes', header, rows, note)


def _by_class(evaluation: Evaluation, what: str) -> str:
    counts = ', '.join(f'{getattr(part, what)} {part.class_name}' for part in evaluation.classes)
    return f'{getattr(evaluation, what)} ({counts})'
