"""Weights files: reading the three kinds there are, and writing ours.

Ours holds ``{'smoke_ros': {format, model, training}, 'state': tensors}``. The authors' files keep
their tensors under ``model``, mmdetection3d's under ``state_dict``; both name them in their own
way and say nothing of input, classes or references, which :data:`smoke_ros.config.model.FAMILIES`
knows. Which kind a file is follows from its content, never from its name.
"""

from __future__ import annotations

import dataclasses
import pickle
import re
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from smoke_ros import __version__
from smoke_ros.config.model import FAMILIES, ModelConfig
from smoke_ros.config.options import from_mapping, plain
from smoke_ros.errors import CheckpointError
from smoke_ros.files import replacing
from smoke_ros.network.layers import Norm
from smoke_ros.network.smoke import Smoke, build_network

FORMAT = 1

State = dict[str, Tensor]

#: A tensor's name in a public family's file -> its name in ours, as regular expressions that are
#: all applied in turn.
RENAMES: dict[str, tuple[tuple[str, str], ...]] = {
    'official': (
        (r'^backbone\.body\.base\.', 'backbone.'),
        (r'^backbone\.body\.dla_up\.', 'neck.'),
        (r'^backbone\.body\.ida_up\.', 'neck.ida_up.'),
        (r'\.deform_conv\.conv_offset_mask\.', '.conv.offset_mask.'),
        (r'\.deform_conv\.', '.conv.'),
        (r'^heads\.predictor\.class_head\.', 'heads.heatmap.'),
        (r'^heads\.predictor\.regression_head\.', 'heads.regression.'),
    ),
    'mmdet3d': (
        (r'^neck\.dla_up\.', 'neck.'),
        (r'^(neck\..*)projs\.0\.', r'\1proj_1.'),
        (r'^(neck\..*)projs\.1\.', r'\1proj_2.'),
        (r'^(neck\..*)projs\.2\.', r'\1proj_3.'),
        (r'^(neck\..*)ups\.0\.', r'\1up_1.'),
        (r'^(neck\..*)ups\.1\.', r'\1up_2.'),
        (r'^(neck\..*)ups\.2\.', r'\1up_3.'),
        (r'^(neck\..*)nodes\.0\.', r'\1node_1.'),
        (r'^(neck\..*)nodes\.1\.', r'\1node_2.'),
        (r'^(neck\..*)nodes\.2\.', r'\1node_3.'),
        (r'^(neck\..*)\.gn\.', r'\1.norm.'),
        (r'\.conv_offset\.', '.offset_mask.'),
        (r'^bbox_head\.conv_cls_prev\.0\.conv\.', 'heads.heatmap.0.'),
        (r'^bbox_head\.conv_cls_prev\.0\.gn\.', 'heads.heatmap.1.'),
        (r'^bbox_head\.conv_cls\.', 'heads.heatmap.3.'),
        (r'^bbox_head\.conv_reg_prevs\.0\.0\.conv\.', 'heads.regression.0.'),
        (r'^bbox_head\.conv_reg_prevs\.0\.0\.gn\.', 'heads.regression.1.'),
        (r'^bbox_head\.conv_regs\.0\.', 'heads.regression.3.'),
    ),
}

#: A prefix of tensor names that only one family has, by which it is recognised.
_SIGNATURES = {'official': 'heads.predictor.', 'mmdet3d': 'bbox_head.'}


@dataclass(frozen=True)
class TrainingRecord:
    """What a checkpoint remembers of how it was made."""

    #: Name of the data and split, for example 'KITTI object train'.
    split: str = ''
    #: Identifiers of the frames it was trained on, where they are known.
    frames: tuple[str, ...] = ()
    #: The whole training configuration as plain values.
    config: Mapping[str, Any] = field(default_factory=dict)
    #: Version of smoke_ros that trained it.
    version: str = __version__
    #: Whether it has seen others too, whose names are not known: those of its initial weights.
    other_frames: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """The content of a weights file, with tensors named as in our network."""

    family: str
    model: ModelConfig
    state: State
    training: TrainingRecord


