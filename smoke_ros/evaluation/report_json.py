"""The report for programs."""

from __future__ import annotations

import dataclasses
from typing import Any

from smoke_ros.evaluation.average_precision import AveragePrecision
from smoke_ros.evaluation.camera_errors import CameraErrors, Recall
from smoke_ros.evaluation.evaluate import PROTOCOL, ClassEvaluation, Evaluation
from smoke_ros.evaluation.frames import Provenance
from smoke_ros.evaluation.working_points import WorkingPoint


def as_json(evaluation: Evaluation, provenance: Provenance) -> dict[str, Any]:
    """Return the whole report as what json.dumps takes; None where there is no figure.

    ``kitti`` and ``kitti_benchmark`` hold AP_R11 and AP_R40 in percent, to four digits, by
    ``class/metric/difficulty``: with the overlaps from above and in space of KITTI's first
    evaluation program, and with those of its benchmark.
    """
    return {
        'protocol': PROTOCOL,
        'split': provenance.split,
        'labels': provenance.labels,
        'detections_folder': provenance.detections,
        'frames': evaluation.frames,
        'objects': evaluation.objects,
        'detections': evaluation.detections,
        'false_boxes_per_frame': evaluation.false_boxes_per_frame,
        'config': dataclasses.asdict(evaluation.config),
        'model': dataclasses.asdict(provenance.run_info) if provenance.run_info else None,
        'warnings': list(provenance.warnings),
        'notes': evaluation.notes(),
        'kitti': _rounded(evaluation.kitti()),
        'kitti_benchmark': _rounded(evaluation.kitti(benchmark=True)),
        'classes': {part.class_name: _class_json(part) for part in evaluation.classes},
    }


def _rounded(scores: dict[str, dict[str, float | None]]) -> dict[str, dict[str, float | None]]:
    return {
        key: {name: None if ap is None else round(ap, 4) for name, ap in figures.items()}
        for key, figures in scores.items()
    }


def _class_json(part: ClassEvaluation) -> dict[str, Any]:
    return {
        'objects': part.objects,
        'detections': part.detections,
        'meaningful': part.meaningful,
        'kitti': [_score_json(score) for score in part.devkit],
        'kitti_benchmark': [_score_json(score) for score in part.benchmark],
        **_errors_json(part.errors),
        'working_points': [_working_point_json(point) for point in part.working_points],
    }


def _score_json(score: AveragePrecision) -> dict[str, Any]:
    return {
        'metric': score.metric,
        'difficulty': score.difficulty,
        'overlap': score.min_overlap,
        'objects': score.objects,
        'meaningful': score.meaningful,
        'AP_R11': score.r11,
        'AP_R40': score.r40,
        'precision': score.precision,
        'recall': score.recall,
        'right': score.true_positives,
        'wrong': score.false_positives,
        'missed': score.false_negatives,
        'curve': None if score.curve is None else score.curve.round(6).tolist(),
    }


def _errors_json(errors: CameraErrors) -> dict[str, Any]:
    values = dataclasses.asdict(errors)
    values['recall'] = _recall_json(errors.recall)
    for name in ('recall_by_distance', 'recall_by_occlusion', 'recall_by_truncation'):
        values[name] = [_recall_json(recall) for recall in getattr(errors, name)]
    for row, part in zip(values['calibration'], errors.calibration, strict=True):
        row['precision'] = part.precision
    return {**values, 'calibration_error': errors.calibration_error}


def _working_point_json(point: WorkingPoint) -> dict[str, Any]:
    values = dataclasses.asdict(point)
    for name in ('recall', 'clear_recall'):
        values[name] = _recall_json(getattr(point, name))
    return values


def _recall_json(recall: Recall) -> dict[str, Any]:
    return {**dataclasses.asdict(recall), 'recall': recall.recall}
