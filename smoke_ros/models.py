"""Models that have a name: ``models/registry.yaml``, and the cache of what it downloads."""

from __future__ import annotations

import dataclasses
import http.client
import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from smoke_ros.checkpoint import Checkpoint, TrainingRecord, build_from, load_checkpoint
from smoke_ros.config.model import ModelConfig
from smoke_ros.config.options import from_mapping, option, read_yaml
from smoke_ros.errors import CheckpointError
from smoke_ros.files import check_target, replacing, sha256
from smoke_ros.network.smoke import Smoke, build_network
from smoke_ros.resources import resource

#: The model with random weights: for plumbing, timing and tests. It detects nothing.
RANDOM = 'random'
#: The source of a file that users have to get themselves.
MANUAL = 'manual'

_BLOCK = 1 << 20
_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class ModelEntry:
    """One entry of the registry."""

    name: str = option('', 'what users call it')
    source: str = option('', 'a URL, a path beside the registry, "manual", or "random"')
    file: str = option('', 'name of the file in the cache')
    sha256: str = option('', 'SHA-256 of the file, or the first digits of it')
    instructions: str = option('', 'how to get the file where it cannot be downloaded')
    family: str = option('', 'whose checkpoint it is: official, mmdet3d or smoke_ros')
    classes: tuple[str, ...] = option((), 'class names, in heatmap channel order')
    input_size: tuple[int, int] = option((1280, 384), 'width and height of the input', unit='px')
    training_focal_px: float = option(0.0, 'focal length of the training camera', unit='px')
    split: str = option('', 'data and split it was trained on')
    licence: str = option('', 'licence of the weights')

    @property
    def is_download(self) -> bool:
        """Whether the weights come from a URL."""
        return '://' in self.source


@dataclass(frozen=True)
class LoadedModel:
    """A network ready to run, and where it came from."""

    name: str
    network: Smoke
    config: ModelConfig
    training: TrainingRecord
    #: SHA-256 of the weights file; '' for random weights.
    sha256: str


def load_model(name_or_path: str | Path, registry: Path | None = None) -> LoadedModel:
    """Load a model by its registry name, downloading it where needed, or from a weights file.

    Raises
    ------
    ValueError
        If it is neither a name in the registry nor a file.
    FileNotFoundError, CheckpointError
        If the weights cannot be had or do not fit.
    """
    text = str(name_or_path)
    entries = read_registry(registry or resource('models/registry.yaml'))
    if text in entries:
        entry = entries[text]
        if entry.source == RANDOM:
            return _random_model(entry)
        path = fetch(entry)
        loaded = _load_file(path, text)
        _check_entry(entry, loaded.config, path)
        return loaded
    path = Path(text).expanduser()
    if not path.is_file():
        raise ValueError(
            f'no model {text!r}: it is neither a file nor one of {", ".join(entries)} '
            '(models/registry.yaml)'
        )
    return _load_file(path, path.stem)


def read_registry(path: Path) -> dict[str, ModelEntry]:
    """Read the registry, by model name.

    Raises
    ------
    ValueError
        Naming what is wrong with which entry.
    """
    entries: dict[str, ModelEntry] = {}
    for name, values in _checked_mapping(read_yaml(path), 'models by name', f'{path}').items():
        _checked_mapping(values, 'its fields', f'{path}: {name}')
        entry = from_mapping(ModelEntry, {'name': name, **values}, f'{path}: {name}')
        if not entry.is_download and entry.source not in (RANDOM, MANUAL):
            entry = dataclasses.replace(entry, source=str(path.parent / entry.source))
        entries[name] = entry
    return entries


def _checked_mapping(content: Any, what: str, where: str) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        got = 'nothing' if content is None else repr(content)
        raise ValueError(f'{where}: expected {what}, got {got}')
    return content


def cache_folder() -> Path:
    """Return where downloaded weights are kept.

    ``$SMOKE_ROS_CACHE``, else ``smoke_ros`` in the user's cache folder (``$XDG_CACHE_HOME``).
    """
    if folder := os.environ.get('SMOKE_ROS_CACHE'):
        return Path(folder)
    base = os.environ.get('XDG_CACHE_HOME')
    return (Path(base) if base else Path.home() / '.cache') / 'smoke_ros'


