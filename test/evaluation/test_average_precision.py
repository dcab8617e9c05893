"""KITTI's protocol against its own program's figures, a slow version, and figures by hand."""

import json

import numpy as np
import pytest

from smoke_ros import overlap
from smoke_ros.data.kitti import read_objects
from smoke_ros.evaluation import EvaluationConfig, evaluate_frames
from smoke_ros.evaluation.average_precision import DIFFICULTIES, recall_thresholds


@pytest.fixture(scope='module')
def reference(shared_dir):
    folder = shared_dir / 'reference' / 'kitti_eval'
    names = sorted(path.name for path in (folder / 'label_2').glob('*.txt'))
    truth = [read_objects(folder / 'label_2' / name) for name in names]
    detections = [read_objects(folder / 'detections' / name, with_score=True) for name in names]
    return truth, detections, json.loads((folder / 'expected.json').read_text())


def test_every_entry_of_the_reference(reference):
    truth, detections, expected = reference
    got = evaluate_frames(truth, detections).kitti()
    assert got.keys() == expected.keys()
    for key, figures in expected.items():
        assert got[key] == pytest.approx(figures, abs=2e-4), key


def test_the_slow_version_agrees_with_the_reference_too(reference):
    truth, detections, expected = reference
    evaluation = evaluate_frames(truth, detections)
    part = evaluation.classes[0]
    for score in part.devkit:
        curve = slow_curve(truth, detections, evaluation.config, 0, score)
        np.testing.assert_allclose(score.curve, curve, atol=1e-9)
        figures = expected[f'car/{score.metric}/{score.difficulty}']
        assert 100 * curve[1:].mean() == pytest.approx(figures['AP_R40'], abs=2e-4)


@pytest.mark.parametrize('seed', range(4))
def test_crowded_frames_agree_with_the_slow_version(make_object, seed):
    """Ties of scores and overlaps, twins, boxes at the minimum height, neighbours, DontCare."""
    rng = np.random.default_rng(seed)
    frames = [crowded_frame(rng, make_object) for _ in range(20)]
    truth, detections = [frame[0] for frame in frames], [frame[1] for frame in frames]
    evaluation = evaluate_frames(truth, detections)
    reached = 0
    for index, part in enumerate(evaluation.classes):
        for score in (*part.benchmark, *part.devkit):
            curve = slow_curve(truth, detections, evaluation.config, index, score)
            np.testing.assert_allclose(score.curve, curve, atol=1e-9)
            reached += curve[1] > 0
    assert reached > 10


def crowded_frame(rng, make_object):
    truth, detections = [], []
    names = ['Car', 'Car', 'Car', 'Van', 'Pedestrian', 'Person_sitting', 'Cyclist', 'DontCare']
    for _ in range(rng.integers(0, 14)):
        name = str(rng.choice(names))
        x, y, z = rng.uniform(0, 300), float(rng.integers(100, 200)), rng.uniform(5, 15)
        height = float(rng.choice([25.0, 40.0, 24.99, rng.uniform(20, 90)]))
        item = make_object(
            name,
            location=(rng.uniform(-4, 4), 1.0, z),
            rotation_y=rng.uniform(-3, 3),
            observation_angle=rng.uniform(-3, 3),
            truncation=float(rng.choice([0, 0, 0.15, 0.3, 0.4, 0.6])),
            occlusion=int(rng.integers(0, 4)),
            bbox_xyxy_px=(x, y, x + rng.uniform(20, 90), y + height),
        )
        truth.append(item)
        for _ in range(rng.integers(0, 3)):
            noise = rng.choice([0.0, 0.03, 0.1])
            detections.append(
                make_object(
                    str(rng.choice([name, name, name, 'Car'])),
                    location=tuple(np.array(item.location) + rng.normal(0, 2 * noise, 3)),
                    rotation_y=item.rotation_y + rng.normal(0, noise),
                    observation_angle=rng.uniform(-3, 3),
                    bbox_xyxy_px=tuple(np.array(item.bbox_xyxy_px) + rng.normal(0, 50 * noise, 4)),
                    score=round(rng.random(), 1),
                )
            )
    rng.shuffle(detections)
    return truth, detections


