"""How good a network is on frames that it does not learn from."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from torch.utils.data import DataLoader
from tqdm import tqdm

from smoke_ros.checkpoint import TrainingRecord
from smoke_ros.coder import select_peaks
from smoke_ros.config.data import IGNORE
from smoke_ros.config.detector import DetectorConfig
from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.data.classes import label_meanings
from smoke_ros.data.dataset import KittiDataset, collate
from smoke_ros.data.kitti import DONT_CARE, KittiObject, detection_to_object
from smoke_ros.detector import Detector
from smoke_ros.evaluation import ClassEvaluation, Evaluation, evaluate_frames
from smoke_ros.losses import SmokeLoss, count_positives
from smoke_ros.models import LoadedModel
from smoke_ros.network.smoke import Smoke
from smoke_ros.training.batches import loader_options, read_batches
from smoke_ros.training.interruption import Interruption
from smoke_ros.training.processes import Processes
from smoke_ros.training.run_config import RunConfig

#: Average precision needs the curve down to low scores; below this one there is only noise.
LOWEST_SCORE = 0.05

#: Name, among the figures, of the one by which models are compared.
SCORE = 'score'

#: Objects by frame.
Found = dict[str, list[KittiObject]]


def validate(
    network: Smoke, run: RunConfig, dataset: KittiDataset, processes: Processes,
    interruption: Interruption | None = None,
) -> dict[str, float] | None:  # fmt: skip
    """Score a network on a data set; each process takes a part of it.

    A signal breaks it off, in all processes.

    Returns
    -------
    By name: the losses as training has them; ``score``, the mean of :func:`class_score` over the
    classes; of each class moderate AP_R40 in space, from above and in the image, recall in the
    image, and the median error of depth. NaN for what cannot be said. None where it was broken
    off.
    """
    interruption = interruption or Interruption()
    indices = range(processes.rank, len(dataset), processes.size)
    loader: DataLoader[Any] = DataLoader(
        dataset, batch_size=_images_per_batch(run, processes), sampler=indices, collate_fn=collate,
        **loader_options(run.training.workers, processes.device),
    )  # fmt: skip
    # Layer by layer: some stay in evaluation mode while others learn.
    modes = [(layer, layer.training) for layer in network.modules()]
    found, sums = _detect(network, run, loader, processes, interruption)
    for layer, mode in modes:
        layer.training = mode
    if interruption.is_asked(processes):
        return None
    merged = {frame: items for part in processes.gather(found) for frame, items in part.items()}
    truth = [labels_as_learnt(dataset, frame, run.evaluation) for frame in merged]
    evaluation = evaluate_frames(truth, list(merged.values()), run.evaluation)
    return {**_mean_losses(processes.gather(sums), run), **_figures(evaluation)}


def _images_per_batch(run: RunConfig, processes: Processes) -> int:
    return max(1, run.training.batch_size // (run.training.accumulate * processes.size))


def _detect(
    network: Smoke, run: RunConfig, loader: DataLoader[Any], processes: Processes,
    interruption: Interruption,
) -> tuple[Found, dict[str, float]]:  # fmt: skip
    """Return this process's detections by frame, and the sums of the losses over its images."""
    # The weights are new each time: not worth compiling anything for them.
    detector = Detector(
        LoadedModel('validation', network, run.model, TrainingRecord(), ''),
        str(processes.device),
        DetectorConfig(engine='eager'),
    )
    loss = SmokeLoss(run.model, run.loss)
    found: Found = {}
    sums: dict[str, float] = {}
    hides = None if processes.is_first else True
    thresholds = dict.fromkeys(run.model.classes, LOWEST_SCORE)
    batches = read_batches(loader)
    bar = tqdm(batches, 'validating', len(loader), leave=False, unit=' batches', disable=hides)
    for batch in interruption.until(bar):
        heatmap, regression = detector.network(batch.images)
        targets = batch.targets.to(processes.device)
        parts = loss(heatmap, regression, targets, positives=1).parts
        counts = {'positives': count_positives(targets), 'images': len(batch.frame_ids)}
        for name, value in {**parts, **counts}.items():
            sums[name] = sums.get(name, 0.0) + float(value)
        peaks = select_peaks(heatmap, regression, run.model.top_k).numpy()
        for i, (frame, camera) in enumerate(zip(batch.frame_ids, batch.cameras, strict=True)):
            detections = detector.decode(peaks, i, camera, thresholds, run.model.top_k)
            found[frame] = [detection_to_object(detection) for detection in detections]
    return found, sums


def labels_as_learnt(
    dataset: KittiDataset, frame: str, evaluation: EvaluationConfig
) -> list[KittiObject]:
    """Return a frame's labels under the names that ``class_map`` gives them.

    Names that stand for background keep their own: KITTI's rules know neighbours of a class. So
    do neighbours that are ignored, for a DontCare region excuses a detection in the image only.
    """
    meanings = label_meanings(dataset.config, dataset.model)
    neighbours = {
        other.lower() for name in evaluation.classes for other in evaluation.neighbours_of(name)
    }
    objects = []
    for item in dataset.folder.labels(frame):
        meaning = meanings.get(item.class_name, item.class_name)
        if meaning == IGNORE and item.class_name.lower() not in neighbours:
            item = dataclasses.replace(item, class_name=DONT_CARE)
        elif meaning in dataset.model.classes:
            item = dataclasses.replace(item, class_name=meaning)
        objects.append(item)
    return objects


def _mean_losses(parts: list[dict[str, float]], run: RunConfig) -> dict[str, float]:
    sums: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            sums[name] = sums.get(name, 0.0) + value
    images, positives = sums.pop('images'), sums.pop('positives')
    sums['heatmap'] /= max(1.0, positives)
    share = run.training.images_per_sum / images
    losses = {n: v if n == 'heatmap' else share * v for n, v in sums.items()}
    return {**losses, 'total': sum(losses.values())}


def _figures(evaluation: Evaluation) -> dict[str, float]:
    precisions = evaluation.kitti(benchmark=True)
    figures: dict[str, float] = {}
    for part in evaluation.classes:
        name = part.class_name.lower()
        for metric in ('3d', 'bev', '2d'):
            value = precisions[f'{name}/{metric}/moderate']['AP_R40']
            figures[f'{name}/{metric}'] = _number(value)
        figures[f'{name}/recall'] = _number(part.errors.recall.recall)
        figures[f'{name}/depth_median_m'] = _number(part.errors.depth.median_abs_m)
    scores = [score for part in evaluation.classes if (score := class_score(part)) is not None]
    return {SCORE: sum(scores) / len(scores) if scores else math.nan, **figures}


def class_score(part: ClassEvaluation) -> float | None:
    """Return moderate 3D AP_R40, in percent; None where no object counts.

    With fewer objects than AP has recall points it says nothing, even 0 for detections without a
    fault; then it is F1, of the detections that reach the score threshold.
    """
    [found] = [s for s in part.benchmark if (s.metric, s.difficulty) == ('3d', 'moderate')]
    if not found.objects:
        return None
    if found.meaningful:
        return found.r40
    right = 2 * found.true_positives
    return 100.0 * right / (right + found.false_positives + found.false_negatives)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