def weights_path(entry: ModelEntry, folder: Path | None = None) -> Path:
    """Return where the file of an entry is, or will be once it is in the cache (``folder``)."""
    if entry.is_download or entry.source == MANUAL:
        return (folder or cache_folder()) / entry.file
    return Path(entry.source)


def weights_of(name_or_path: str | Path) -> Path:
    """Return where the weights are, or will be, of a model that is given as to load_model."""
    entry = read_registry(resource('models/registry.yaml')).get(str(name_or_path))
    return Path(name_or_path).expanduser() if entry is None else weights_path(entry)


def fetch(entry: ModelEntry, folder: Path | None = None) -> Path:
    """Return the file of an entry, downloading it into the cache if it is not there.

    The file is put in place only after its hash was found right, so that an interrupted or
    damaged download is never used.

    Raises
    ------
    FileNotFoundError
        If it is not there and cannot be downloaded; says which file to put where.
    CheckpointError
        If what was downloaded, or was put there, is another file.
    """
    path = weights_path(entry, folder)
    if path == Path(entry.source):
        return path
    if not path.exists():
        if entry.source == MANUAL:
            raise FileNotFoundError(
                f'model {entry.name} has to be fetched by hand: {entry.instructions} '
                f'Put the file at {path}'
            )
        _download(entry, path)
    else:
        _check_hash(entry, path, f'remove {path} and fetch it again')
    return path


def _download(entry: ModelEntry, path: Path) -> None:
    try:
        check_target(path)
    except OSError as error:
        raise FileNotFoundError(
            f'model {entry.name} cannot be kept ({error}): set SMOKE_ROS_CACHE to a folder that '
            'can be written to'
        ) from error
    with replacing(path) as temporary:
        try:
            _copy_url(entry.source, temporary, entry.file)
        # HTTPException, of what breaks the protocol, is not among the others.
        except (OSError, http.client.HTTPException) as error:
            reason = ' '.join(str(error).split())  # what is no HTTP may have lines
            raise FileNotFoundError(
                f'could not download model {entry.name} from {entry.source} ({reason}); '
                f'fetch it on a machine with a network and put it at {path}'
            ) from error
        remedy = f'it was not kept; fetch {entry.source} in another way and put it at {path}'
        _check_hash(entry, temporary, remedy)


def _copy_url(url: str, path: Path, label: str) -> None:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response, path.open('wb') as stream:
        length = int(response.headers.get('Content-Length', 0))
        with tqdm(
            total=length or None, desc=label, unit='B', unit_scale=True, disable=None
        ) as bar:
            while block := response.read(_BLOCK):
                stream.write(block)
                bar.update(len(block))
        if length and stream.tell() != length:
            raise OSError(f'expected {length} bytes, got {stream.tell()}')


def _check_hash(entry: ModelEntry, found: Path, remedy: str) -> None:
    if not entry.sha256:
        return
    digest = sha256(found)
    if not digest.startswith(entry.sha256):
        raise CheckpointError(
            f'the file for model {entry.name} is not the one it should be: expected SHA-256 '
            f'{entry.sha256}..., got {digest}; {remedy}'
        )


def _check_entry(entry: ModelEntry, config: ModelConfig, path: Path) -> None:
    """Hold what the registry says of a model against what its weights file says."""
    said = (entry.classes, entry.input_size)
    found = (config.classes, (config.input_width, config.input_height))
    if said != found:
        raise CheckpointError(f'{path}: the registry says {said} of {entry.name}, it is {found}')


def _load_file(path: Path, name: str) -> LoadedModel:
    checkpoint: Checkpoint = load_checkpoint(path)
    network = build_from(checkpoint, str(path))
    return LoadedModel(name, network, checkpoint.model, checkpoint.training, sha256(path))


def _random_model(entry: ModelEntry) -> LoadedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_network(ModelConfig())
    # All scores stay close to the fresh bias's 0.1, below any threshold that makes sense.
    with torch.no_grad():
        network.heads.heatmap[-1].weight.mul_(0.01)  # type: ignore[operator,union-attr]
    return LoadedModel(entry.name, network, ModelConfig(), TrainingRecord(), '')
