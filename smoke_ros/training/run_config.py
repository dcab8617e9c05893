"""The YAML file of a run: a section for each part of the configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from smoke_ros.config.data import DataConfig
from smoke_ros.config.evaluation import EvaluationConfig
from smoke_ros.config.loss import LossConfig
from smoke_ros.config.model import ModelConfig
from smoke_ros.config.options import from_mapping, plain, read_yaml
from smoke_ros.config.training import TrainingConfig

Sections = dict[str, dict[str, Any]]

SECTIONS = ('model', 'data', 'validation', 'loss', 'training', 'evaluation')

#: Overlap at which a detection is right, where KITTI has none for its class.
OTHER_OVERLAP = 0.5

#: Options that a run may have otherwise when it is resumed: they do not change what is learnt.
CHANGEABLE = frozenset({
    # Which frames are learnt from is held against the checkpoint's list of their names.
    'data.root', 'data.split', 'validation.root', 'validation.split', 'training.workers',
    'training.log_every', 'training.checkpoint_every', 'training.validate_every',
    'training.tensorboard',
    # It follows from the data's.
    'model.focal_tolerance',
    # They have done their work.
    'training.init', 'training.reset_heads',
})  # fmt: skip


@dataclass(frozen=True)
class RunConfig:
    """Everything that a training run is made from."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    #: The frames that are validated on; None for no validation.
    validation: DataConfig | None = None
    loss: LossConfig = LossConfig()
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()

    def as_mapping(self) -> Sections:
        """Return the sections as plain values, as a checkpoint stores them."""
        mapping = plain(dataclasses.asdict(self))
        if self.validation is None:
            del mapping['validation']
        return mapping  # type: ignore[no-any-return]


def read_sections(path: Path, overrides: Sequence[str] = ()) -> Sections:
    """Read a run's YAML file.

    Parameters
    ----------
    path
        A mapping of sections (:data:`SECTIONS`), each a mapping of options, or the path of a file
        that holds it, from this file's folder.
    overrides
        Options in its place, such as 'training.batch_size=8'; values are YAML.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it or an override is malformed.
    """
    sections: Sections = {}
    for name, options in _read_mapping(path).items():
        _check_section(name, str(path))
        if isinstance(options, str):
            options = _read_mapping(path.parent / options)
        if not isinstance(options, dict | None):
            raise ValueError(f'{path}: {name} must have options with values, got {options!r}')
        sections[name] = dict(options or {})
    for override in overrides:
        key, equals, text = override.partition('=')
        section, dot, name = key.partition('.')
        if not (equals and dot and name):
            raise ValueError(f'expected SECTION.OPTION=VALUE, got {override!r}')
        _check_section(section, override)
        sections.setdefault(section, {})[name] = _parse_value(text, override)
    return sections


def make_run_config(sections: Sections, where: str, base: ModelConfig | None = None) -> RunConfig:
    """Make a run's configuration from its sections.

    Parameters
    ----------
    sections
        As :func:`read_sections` gives them.
    where
        Names the source in error messages.
    base
        What is not given of the model is as in this one, that of the initial weights.

    Raises
    ------
    ValueError
        For an unknown option, a value of another type, or one out of range.
    """
    model = _make_model(sections.get('model', {}), base or ModelConfig(), f'{where}: model')
    data = sections.get('data', {})
    validation = None
    if 'validation' in sections:
        validation = _make(DataConfig, {**data, **sections['validation']}, where, 'validation')
    return RunConfig(
        model=model,
        data=_make(DataConfig, data, where, 'data'),
        validation=validation,
        loss=_make(LossConfig, sections.get('loss', {}), where, 'loss'),
        training=_make(TrainingConfig, sections.get('training', {}), where, 'training'),
        evaluation=_make_evaluation(sections.get('evaluation', {}), model, where),
    )


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say which options differ, of those that a resumed run must have alike."""
    found = []
    for section in SECTIONS:
        before, after = old.get(section) or {}, new.get(section) or {}
        if before and after:
            # What an older version did not know yet was as it is by default.
            before = {**_DEFAULTS[section], **before}
        for name in sorted({*before, *after}):
            was, now = before.get(name), after.get(name)
            if was != now and f'{section}.{name}' not in CHANGEABLE:
                found.append(f'{section}.{name} (was {was!r}, is {now!r})')
    return found


def _read_mapping(path: Path) -> dict[str, Any]:
    content = read_yaml(path) or {}
    if not isinstance(content, dict):
        raise ValueError(f'{path}: expected names with values, got {type(content).__name__}')
    return content


def _check_section(name: str, where: str) -> None:
    if name not in SECTIONS:
        raise ValueError(f'{where}: unknown section {name!r}; known are {", ".join(SECTIONS)}')


def _parse_value(text: str, override: str) -> Any:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f'{override}: expected a YAML value: {error}') from error
    if isinstance(value, str):
        # YAML 1.1 takes 1e-3, without a point, for a word.
        try:
            return float(value)
        except ValueError:
            return value
    return '' if value is None else value


def _make(cls: type[Any], options: Mapping[str, Any], where: str, section: str) -> Any:
    return from_mapping(cls, options, f'{where}: {section}')


def _make_model(options: Mapping[str, Any], base: ModelConfig, where: str) -> ModelConfig:
    values = {**dataclasses.asdict(base), **options}
    if not isinstance(values['classes'], list | tuple):
        raise ValueError(f'{where}: classes must be a list of names, got {values["classes"]!r}')
    if 'classes' in options and 'dimension_reference' not in options:
        known = dict(zip(base.classes, base.dimension_reference, strict=True))
        unknown = [name for name in options['classes'] if name not in known]
        if unknown:
            raise ValueError(
                f'{where}: dimension_reference must be given, no size is known of '
                f'{", ".join(map(str, unknown))}; `smoke-ros dataset stats` measures it'
            )
        values['dimension_reference'] = [known[name] for name in options['classes']]
    if 'duplicate_overlaps' not in options:
        values['duplicate_overlaps'] = list(base.inherited_overlaps(options))
    return from_mapping(ModelConfig, values, where)


def _make_evaluation(
    options: Mapping[str, Any], model: ModelConfig, where: str
) -> EvaluationConfig:
    """Score the model's classes, KITTI's with KITTI's overlaps, where nothing else is given."""
    if 'classes' in options:
        return _make(EvaluationConfig, options, where, 'evaluation')  # type: ignore[no-any-return]
    kitti = EvaluationConfig()
    names = [name.lower() for name in kitti.classes]  # of which evaluation ignores the case
    overlaps = dict(zip(names, kitti.overlaps, strict=True))
    lenient = dict(zip(names, kitti.devkit_overlaps, strict=True))
    classes = [name.lower() for name in model.classes]
    values = {
        'classes': model.classes,
        'overlaps': tuple(overlaps.get(name, OTHER_OVERLAP) for name in classes),
        'devkit_overlaps': tuple(lenient.get(name, OTHER_OVERLAP) for name in classes),
    }
    return _make(EvaluationConfig, {**values, **options}, where, 'evaluation')  # type: ignore[no-any-return]


#: Of a section's options, as :meth:`RunConfig.as_mapping` has them.
_DEFAULTS = RunConfig(validation=DataConfig()).as_mapping()
