"""Every figure of a replay under one name, with its unit, and which way is better.

Names are what ``--require`` takes and what ``smoke-ros compare`` lines up. All of them are there
for every replay; where there is nothing to measure, the value is None and the metric says why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.evaluation.average_precision import DIFFICULTIES, METRICS, AveragePrecision
from smoke_ros.evaluation.evaluate import ClassEvaluation, Evaluation
from smoke_ros.replay.measure import Counts, Measurement, Measuring, measure
from smoke_ros.replay.records import LIVE, LoadSample, RunRecord
from smoke_ros.replay.timing import Times

HIGHER, LOWER, NEITHER = 'higher', 'lower', ''

#: Before the name of an AP with the overlaps of KITTI's first evaluation program, and behind one
#: at 11 recalls; without them a name stands for the benchmark's overlaps and 40 recalls.
DEVKIT_PREFIX = 'kitti:'
R11_SUFFIX = '/r11'

_NOT_LIVE = 'only a live replay has it'
_NOT_OFFLINE = 'only an offline replay has it'
_TOO_FEW = 'too few frames were published'
_NO_FRAMES = 'no frame was processed'
_NOT_STEADY = 'there are no boxes in three neighbouring frames'


@dataclass(frozen=True)
class Metric:
    """One figure.

    Attributes
    ----------
    name, value, unit
        value is None where there is nothing to measure.
    better
        :data:`HIGHER`, :data:`LOWER` or :data:`NEITHER`.
    slack, slack_share
        A change up to this, or up to this share of the value, is not called better or worse.
    meaning
        In words.
    why_missing
        Why there is no value.
    """

    name: str
    value: float | None
    unit: str
    better: str
    slack: float = 0.0
    slack_share: float = 0.0
    meaning: str = ''
    why_missing: str = ''


def list_metrics(
    measured: Measurement, runs: Sequence[RunRecord], config: EvaluationConfig,
    unread: Sequence[str] = (),
) -> list[Metric]:  # fmt: skip
    """Return all metrics of a replay.

    Parameters
    ----------
    measured
        Of the whole replay.
    runs
        Give problems and the load of the machine.
    config
        Of the evaluation: its classes are in the names.
    unread
        Problems with bags of which there is no run.
    """
    no_processing = _NO_FRAMES
    if measured.counts.processed and all(run.mode == LIVE for run in runs):
        no_processing = _NOT_OFFLINE
    no_latency = _TOO_FEW if any(run.mode == LIVE for run in runs) else _NOT_LIVE
    return [
        *_accuracy(measured.evaluation, measured.counts, config),
        *_steadiness(measured),
        *_frames(measured.counts, runs, unread),
        *_times('latency', measured.latency, 'from stamp to publication', no_latency),
        Metric(
            'jitter_ms', measured.jitter_ms, 'ms', LOWER, 1.0, 0.1,
            'mean change of latency from one published frame to the next',
            '' if measured.jitter_ms is not None else no_latency,
        ),
        *_times('processing', measured.processing, 'of a frame, all stages', no_processing),
        *_load([sample for run in runs for sample in run.load]),
    ]  # fmt: skip


def metric_names(config: EvaluationConfig) -> list[str]:
    """Return the names of :func:`list_metrics`, which do not depend on what was measured."""
    return [metric.name for metric in list_metrics(measure([], {}, Measuring()), [], config)]


def is_variant(name: str) -> bool:
    """Whether a name stands for a figure that has another name too, but for its convention."""
    return name.startswith(DEVKIT_PREFIX) or name.endswith(R11_SUFFIX)


def _accuracy(
    evaluation: Evaluation | None, counts: Counts, config: EvaluationConfig
) -> Iterator[Metric]:
    parts: Sequence[ClassEvaluation | None] = (
        evaluation.classes if evaluation else [None] * len(config.classes)
    )
    for i, (name, part) in enumerate(zip(config.classes, parts, strict=True)):
        overlaps = (config.overlaps[i], config.devkit_overlaps[i])
        yield from _average_precisions(name, part, overlaps, counts)
        yield from _errors(name, part, counts)
    value = evaluation.false_boxes_per_frame if evaluation else None
    yield Metric(
        'false_boxes_per_frame', value, '', LOWER, 0.02, 0.05, 'detections of no object',
        '' if evaluation else counts.why_no_truth,
    )  # fmt: skip


def _average_precisions(
    class_name: str, part: ClassEvaluation | None, overlaps: tuple[float, float], counts: Counts
) -> Iterator[Metric]:
    for prefix, table, overlap in (('', 'benchmark', 0), (DEVKIT_PREFIX, 'devkit', 1)):
        for suffix, points in (('', 40), (R11_SUFFIX, 11)):
            scores: dict[tuple[str, str], AveragePrecision] = {
                (score.metric, score.difficulty): score
                for score in (getattr(part, table) if part else ())
            }
            for metric in METRICS:
                in_image = metric in ('2d', 'aos')
                at = overlaps[0 if in_image else overlap]
                for level in DIFFICULTIES:
                    score = scores.get((metric, level.name))
                    yield Metric(
                        f'{prefix}{class_name.lower()}/{metric}/{level.name}{suffix}',
                        _average_precision(score, points), '%', HIGHER, 0.5, 0.02,
                        f'AP_R{points} at overlap {at:g}, '
                        f'table {"kitti_benchmark" if table == "benchmark" else "kitti"}',
                        _why_no_average_precision(class_name, part, score, counts),
                    )  # fmt: skip


def _average_precision(score: AveragePrecision | None, points: int) -> float | None:
    if score is None or not score.objects:
        return None
    return score.r40 if points == 40 else score.r11


def _why_no_average_precision(
    class_name: str, part: ClassEvaluation | None, score: AveragePrecision | None, counts: Counts
) -> str:
    if part is None or score is None:
        return counts.why_no_truth
    if not score.objects:
        level = f' of difficulty {score.difficulty}' if part.objects else ''
        return f'no {class_name}{level} is labelled'
    return '' if score.curve is not None else 'detections state no alpha'


def _errors(class_name: str, part: ClassEvaluation | None, counts: Counts) -> Iterator[Metric]:
    errors = part.errors if part else None
    no_truth = counts.why_no_truth
    matched = f'no labelled {class_name} with a 3D box was found' if part else no_truth
    labelled = f'no {class_name} is labelled' if part else no_truth
    false_boxes = errors.false_boxes / counts.scored if errors and counts.scored else None
    depth, heading = (errors.depth, errors.heading) if errors else (None, None)
    rows: list[tuple[str, float | None, str, str, float, str, str]] = [
        ('recall_percent', _percent(errors.recall.recall if errors else None), '%', HIGHER, 0.5,
         'objects found in the image, at the score threshold', labelled),
        ('false_boxes_per_frame', false_boxes, '', LOWER, 0.02,
         'detections of no object', no_truth),
        ('depth_median_m', depth.median_abs_m if depth else None, 'm', LOWER, 0.02,
         'median size of the error of z', matched),
        ('depth_p90_m', depth.p90_abs_m if depth else None, 'm', LOWER, 0.05,
         'size of the error of z that 90% stay below', matched),
        ('depth_median_percent', _percent(depth.median_relative if depth else None), '%', LOWER,
         0.1,
         'median size of the error of z as a share of z', matched),
        ('depth_bias_m', depth.bias_m if depth else None, 'm', NEITHER, 0.02,
         'mean error of z, positive for too far', matched),
        ('heading_median_deg', heading.median_deg if heading else None, 'deg', LOWER, 0.2,
         'median size of the error of rotation_y', matched),
    ]  # fmt: skip
    for name, value, unit, better, slack, meaning, why in rows:
        why = '' if value is not None else why
        full_name = f'{class_name.lower()}/{name}'
        yield Metric(full_name, value, unit, better, slack, 0.05, meaning, why)


def _steadiness(measured: Measurement) -> Iterator[Metric]:
    steady = measured.steadiness
    rows = [
        ('flicker_percent', _percent(steady.flicker), '%', 0.5,
         'boxes that flash, or are missing between two frames that have them'),
        ('depth_jump_median_m', steady.jump_m(0.5), 'm', 0.02,
         'median second difference of z of matched boxes over three frames'),
        ('depth_jump_p90_m', steady.jump_m(0.9), 'm', 0.05,
         'second difference of z that 90% stay below'),
        ('depth_jump_median_percent', _percent(steady.jump_relative(0.5)), '%', 0.1,
         'median second difference of z as a share of z'),
    ]  # fmt: skip
    for name, value, unit, slack, meaning in rows:
        why = '' if value is not None else _NOT_STEADY
        yield Metric(name, value, unit, LOWER, slack, 0.05, meaning, why)


def _frames(counts: Counts, runs: Sequence[RunRecord], unread: Sequence[str]) -> Iterator[Metric]:
    yield Metric('frames_in', counts.frames, '', NEITHER, meaning='images in the bag or received')
    yield Metric(
        'frames_processed', counts.processed, '', HIGHER, 0.0, 0.01, 'frames with results'
    )
    for status in ('dropped', 'failed'):
        value = getattr(counts, status)
        meaning = 'passed over for a newer one' if status == 'dropped' else 'could not be used'
        yield Metric(f'frames_{status}', value, '', LOWER, 0.0, 0.01, meaning)
        share = _percent(value / counts.frames if counts.frames else None)
        why = '' if counts.frames else 'there are no frames'
        yield Metric(f'{status}_percent', share, '%', LOWER, 0.2, 0.05, meaning, why)
    per_frame = counts.detections_per_frame
    yield Metric(
        'detections_per_frame', per_frame, '', NEITHER, 0.05, 0.05,
        'that reach the score threshold', '' if per_frame is not None else _NO_FRAMES,
    )  # fmt: skip
    problems = sum(len(run.problems) + (not run.ended) for run in runs) + len(unread)
    meaning = 'things that could not be read, and runs that did not come to their end'
    yield Metric('problems', problems, '', LOWER, meaning=meaning)


def _times(name: str, times: Times, meaning: str, why: str) -> Iterator[Metric]:
    for part in ('mean', 'p50', 'p95', 'p99', 'worst'):
        value = getattr(times, f'{part}_ms')
        why_missing = '' if value is not None else why
        # The worst of many frames is chance more than the others are.
        share = 0.25 if part == 'worst' else 0.1
        yield Metric(
            f'{name}_{part}_ms', value, 'ms', LOWER, 1.0, share, f'time {meaning}', why_missing
        )


def _load(samples: Sequence[LoadSample]) -> Iterator[Metric]:
    cpu = np.array([sample.cpu_percent for sample in samples])
    memory = np.array([sample.memory_mb for sample in samples])
    why = '' if samples else _NOT_LIVE
    rows = (
        ('cpu_mean_percent', cpu, np.mean, '%', 5.0, 'of one core: 200 is two cores'),
        ('cpu_max_percent', cpu, np.max, '%', 10.0, 'of one core, the highest sample'),
        ('memory_max_mb', memory, np.max, 'MB', 20.0, 'resident, the highest sample'),
    )
    for name, values, reduce, unit, slack, meaning in rows:
        value = float(reduce(values)) if samples else None
        yield Metric(name, value, unit, LOWER, slack, 0.1, meaning, why)


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share
