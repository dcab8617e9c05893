"""Scoring detections against labels: KITTI's protocol, and what a camera's user asks for."""

from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.evaluation.evaluate import ClassEvaluation, Evaluation, evaluate_frames
from smoke_ros.evaluation.run_info import RunInfo, read_run_info, write_run_info

__all__ = [
    'ClassEvaluation',
    'Evaluation',
    'EvaluationConfig',
    'RunInfo',
    'evaluate_frames',
    'read_run_info',
    'write_run_info',
]