def slow_curve(truth, detections, config, index, score):
    """Follow the rules frame by frame and pair by pair, as KITTI's program does."""
    name = config.classes[index].lower()
    level = next(level for level in DIFFICULTIES if level.name == score.difficulty)
    neighbours = [other.lower() for other in config.neighbours_of(name)]
    games = [
        SlowFrame(labels, results, name, neighbours, level, score)
        for labels, results in zip(truth, detections, strict=True)
    ]
    objects = sum(game.objects for game in games)
    assert objects == score.objects
    thresholds = recall_thresholds(
        np.array([s for game in games for s in game.scores_of_right()]), objects
    )
    curve = np.zeros(41)
    for i, threshold in enumerate(thresholds):
        counts = [game.count(threshold) for game in games]
        right, wrong, similarity = (sum(column) for column in zip(*counts, strict=True))
        value = similarity if score.metric == 'aos' else right
        curve[i] = value / (right + wrong) if right + wrong else 0.0
    return np.array([curve[i:].max() for i in range(41)]) * (np.arange(41) < len(thresholds))


class SlowFrame:
    def __init__(self, labels, results, name, neighbours, level, score):
        self.least = score.min_overlap
        self.results = results
        self.overlaps, self.excused = overlap_table(labels, results, score)
        self.takers = []
        for i, item in enumerate(labels):
            label = item.class_name.lower()
            height = item.bbox_xyxy_px[3] - item.bbox_xyxy_px[1]
            easy_enough = (
                item.occlusion <= level.max_occlusion
                and item.truncation <= level.max_truncation
                and height >= level.min_height_px
            )
            if label == name or label in neighbours:
                self.takers.append((i, item, label == name and easy_enough))
        self.objects = sum(counts for *_, counts in self.takers)
        self.kinds = []
        for item in results:
            small = abs(item.bbox_xyxy_px[3] - item.bbox_xyxy_px[1]) < level.min_height_px
            mine = item.class_name.lower() == name
            self.kinds.append('small' if small else 'scored' if mine else 'other')

    def candidates(self, i, taken, threshold):
        for j, item in enumerate(self.results):
            free = self.kinds[j] != 'other' and j not in taken and item.score >= threshold
            if free and self.overlaps[i][j] > self.least:
                yield j, self.overlaps[i][j]

    def scores_of_right(self):
        taken, scores = set(), []
        for i, _, counts in self.takers:
            best = None
            for j, _ in self.candidates(i, taken, -1.0):
                if best is None or self.results[j].score > self.results[best].score:
                    best = j
            if best is not None:
                taken.add(best)
                if counts and self.kinds[best] == 'scored':
                    scores.append(self.results[best].score)
        return scores

    def count(self, threshold):
        taken, right, similarity = set(), 0, 0.0
        for i, label, counts in self.takers:
            found = list(self.candidates(i, taken, threshold))
            scored = [pair for pair in found if self.kinds[pair[0]] == 'scored']
            if not found:
                continue
            # max() keeps the first of equals.
            j = max(scored, key=lambda pair: pair[1])[0] if scored else found[0][0]
            taken.add(j)
            if counts and scored:
                right += 1
                turn = label.observation_angle - self.results[j].observation_angle
                similarity += (1 + np.cos(turn)) / 2
        wrong = 0
        for j, item in enumerate(self.results):
            if self.kinds[j] == 'scored' and j not in taken and item.score >= threshold:
                wrong += not self.excused[j]
        return right, wrong, similarity


def overlap_table(labels, results, score):
    """Overlap of each label with each result, and which results a DontCare region excuses."""
    if not labels or not results:
        return [[]] * len(labels), [False] * len(results)
    if score.metric not in ('2d', 'aos'):
        function = overlap.overlap_bev if score.metric == 'bev' else overlap.overlap_3d
        boxes = overlap.box_rows(labels)[:, None], overlap.box_rows(results)
        return function(*boxes).tolist(), [False] * len(results)
    boxes = (np.array([item.bbox_xyxy_px for item in items]) for items in (labels, results))
    truth, found = boxes
    regions = truth[[item.class_name == 'DontCare' for item in labels]]
    shares = overlap.share_inside_2d(found[:, None], regions)
    return overlap.overlap_2d(truth[:, None], found).tolist(), (shares > score.min_overlap).any(1)


def test_recall_thresholds_by_hand():
    # Two objects of two found: recalls 1/2 and 1 lie on both sides of 0 and 1/40.
    np.testing.assert_array_equal(recall_thresholds(np.array([0.3, 0.9]), 2), [0.9, 0.3])
    # Four hundred found of four hundred: every tenth score, from the first, and the last.
    scores = np.linspace(1.0, 0.0, 400)
    picked = np.searchsorted(-scores, -recall_thresholds(scores, 400))
    assert len(picked) == 41
    np.testing.assert_array_equal(picked[:4], [0, 9, 19, 29])
    assert picked[-1] == 399
    # Half of them found: half of the points.
    assert len(recall_thresholds(scores[:200], 400)) == 21
    assert len(recall_thresholds(np.zeros(0), 400)) == 0


