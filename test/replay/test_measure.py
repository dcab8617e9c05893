"""A small drive, measured by hand."""

import math
import re

import pytest

from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.data.kitti import detection_to_object
from smoke_ros.evaluation import evaluate_frames
from smoke_ros.replay.measure import Measuring, measure, measure_replay
from smoke_ros.replay.metrics import is_variant, list_metrics, metric_names
from smoke_ros.replay.records import LoadSample
from smoke_ros.replay.streams import read_replay


@pytest.fixture
def metrics_of(make_replay):
    def measure(frames, **run):
        replay = read_replay(make_replay(frames, **run))
        measured = measure_replay(replay, Measuring())
        listed = list_metrics(measured.whole, replay.runs, EvaluationConfig())
        return measured, {metric.name: metric for metric in listed}

    return measure


def test_offline_drive_without_labels(metrics_of, make_frame, make_box):
    boxes = [make_box(z=5.0), make_box(z=15.0), make_box(x=9.0, z=500.0, name='Pedestrian')]
    boxes.append(make_box(z=25.0, score=0.1))
    frames = [make_frame(0, boxes, stages_ms={'network': 30.0, 'decode': 2.0})]
    frames += [make_frame(1, status='failed', reason='damaged'), make_frame(2, [])]
    measured, metrics = metrics_of(frames)
    counts = measured.whole.counts
    assert (counts.frames, counts.processed, counts.failed, counts.dropped) == (3, 2, 1, 0)
    assert counts.by_class == {
        'Car': (1, 1, 0, 0, 0, 0, 0, 0, 0, 0), 'Pedestrian': (0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
    }  # fmt: skip
    assert metrics['detections_per_frame'].value == pytest.approx(1.5)
    assert metrics['failed_percent'].value == pytest.approx(100 / 3)
    assert metrics['processing_p50_ms'].value == pytest.approx(32.0)
    assert metrics['car/3d/moderate'].value is None
    assert metrics['car/3d/moderate'].why_missing == 'there is no ground truth'
    assert 'live' in metrics['latency_p99_ms'].why_missing
    assert measured.whole.stages['network'].p50_ms == 30.0
    assert measured.streams == (measured.whole,)


def test_a_live_drive_has_no_time_of_processing_and_says_why(metrics_of, make_frame, make_box):
    _, metrics = metrics_of([make_frame(0, [make_box(z=5.0)])], mode='live')
    assert 'offline' in metrics['processing_mean_ms'].why_missing


def test_labelled_drive_has_the_evaluators_figures(metrics_of, make_frame, make_box, make_label):
    truth = [[make_label(z=20.0 + i), make_label(x=8.0, z=30.0)] for i in range(30)]
    found = [[make_box(z=20.2 + i)] for i in range(30)]
    frames = [
        make_frame(i, boxes, ground_truth=tuple(labels))
        for i, (labels, boxes) in enumerate(zip(truth, found, strict=True))
    ]
    frames.append(make_frame(30, status='dropped', ground_truth=(make_label(),)))
    frames.append(make_frame(31, [make_box(x=-9.0)]))
    measured, metrics = metrics_of(frames)
    objects = [[detection_to_object(box) for box in boxes] for boxes in found]
    expected = evaluate_frames(truth, objects)
    assert measured.whole.counts.scored == 30
    for benchmark, prefix in ((True, ''), (False, 'kitti:')):
        for name, figures in expected.kitti(benchmark=benchmark).items():
            if name.startswith('car') and metrics[prefix + name].value is not None:
                assert metrics[prefix + name].value == figures['AP_R40']
                assert metrics[f'{prefix}{name}/r11'].value == figures['AP_R11']
    assert metrics['car/3d/moderate'].value > 0.0
    assert metrics['car/recall_percent'].value == pytest.approx(50.0)
    assert metrics['car/depth_median_m'].value == pytest.approx(0.2)
    assert metrics['car/false_boxes_per_frame'].value == 0.0
    assert metrics['pedestrian/3d/easy'].why_missing == 'no Pedestrian is labelled'


def test_live_drive(metrics_of, make_frame):
    frames = [make_frame(i, latency_ms=20.0 + 10.0 * (i % 2)) for i in range(4)]
    frames.append(make_frame(4, status='dropped', reason='a newer one came'))
    load = (LoadSample(0.0, 100.0, 500.0), LoadSample(1.0, 150.0, 700.0))
    _, metrics = metrics_of(frames, mode='live', load=load, problems=('one message is damaged',))
    expected = {
        'latency_p50_ms': 25.0, 'latency_worst_ms': 30.0, 'jitter_ms': 10.0, 'frames_in': 5,
        'frames_dropped': 1, 'dropped_percent': 20.0, 'cpu_mean_percent': 125.0,
        'cpu_max_percent': 150.0, 'memory_max_mb': 700.0, 'problems': 1,
    }  # fmt: skip
    assert {name: metrics[name].value for name in expected} == expected


def test_topics_and_segments(metrics_of, make_frame, make_box):
    frames = [
        make_frame(i, [make_box()] * (2 if topic == '/left' else 0), topic=topic)
        for i in range(16)
        for topic in ('/left', '/right')
    ]
    measured, _ = metrics_of(frames)
    assert [part.counts.detections for part in measured.streams] == [32, 0]
    assert len(measured.segments) == 8
    assert sum(part.measurement.counts.frames for part in measured.segments) == 32
    assert measured.segments[0].measurement.counts.detections_per_frame == pytest.approx(1.0)


def test_names_are_there_whatever_is_measured(metrics_of, make_frame, make_box, make_label):
    frame = make_frame(0, [make_box()], ground_truth=(make_label(),), latency_ms=1.0)
    _, metrics = metrics_of([frame])
    assert list(metrics) == metric_names(EvaluationConfig())
    for metric in metrics.values():
        assert (metric.value is None) == bool(metric.why_missing), metric
        assert metric.value is None or math.isfinite(metric.value)


def test_variants_are_told_from_the_figures_of_the_benchmark():
    variants = [name for name in metric_names(EvaluationConfig()) if is_variant(name)]
    assert len(variants) == 3 * 3 * 12
    assert not is_variant('car/3d/moderate')


def test_which_way_is_better():
    higher = re.compile(r'.*/(2d|aos|bev|3d)/.*|.*/recall_percent|frames_processed')
    neither = re.compile(r'.*/depth_bias_m|frames_in|detections_per_frame')
    for metric in list_metrics(measure([], {}, Measuring()), [], EvaluationConfig()):
        expected = 'higher' if higher.fullmatch(metric.name) else 'lower'
        assert metric.better == ('' if neither.fullmatch(metric.name) else expected), metric.name


def test_false_boxes_are_counted_over_labelled_frames(metrics_of, make_frame, make_box):
    frames = [make_frame(i, [make_box()], ground_truth=() if i else None) for i in range(4)]
    _, metrics = metrics_of(frames)
    assert metrics['car/false_boxes_per_frame'].value == pytest.approx(1.0)
    assert metrics['false_boxes_per_frame'].value == pytest.approx(1.0)
