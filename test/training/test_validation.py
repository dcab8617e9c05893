import dataclasses

import pytest
import torch
from tiny_smoke import CAMERA, FRAMES, MODEL, make_job, make_network, make_object, make_run
from torch import nn

from smoke_ros import coder
from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.data.dataset import KittiDataset, collate
from smoke_ros.data.kitti import write_objects
from smoke_ros.evaluation import evaluate_frames
from smoke_ros.losses import SmokeLoss
from smoke_ros.preprocess import InputGeometry
from smoke_ros.training.learner import Learner
from smoke_ros.training.processes import Processes
from smoke_ros.training.validation import class_score, labels_as_learnt, validate

ALONE = Processes(torch.device('cpu'))


class Knowing(nn.Module):
    """Says of each image what its labels say, in the order in which images come."""

    def __init__(self, error_m: float = 0.0) -> None:
        super().__init__()
        self._count, self._error_m = 0, error_m

    def forward(self, images):
        outputs = [self._frame(i) for i in range(self._count, self._count + len(images))]
        self._count += len(images)
        heatmaps, regressions = zip(*outputs, strict=True)
        return torch.stack(heatmaps), torch.stack(regressions)

    def _frame(self, index: int):
        size = (MODEL.input_width, MODEL.input_height)
        geometry = InputGeometry.centred((CAMERA.width, CAMERA.height), size)
        heatmap = torch.full((2, MODEL.feature_height, MODEL.feature_width), 1e-4)
        regression = torch.zeros(8, MODEL.feature_height, MODEL.feature_width)
        for item in (make_object(*values) for values in FRAMES[index]):
            u, v = geometry.feature_from_image[:2] @ [*CAMERA.project(item.location), 1.0]
            x, y = int(u), int(v)
            heatmap[MODEL.classes.index(item.class_name), y, x] = 0.9
            depth = item.location[2] + self._error_m
            regression[0, y, x] = coder.encode_depth(depth, MODEL.depth_reference)
            regression[1:3, y, x] = torch.tensor([u - x, v - y])
            regression[6:8, y, x] = coder.encode_alpha(torch.tensor(item.alpha))
        return heatmap, regression


def run_and_dataset(frames):
    run = make_run(frames)
    return run, KittiDataset(run.data, run.model, training=False)


def test_right_boxes_score_fully(frames):
    figures = validate(Knowing(), *run_and_dataset(frames), ALONE)
    assert figures['score'] == 100.0
    assert figures['car/recall'] == figures['pedestrian/recall'] == 1.0
    assert figures['car/depth_median_m'] == pytest.approx(0.0, abs=1e-4)
    assert figures['location'] == pytest.approx(0.0, abs=1e-4)


def test_wrong_depths_show(frames):
    figures = validate(Knowing(error_m=2.0), *run_and_dataset(frames), ALONE)
    assert figures['score'] == 0.0
    assert figures['car/recall'] == 1.0  # in the image
    assert figures['car/depth_median_m'] == pytest.approx(2.0, abs=1e-4)
    assert figures['location'] > 0.1


@pytest.mark.parametrize(('count', 'expected'), [(50, 100.0), (3, 100.0)])
def test_score_is_ap_where_that_means_something(count, expected):
    objects = [[make_object('Car', 0.0, 9.0, 0.3)] for _ in range(count)]
    config = EvaluationConfig(('Car',), (0.7,), (0.5,))
    [part] = evaluate_frames(objects, objects, config).classes
    assert class_score(part) == pytest.approx(expected)
    [nothing] = evaluate_frames(objects, [[]] * count, config).classes
    assert class_score(nothing) == 0.0


def test_score_of_half_the_objects_and_a_false_box():
    first, second = make_object('Car', 0.0, 9.0, 0.3), make_object('Car', -3.0, 9.0, 0.3)
    false = make_object('Car', 3.0, 9.0, 0.3)
    config = EvaluationConfig(('Car',), (0.7,), (0.5,))
    [part] = evaluate_frames([[first, second]], [[first, false]], config).classes
    assert class_score(part) == pytest.approx(50.0)  # precision 1/2, recall 1/2


def test_class_that_no_object_counts_for_has_no_score():
    [part] = evaluate_frames([[]], [[]], EvaluationConfig(('Car',), (0.7,), (0.5,))).classes
    assert class_score(part) is None


def test_losses_are_those_of_training(frames):
    """One batch of all images has the same loss in training, before its step."""
    job = make_job(frames)
    job = dataclasses.replace(job, training=KittiDataset(job.run.data, MODEL, training=False))
    network = make_network()
    figures = validate(network, job.run, job.training, ALONE)
    assert network.training is True

    learner = Learner(network, SmokeLoss(MODEL, job.run.loss), job.run.training, ALONE)
    batch = collate([job.training[i] for i in range(4)])
    losses = learner.step([batch], 0).losses
    assert {name: figures[name] for name in losses} == pytest.approx(losses, rel=1e-5)


def test_batches_of_any_size_give_the_same(frames):
    run, dataset = run_and_dataset(frames)
    network = make_network()
    whole = validate(network, run, dataset, ALONE)
    options = dataclasses.replace(run.training, batch_size=3)
    parts = validate(network, dataclasses.replace(run, training=options), dataset, ALONE)
    assert parts == pytest.approx(whole, rel=1e-5, nan_ok=True)


def test_labels_have_the_names_that_are_learnt(tmp_path, frames):
    run, _ = run_and_dataset(frames)
    objects = [
        dataclasses.replace(make_object('Car', 0.0, 9.0, 0.0), class_name=name)
        for name in ('Car', 'Van', 'Truck', 'Person_sitting')
    ]
    folder = tmp_path / 'mapped'
    for name in ('image_2', 'calib'):
        (folder / name).mkdir(parents=True)
        for path in (frames / name).iterdir():
            (folder / name / path.name).write_bytes(path.read_bytes())
    write_objects(folder / 'label_2' / '000000.txt', objects)
    meanings = ('Van=Car', 'Truck=ignore', 'Person_sitting=background')
    config = dataclasses.replace(run.data, root=str(folder), class_map=meanings)
    mapped = KittiDataset(config, MODEL, training=False)
    kitti = EvaluationConfig()
    names = [item.class_name for item in labels_as_learnt(mapped, '000000', kitti)]
    assert names == ['Car', 'Car', 'DontCare', 'Person_sitting']
    # A neighbour of Car that is ignored excuses detections in space, too.
    meanings = ('Van=ignore', 'Truck=ignore', 'Person_sitting=ignore')
    mapped = KittiDataset(dataclasses.replace(config, class_map=meanings), MODEL, training=False)
    learnt = labels_as_learnt(mapped, '000000', kitti)
    assert [item.class_name for item in learnt] == ['Car', 'Van', 'DontCare', 'Person_sitting']
    found = [dataclasses.replace(item, class_name='Car', score=0.9) for item in learnt[:2]]
    (car,) = (part for part in evaluate_frames([learnt], [found], kitti).classes
              if part.class_name == 'Car')  # fmt: skip
    assert {score.false_positives for score in car.benchmark} == {0}