@pytest.mark.parametrize(('count', 'r11', 'r40'), [(41, 100.0, 100.0), (40, 1000 / 11, 97.5)])
def test_ground_truth_scores_100_if_there_are_enough_objects(make_object, count, r11, r40):
    truth = [[make_object()] for _ in range(count)]
    detections = [[make_object(score=0.5 + i / 100)] for i in range(count)]
    part = evaluate_frames(truth, detections).classes[0]
    assert len(part.benchmark) == 12
    for score in part.benchmark:
        assert (score.r11, score.r40) == (pytest.approx(r11), pytest.approx(r40))
        assert score.meaningful == (count == 41)
        assert (score.precision, score.recall) == (1.0, 1.0)


def test_aos_by_hand(make_object):
    truth = [[make_object()] for _ in range(41)]
    detections = [[make_object(score=0.5, observation_angle=np.pi / 2)] for _ in range(41)]
    scores = {
        score.metric: score.r40 for score in evaluate_frames(truth, detections).classes[0].devkit
    }
    assert scores['2d'] == pytest.approx(100.0)
    assert scores['aos'] == pytest.approx(50.0)


def moderate_3d(truth, detections, metric='2d', **config):
    config = EvaluationConfig(classes=('Car',), overlaps=(0.7,), devkit_overlaps=(0.7,), **config)
    scores = evaluate_frames([truth], [detections], config).classes[0].benchmark
    return next(s for s in scores if (s.metric, s.difficulty) == (metric, 'moderate'))


def counts(score):
    return score.true_positives, score.false_positives, score.false_negatives


def test_what_is_neither_right_nor_wrong(make_object):
    car = make_object(score=0.9)
    assert counts(moderate_3d([make_object()], [car])) == (1, 0, 0)
    assert counts(moderate_3d([], [car])) == (0, 1, 0)
    assert counts(moderate_3d([make_object()], [])) == (0, 0, 1)
    assert counts(moderate_3d([make_object('Van')], [car])) == (0, 0, 0)
    assert counts(moderate_3d([make_object('Truck')], [car])) == (0, 1, 0)
    assert counts(moderate_3d([make_object(occlusion=2)], [car])) == (0, 0, 0)
    assert counts(moderate_3d([make_object(truncation=0.31)], [car])) == (0, 0, 0)
    assert counts(moderate_3d([make_object(truncation=0.3)], [car])) == (1, 0, 0)
    region = make_object('DontCare', bbox_xyxy_px=(0.0, 0.0, 1200.0, 300.0))
    assert counts(moderate_3d([region], [car])) == (0, 0, 0)
    assert counts(moderate_3d([region], [car], '3d')) == (0, 1, 0)
    assert counts(moderate_3d([], [make_object(score=0.2)])) == (0, 0, 0)


def test_a_small_detection_of_any_class_may_swallow_an_object(make_object):
    small = (600.0, 100.0, 700.0, 124.9)
    label = make_object(bbox_xyxy_px=(600.0, 100.0, 700.0, 125.0))
    tram = make_object('Tram', bbox_xyxy_px=small, score=0.9)
    assert counts(moderate_3d([label], [tram])) == (0, 0, 0)
    # A detection of the class is preferred to it, however little it overlaps.
    car = make_object(bbox_xyxy_px=(600.0, 100.0, 700.0, 134.0), score=0.3)
    assert counts(moderate_3d([label], [tram, car])) == (1, 0, 0)


def test_overlap_has_to_exceed_the_minimum(make_object):
    label = make_object(bbox_xyxy_px=(0.0, 0.0, 100.0, 100.0))
    exact = make_object(bbox_xyxy_px=(0.0, 0.0, 70.0, 100.0), score=0.9)
    more = make_object(bbox_xyxy_px=(0.0, 0.0, 71.0, 100.0), score=0.9)
    assert counts(moderate_3d([label], [exact])) == (0, 1, 1)
    assert counts(moderate_3d([label], [more])) == (1, 0, 0)


def test_detections_without_a_heading_have_no_aos_but_ap(make_object):
    truth, car = [make_object()], make_object(score=0.9, observation_angle=-10.0)
    assert moderate_3d(truth, [car], 'aos').r40 is None
    assert moderate_3d(truth, [car], '2d').r40 is not None
