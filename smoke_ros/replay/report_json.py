"""The report of a replay for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from smoke_ros import __version__
from smoke_ros.evaluation.evaluate import Evaluation
from smoke_ros.evaluation.frames import Provenance
from smoke_ros.evaluation.report_json import as_json as evaluation_json
from smoke_ros.evaluation.run_info import RunInfo
from smoke_ros.replay.measure import Measurement, Measuring, ReplayMeasurements
from smoke_ros.replay.metrics import Metric
from smoke_ros.replay.requirements import Verdict
from smoke_ros.replay.streams import Replay


def as_json(
    replay: Replay,
    measured: ReplayMeasurements,
    metrics: Sequence[Metric],
    verdicts: Sequence[Verdict],
    notes: Sequence[str],
    how: Measuring,
) -> dict[str, Any]:
    """Return the whole report as what json.dumps takes; None where there is no figure."""
    whole = measured.whole
    return {
        'smoke_ros': __version__,
        'runs': [dataclasses.asdict(run) for run in replay.runs],
        'unread': list(replay.unread),
        'config': dataclasses.asdict(how),
        'notes': list(notes),
        'met': all(verdict.met for verdict in verdicts),
        'requirements': [
            {
                'requirement': str(verdict.requirement),
                'met': verdict.met,
                'value': verdict.metric.value,
                'sentence': verdict.sentence,
            }
            for verdict in verdicts
        ],
        'metrics': {
            metric.name: {
                field.name: getattr(metric, field.name)
                for field in dataclasses.fields(metric)
                if field.name != 'name'
            }
            for metric in metrics
        },
        **_measurement_json(whole),
        'evaluation': _full_evaluation(replay, whole.evaluation),
        'streams': [
            {'bag': stream.bag, 'topic': stream.topic, **_measurement_json(part)}
            for stream, part in zip(replay.streams, measured.streams, strict=True)
        ],
        'segments': [
            {
                'bag': segment.bag,
                'start_s': segment.start_s,
                'end_s': segment.end_s,
                **_measurement_json(segment.measurement),
            }
            for segment in measured.segments
        ],
    }


def _measurement_json(measured: Measurement) -> dict[str, Any]:
    steady = measured.steadiness
    return {
        'counts': dataclasses.asdict(measured.counts),
        'latency': dataclasses.asdict(measured.latency),
        'jitter_ms': measured.jitter_ms,
        'processing': dataclasses.asdict(measured.processing),
        'stages': {name: dataclasses.asdict(times) for name, times in measured.stages.items()},
        'steadiness': {
            'frames': steady.frames,
            'boxes': steady.boxes,
            'flashes': steady.flashes,
            'gaps': steady.gaps,
            'flicker': steady.flicker,
            'matched': len(steady.jumps_m),
            'depth_jump_median_m': steady.jump_m(0.5),
            'depth_jump_p90_m': steady.jump_m(0.9),
            'depth_jump_median_relative': steady.jump_relative(0.5),
        },
        'evaluation': _short_evaluation(measured.evaluation),
    }


def _short_evaluation(evaluation: Evaluation | None) -> dict[str, Any] | None:
    if evaluation is None:
        return None
    return {
        'frames': evaluation.frames,
        'kitti': evaluation.kitti(),
        'kitti_benchmark': evaluation.kitti(benchmark=True),
        'false_boxes_per_frame': evaluation.false_boxes_per_frame,
        'classes': {
            part.class_name: {
                'objects': part.objects,
                'recall': part.errors.recall.recall,
                'depth': dataclasses.asdict(part.errors.depth),
            }
            for part in evaluation.classes
        },
    }


def _full_evaluation(replay: Replay, evaluation: Evaluation | None) -> dict[str, Any] | None:
    if evaluation is None:
        return None
    model = replay.runs[0].model
    info = RunInfo(
        str(model.get('name', '')), str(model.get('sha256', '')), str(model.get('trained_on', ''))
    )
    provenance = Provenance(
        labels='ground truth of the replay', detections='the replay',
        split='frames that were processed and have ground truth', run_info=info,
    )  # fmt: skip
    return evaluation_json(evaluation, provenance)
