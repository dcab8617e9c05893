"""How a configuration dataclass describes, checks and reads its options.

Each option is a dataclass field made by :func:`option`, which carries the description, the unit
and the allowed values; :func:`check` holds an instance against them, and :func:`from_mapping`
builds one from a YAML mapping. ROS parameters are declared from the same descriptions.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml

from smoke_ros.files import read_text

T = TypeVar('T')


@dataclasses.dataclass(frozen=True)
class OptionInfo:
    """What is known of one option, beside its type and default."""

    description: str
    unit: str = ''
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    #: Whether a running node takes a new value.
    live: bool = False

    @property
    def allowed(self) -> str:
        """The allowed values in words, or '' where every value of the type is allowed."""
        unit = f' {self.unit}' if self.unit else ''
        if self.choices:
            return 'one of ' + ', '.join(repr(choice) for choice in self.choices)
        if self.low is not None and self.high is not None:
            return f'{self.low:g} to {self.high:g}{unit}'
        if self.low is not None:
            return f'at least {self.low:g}{unit}'
        if self.high is not None:
            return f'at most {self.high:g}{unit}'
        return ''


def option(default: Any, description: str, **info: Any) -> Any:
    """Make a dataclass field with its description; ``info`` as in :class:`OptionInfo`."""
    metadata = {'info': OptionInfo(description, **info)}
    return dataclasses.field(default=default, metadata=metadata)


def option_info(field: dataclasses.Field[Any]) -> OptionInfo:
    """Return what :func:`option` recorded of a field."""
    return field.metadata['info']  # type: ignore[no-any-return]


def check(config: Any) -> None:
    """Hold every option of a configuration against its allowed values.

    Raises
    ------
    ValueError
        Naming the option, what is allowed, and what it got.
    """
    for field in dataclasses.fields(config):
        if 'info' in field.metadata:
            check_value(field.name, getattr(config, field.name), option_info(field))


def check_ranges(config: Any, *names: str) -> None:
    """Hold ``<name>_low`` against ``<name>_high``, for each of the names.

    Raises
    ------
    ValueError
        If one is the wrong way round.
    """
    for name in names:
        low, high = (getattr(config, f'{name}_{end}') for end in ('low', 'high'))
        if low > high:
            raise ValueError(f'{name}_low must be at most {name}_high ({high:g}), got {low:g}')


def check_value(name: str, value: Any, info: OptionInfo) -> None:
    """Check one value; see :func:`check`."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f'{name} must be finite, got {value}')
    if isinstance(value, int | float):
        too_low = info.low is not None and value < info.low
        too_high = info.high is not None and value > info.high
        if too_low or too_high:
            raise ValueError(f'{name} must be {info.allowed}, got {value}')
    if info.choices and value not in info.choices:
        raise ValueError(f'{name} must be {info.allowed}, got {value!r}')


def check_known(name: str, given: Iterable[str], known: Collection[str], also: str = '') -> None:
    """Hold the names that an option was given against those that there are.

    Parameters
    ----------
    name
        Of the option.
    given, known
        What it was given, and what it may be of.
    also
        More words on what it may be of.

    Raises
    ------
    ValueError
        Naming those that are not known.
    """
    if unknown := [each for each in given if each not in known]:
        raise ValueError(f'{name} must be of {", ".join(known)}{also}, got {", ".join(unknown)}')


def read_yaml(path: Path) -> Any:
    """Read a YAML file; None if it is empty.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is not YAML.
    """
    try:
        return yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        what = ' '.join(str(error).split())
        raise ValueError(f'{path}: expected YAML, got something else ({what})') from error


def from_mapping(cls: type[T], mapping: Mapping[str, Any], where: str) -> T:
    """Build a configuration from a mapping such as a YAML file's.

    Lists become tuples, whole numbers are taken for floats, and so is ``5e-4``, which is a string
    to YAML 1.1 (it wants ``5.0e-4``); nothing else is converted.

    Parameters
    ----------
    cls
        The configuration's dataclass.
    mapping
        Option names to values; absent ones keep their default.
    where
        Names the source in error messages, for example the file.

    Raises
    ------
    ValueError
        For what is no mapping, an unknown option, a value of another type than the default's, or
        one out of range.
    """
    if not isinstance(mapping, Mapping):
        raise ValueError(f'{where}: expected options with values, got {type(mapping).__name__}')
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(map(str, set(mapping) - set(fields)))  # YAML's names may be numbers
    if unknown:
        raise ValueError(
            f'{where}: unknown option {", ".join(unknown)}; known are {", ".join(fields)}'
        )
    values = {
        name: _converted(name, value, _example(fields[name]), where)
        for name, value in mapping.items()
    }
    try:
        return cls(**values)
    except (ValueError, TypeError) as error:
        raise ValueError(f'{where}: {error}') from error


def plain(value: Any) -> Any:
    """Turn tuples into lists, all the way down, as YAML files and checkpoints have them."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def _example(field: dataclasses.Field[Any]) -> Any:
    """Return a value of an option's type: its default, or words where an empty one is of words."""
    return ('',) if field.default == () and 'str' in str(field.type) else field.default


#: A number that YAML 1.1 takes for a string, because its exponent has no sign or it has no point.
_EXPONENT = re.compile(r'[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+')


def _converted(name: str, value: Any, default: Any, where: str) -> Any:
    if isinstance(value, list):
        value = _as_tuple(value)
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(default, float):
        value = _number(value)
    if isinstance(default, tuple) and isinstance(value, tuple):
        value = _elements(name, value, default, where)
    if default in (dataclasses.MISSING, None):
        return value
    if value is None:
        raise ValueError(f'{where}: {name} must be of type {type(default).__name__}, got nothing')
    if type(value) is not type(default):
        if isinstance(default, tuple):
            raise ValueError(f'{where}: {name} must be a list, such as [{value}], got {value!r}')
        raise ValueError(
            f'{where}: {name} must be of type {type(default).__name__}, got {value!r}'
        )
    return value


def _elements(name: str, values: tuple[Any, ...], default: tuple[Any, ...], where: str) -> Any:
    """Convert the elements of a tuple, which are of the type of the default's, if it has any."""
    if default and isinstance(default[0], tuple):
        for value in values:
            if not isinstance(value, tuple):
                example = ', '.join(map(str, default[0]))
                raise ValueError(
                    f'{where}: {name} must have lists as elements, such as [{example}], '
                    f'got {value!r}'
                )
        return tuple(_elements(name, value, default[0], where) for value in values)
    if default and isinstance(default[0], str):
        kinds: tuple[type, ...] = (str,)
    else:
        values = tuple(map(_number, values))
        kinds = (int, float) if default and isinstance(default[0], int | float) else ()
    for value in values:
        is_of_kind = isinstance(value, kinds) and not isinstance(value, bool)
        if value is None or (kinds and not is_of_kind):
            expected = kinds[-1].__name__ if kinds else 'values'
            got = 'nothing' if value is None else repr(value)
            raise ValueError(f'{where}: {name} must have elements of type {expected}, got {got}')
    return values


def _number(value: Any) -> Any:
    is_one = isinstance(value, str) and _EXPONENT.fullmatch(value)
    return float(value) if is_one else value


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(item) for item in value) if isinstance(value, list) else value
