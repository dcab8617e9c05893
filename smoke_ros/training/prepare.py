"""From a configuration to everything that a run starts with."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from smoke_ros import __version__
from smoke_ros.checkpoint import Checkpoint, TrainingRecord
from smoke_ros.config.data import DataConfig
from smoke_ros.config.model import ModelConfig
from smoke_ros.config.training import TrainingConfig
from smoke_ros.data.classes import check_classes, check_names
from smoke_ros.data.dataset import KittiDataset
from smoke_ros.evaluation.run_info import names_data
from smoke_ros.network.smoke import Smoke, build_network
from smoke_ros.training.freezing import freeze, freeze_stages
from smoke_ros.training.initial_weights import InitialWeights, read_initial_weights, start_from
from smoke_ros.training.run_config import RunConfig, Sections, differences, make_run_config

logger = logging.getLogger(__name__)

#: Calibrations that are looked at, spread evenly over the frames.
MOST_CALIBRATIONS = 500


@dataclass(frozen=True)
class Job:
    """A run before its first step."""

    run: RunConfig
    network: Smoke
    training: KittiDataset
    validation: KittiDataset | None
    #: What checkpoints say of the training.
    record: TrainingRecord


def prepare(sections: Sections, where: str, last: Checkpoint | None = None) -> Job:
    """Read the data, check the configuration against it, and make the network.

    Parameters
    ----------
    sections
        The configuration.
    where
        Names its source in error messages.
    last
        The checkpoint to go on from, where there is one; it brings the weights then.

    Raises
    ------
    ValueError, FileNotFoundError, CheckpointError
        For what is wrong with the configuration, the data or the initial weights.
    """
    weights = None
    if last is None and (source := sections.get('training', {}).get('init')):
        weights = read_initial_weights(str(source))
    base = last.model if last else weights.model if weights else None
    run = make_run_config(sections, where, base)
    _warn_of_late_drops(run.training)
    training = KittiDataset(run.data, run.model, training=True, seed=run.training.seed)
    counts = check_classes(run.data, run.model, training.label_counts, training.box_counts)
    logger.info(
        '%d images to train on, with %s',
        len(training), ', '.join(f'{count} {name}' for name, count in counts.items()),
    )  # fmt: skip
    focal_px = run.model.reference_focal_px
    # Weights that have learnt depth keep the focal length that they have learnt it at.
    if base is None and 'reference_focal_px' not in sections.get('model', {}):
        focal_px = measure_focal_length(training, run.model)
    record = last.training if last else _new_record(run.data, training, weights)
    model = dataclasses.replace(
        run.model, reference_focal_px=focal_px, focal_tolerance=run.data.focal_tolerance,
        trained_on=record.split,
    )  # fmt: skip
    run = dataclasses.replace(run, model=model)
    training.model = model  # its samples' depths are relative to the focal length
    if last:
        _check_same(last.training, run, training)
    validation = KittiDataset(run.validation, model, training=False) if run.validation else None
    if validation is not None:
        if last is None:
            check_names(validation.config, model, validation.label_counts)
        _warn_of_learnt_frames(training, validation)
    record = dataclasses.replace(record, config=run.as_mapping(), version=__version__)
    return Job(run, _make_network(run, weights), training, validation, record)


def _warn_of_late_drops(config: TrainingConfig) -> None:
    late = [drop for drop in config.drops if drop >= config.iterations]
    if config.schedule == 'step' and late:
        logger.warning(
            'the learning rate never drops at %s, of %d iterations: set training.drops to '
            'earlier ones, or training.schedule to cosine',
            ' and '.join(map(str, late)), config.iterations,
        )  # fmt: skip


def _warn_of_learnt_frames(training: KittiDataset, validation: KittiDataset) -> None:
    if training.folder.folder.resolve() != validation.folder.folder.resolve():
        return
    both = set(training.frames) & set(validation.frames)
    if both:
        logger.warning(
            '%d of %d validation frames are trained on as well: the score on them, by which the '
            'best weights are kept, does not tell how others are detected; give validation.split '
            'or validation.root',
            len(both), len(validation),
        )  # fmt: skip


def describe_data(config: DataConfig, dataset: KittiDataset) -> str:
    """Name data and split in words, for example 'kitti train (3712 images)'."""
    root = dataset.folder.folder.resolve()
    name = root.parent.name if root.name == 'training' else root.name
    split = Path(config.split).stem if config.split else 'all'
    return f'{name} {split} ({len(dataset)} images)'


def measure_focal_length(dataset: KittiDataset, model: ModelConfig) -> float:
    """Return the median focal length of a data set's cameras, in pixels of the network's input.

    Depth is learnt at that one, and scaled for cameras with another; logs where the data set has
    several.
    """
    picked = np.linspace(0, len(dataset) - 1, min(len(dataset), MOST_CALIBRATIONS)).astype(int)
    focal_px = []
    for frame in (dataset.frames[i] for i in picked):
        width, height = dataset.folder.image_size(frame)
        camera = dataset.folder.camera(frame, (width, height))
        focal_px.append(camera.K[0, 0] * model.input_width / width)
    median = float(np.median(focal_px))
    spread = (max(focal_px) - min(focal_px)) / median
    if spread > dataset.config.focal_tolerance:
        logger.info(
            'the focal lengths of the training images differ by %.0f%% once they have the '
            "network's width (%.0f to %.0f px): depth is learnt as at %.1f px",
            100 * spread, min(focal_px), max(focal_px), median,
        )  # fmt: skip
    return median


def _make_network(run: RunConfig, weights: InitialWeights | None) -> Smoke:
    torch.manual_seed(run.training.seed)
    network = build_network(run.model)
    if weights is not None:
        start_from(network, run.model, weights, reset_heads=run.training.reset_heads)
    freeze(network, run.training.freeze)
    freeze_stages(network, run.training.freeze_stages)
    return network


def _new_record(
    config: DataConfig, training: KittiDataset, weights: InitialWeights | None
) -> TrainingRecord:
    """Note what the network will have seen, which is what its initial weights have seen too."""
    split, frames = describe_data(config, training), training.frames
    if weights is None:
        return TrainingRecord(split, frames)
    seen = weights.training
    split += f'; started from {weights.source}: {seen.split}'
    known = set(training.frames)
    frames += tuple(frame for frame in seen.frames if frame not in known)
    # The pictures that a trunk has learnt to classify are no frames that a detector is scored on.
    has_unnamed = weights.model is not None and not seen.frames and names_data(seen.split)
    return TrainingRecord(split, frames, other_frames=seen.other_frames or has_unnamed)


def _check_same(record: TrainingRecord, run: RunConfig, training: KittiDataset) -> None:
    """Refuse to go on with other data, whose order would be another, or other options."""
    now = describe_data(run.data, training)
    # Its folder may be another one, and be called otherwise.
    counted = f' ({len(training)} images)'
    if (
        counted not in record.split.partition(';')[0]
        or record.frames[: len(training)] != training.frames
    ):
        raise ValueError(
            f'cannot resume: the run was on {record.split}, the data is now {now}, or has frames '
            'of other names; give the same data, or start another run with --init'
        )
    changed = differences(record.config, run.as_mapping())
    if changed:
        raise ValueError(
            f'cannot resume with another configuration: {"; ".join(changed)}; to go on from '
            'these weights with it, start another run with --init'
        )