def load_checkpoint(path: Path | str) -> Checkpoint:
    """Read a weights file of any of the three kinds; nothing in it is executed.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CheckpointError
        If it is damaged, holds anything but tensors and plain values, or weights that are no
        numbers, or is of no known kind.
    """
    path = Path(path)
    checkpoint = _of_any_kind(path, read_content(path))
    broken = [name for name, tensor in checkpoint.state.items() if not tensor.isfinite().all()]
    if broken:
        raise CheckpointError(f'{path}: expected finite weights, got others in {_some(broken)}')
    return checkpoint


def _of_any_kind(path: Path, content: dict[Any, Any]) -> Checkpoint:
    if 'smoke_ros' in content:
        return _ours(path, content)
    # 'state_dict' first: mmdetection3d's files may have other entries, the authors' have 'model'.
    for key in ('state_dict', 'model'):
        if isinstance(content.get(key), dict):
            return _public(path, content[key])
    return _public(path, content)


def build_from(checkpoint: Checkpoint, where: str) -> Smoke:
    """Build a checkpoint's network and load its weights, strictly.

    Raises
    ------
    CheckpointError
        Naming the tensors that are missing, left over, or of another shape.
    """
    network = build_network(checkpoint.model)
    load_strictly(network, checkpoint.state, where)
    return network


def load_strictly(network: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Load tensors that must fit a network exactly; see :func:`build_from`."""
    problems = mismatches(network, state)
    if problems:
        raise CheckpointError(f'{where} does not fit the network: ' + '; '.join(problems))
    network.load_state_dict(dict(state), strict=True)


def mismatches(network: nn.Module, state: Mapping[str, Tensor]) -> list[str]:
    """Say which tensors are missing, left over, or of another shape; empty where all fit."""
    expected = network.state_dict()
    missing = sorted(set(expected) - set(state))
    extra = sorted(set(state) - set(expected))
    reshaped = [
        f'{name} (expected {tuple(expected[name].shape)}, got {tuple(state[name].shape)})'
        for name in sorted(set(expected) & set(state))
        if expected[name].shape != state[name].shape
    ]
    kinds = (('missing', missing), ('left over', extra), ('of another shape', reshaped))
    return [f'{len(names)} {kind}: {_some(names)}' for kind, names in kinds if names]


def save_checkpoint(
    path: Path | str, network: nn.Module, model: ModelConfig,
    training: TrainingRecord | None = None, dtype: torch.dtype | None = None,
    resume: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write our kind of weights file, atomically.

    Parameters
    ----------
    path
        Where to write it.
    network
        A network of ``model``.
    model
        Everything that is needed to run it.
    training
        How it was trained.
    dtype
        To store floating-point tensors in, for example torch.float16; as they are by default.
        Normalisations keep theirs: variances may be beyond float16, and take little room.
    resume
        What training needs to go on from here, of tensors and plain values; detection ignores it.

    Raises
    ------
    CheckpointError
        If a weight does not fit into `dtype`.
    OSError
        If it cannot be written.
    """
    state = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    if dtype is not None:
        state = _converted(network, state, dtype)
    header = {
        'format': FORMAT,
        'model': plain(dataclasses.asdict(model)),
        'training': plain(dataclasses.asdict(training or TrainingRecord())),
    }
    content: dict[str, Any] = {'smoke_ros': header, 'state': state}
    if resume is not None:
        content['resume'] = dict(resume)
    write_content(Path(path), content)


def write_content(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file of tensors and plain values, whole or not at all; see :func:`read_content`.

    Raises
    ------
    OSError
        If it cannot be written, as on a full disk.
    """
    with replacing(path) as temporary:
        try:
            torch.save(content, temporary)
        except RuntimeError as error:
            # PyTorch says no more than where in its code the writing ended.
            raise OSError(
                f'{path}: cannot be written, is there room on the disk? ({_first_line(error)})'
            ) from error


def _converted(network: nn.Module, state: State, dtype: torch.dtype) -> State:
    kept = {
        f'{prefix}.{name}'
        for prefix, module in network.named_modules() if isinstance(module, Norm)
        for name in module.state_dict()
    }  # fmt: skip
    converted = {}
    for name, tensor in state.items():
        is_kept = name in kept or not tensor.is_floating_point()
        converted[name] = tensor if is_kept else tensor.to(dtype)
        if not is_kept and tensor.isfinite().all() and not converted[name].isfinite().all():
            raise CheckpointError(
                f'{name}: expected values that {dtype} can hold, got up to '
                f'{float(tensor.abs().max()):g}; store it in single precision'
            )
    return converted


#: What damaged files lead to: PyTorch reads those of its versions before 1.6 without checks.
_DAMAGE = (
    RuntimeError, EOFError, ValueError, LookupError, OSError, TypeError, AttributeError,
    AssertionError, struct.error,
)  # fmt: skip


def read_content(path: Path) -> dict[Any, Any]:
    """Read a file of tensors and plain values as it is; see :func:`load_checkpoint`."""
    if not path.is_file():
        raise FileNotFoundError(f'no weights file at {path}')
    try:
        with warnings.catch_warnings():
            # Of a pickle of another protocol: it loads, or is refused below in one sentence.
            warnings.simplefilter('ignore', UserWarning)
            content = torch.load(path, map_location='cpu', weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f'{path}: refused, it is damaged or holds more than tensors and plain values '
            '(such a file could run code when loaded)'
        ) from error
    except PermissionError as error:
        raise CheckpointError(
            f'{path}: may not be read ({error.strerror}): change its permissions or its owner'
        ) from error
    except _DAMAGE as error:
        raise CheckpointError(
            f'{path}: damaged or incomplete ({_first_line(error)}); copy or download it again'
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(f'{path}: expected a dictionary, got {type(content).__name__}')
    return content


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _ours(path: Path, content: dict[str, Any]) -> Checkpoint:
    header = content['smoke_ros']
    if not isinstance(header, dict) or header.get('format') != FORMAT:
        found = header.get('format') if isinstance(header, dict) else header
        raise CheckpointError(
            f'{path}: expected checkpoint format {FORMAT}, got {found!r}; '
            'use the version of smoke_ros that wrote it, or a newer one'
        )
    try:
        model = from_mapping(ModelConfig, header['model'], f'{path}: model')
        training = from_mapping(TrainingRecord, header['training'], f'{path}: training')
        state = content['state']
    except KeyError as error:
        raise CheckpointError(f'{path}: expected an entry {error}, there is none') from error
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()
    ):
        raise CheckpointError(f'{path}: expected a dictionary of tensors by name as state')
    # Stored in half precision to be small; computed with in single precision.
    floats = {n: t.float() if t.is_floating_point() else t for n, t in state.items()}
    return Checkpoint('smoke_ros', model, floats, training)


def _public(path: Path, tensors: dict[Any, Any]) -> Checkpoint:
    state = {
        str(name).removeprefix('module.'): tensor
        for name, tensor in tensors.items()
        if isinstance(tensor, Tensor)
    }
    for family, signature in _SIGNATURES.items():
        if any(name.startswith(signature) for name in state):
            model = FAMILIES[family]
            renamed = {rename(name, family): tensor for name, tensor in state.items()}
            return Checkpoint(family, model, renamed, TrainingRecord(split=model.trained_on))
    found = _some(sorted(map(str, tensors)))
    raise CheckpointError(
        f'{path}: not a SMOKE checkpoint: expected one of smoke_ros, of the authors '
        f'(heads.predictor.*) or of mmdetection3d (bbox_head.*), got {found}'
    )


def rename(name: str, family: str) -> str:
    """Return our name of a tensor of a public family."""
    for pattern, replacement in RENAMES[family]:
        name = re.sub(pattern, replacement, name)
    return name


def _some(names: list[str], most: int = 8) -> str:
    rest = f' and {len(names) - most} more' if len(names) > most else ''
    return (', '.join(names[:most]) or 'nothing') + rest
