"""ROS parameters out of the configuration dataclasses, and back into them."""

from __future__ import annotations

import dataclasses
import difflib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from smoke_ros.config.detector import DetectorConfig
from smoke_ros.config.error_model import ErrorModel
from smoke_ros.config.node import NodeConfig
from smoke_ros.config.options import OptionInfo, from_mapping, option_info

#: Parameters that every node has, which are not for us to read.
_STANDARD = ('use_sim_time', 'start_type_description_service')
_STANDARD_PREFIXES = ('qos_overrides.',)

_LARGEST_INTEGER = 2**31 - 1

#: The dataclasses whose options are parameters, in the order of :class:`Settings`.
PARTS: tuple[type, ...] = (NodeConfig, DetectorConfig, ErrorModel)


@dataclass(frozen=True)
class Settings:
    """All that the node is told: its own options, the detector's, and what covariances say."""

    node: NodeConfig = NodeConfig()
    detector: DetectorConfig = DetectorConfig()
    errors: ErrorModel = ErrorModel()

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Settings:
        """Make settings of parameter values; those that are absent keep their defaults.

        Raises
        ------
        ValueError
            In one sentence, for an unknown name, or a value of the wrong type or out of range.
        """
        groups: dict[type, dict[str, Any]] = {part: {} for part in PARTS}
        for name, value in values.items():
            if name not in OWNERS:
                raise ValueError(f'unknown parameter {name!r}' + _suggestion(name))
            groups[OWNERS[name]][name] = value
        return cls(*(from_mapping(group, groups[group], 'parameters') for group in groups))

    def values(self) -> dict[str, Any]:
        """Return every option by its name."""
        return {
            field.name: getattr(part, field.name)
            for part in (self.node, self.detector, self.errors)
            for field in dataclasses.fields(part)
        }

    def updated(self, parameters: Iterable[Parameter]) -> Settings:
        """Return these settings with some parameters changed; see :meth:`from_values`."""
        changes = {p.name: _as_yaml_value(p.value) for p in parameters if p.name in OWNERS}
        return Settings.from_values({**self.values(), **changes})


def _fields() -> dict[str, tuple[type, dataclasses.Field[Any]]]:
    return {f.name: (part, f) for part in PARTS for f in dataclasses.fields(part)}


#: Which dataclass an option belongs to; their names do not overlap.
OWNERS: dict[str, type] = {name: owner for name, (owner, _) in _fields().items()}


def declare_parameters(node: Node) -> Settings:
    """Declare all parameters of a node and return what it was started with.

    The node must have been made with ``automatically_declare_parameters_from_overrides``: only so
    are misspelt names seen, and whole numbers taken where a fraction could stand.

    Raises
    ------
    ValueError
        As :meth:`Settings.from_values`.
    """
    given = _take_overrides(node)
    settings = Settings.from_values(given)
    values = settings.values()
    for name, (_, field) in _fields().items():
        value = list(values[name]) if isinstance(values[name], tuple) else values[name]
        descriptor = describe(option_info(field), value)
        node.declare_parameter(name, value, descriptor, ignore_override=True)
    return settings


def refuse_empty(overrides: Mapping[str, Parameter], cause: Exception) -> None:
    """Name the parameters that were given no value, such as ``[]``, in a ValueError."""
    empty = [name for name, parameter in overrides.items() if parameter.value is None]
    if empty:
        raise ValueError(
            f'parameters: {", ".join(empty)} must have a value, got an empty list or nothing; '
            'leave it out for the default'
        ) from cause


def describe(info: OptionInfo, value: Any) -> ParameterDescriptor:
    """Return the descriptor of an option: what it is, its range, whether it may change."""
    unit = f' [{info.unit}]' if info.unit else ''
    descriptor = ParameterDescriptor(
        description=info.description + unit,
        additional_constraints=info.allowed if info.choices else '',
        read_only=not info.live,
    )
    if info.low is None and info.high is None:
        return descriptor
    if isinstance(value, float):
        low = -sys.float_info.max if info.low is None else float(info.low)
        high = sys.float_info.max if info.high is None else float(info.high)
        descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    elif isinstance(value, int):
        low = -_LARGEST_INTEGER if info.low is None else int(info.low)
        high = _LARGEST_INTEGER if info.high is None else int(info.high)
        descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
    return descriptor


def _take_overrides(node: Node) -> dict[str, Any]:
    """Remove what rclpy declared by itself, without descriptors, and return its values."""
    taken = {}
    for name in list(node.get_parameters_by_prefix('')):
        if name in _STANDARD or name.startswith(_STANDARD_PREFIXES):
            continue
        taken[name] = _as_yaml_value(node.get_parameter(name).value)
        node.undeclare_parameter(name)
    return taken


def _as_yaml_value(value: Any) -> Any:
    """Return arrays of any kind as lists, as YAML has them, and all else as it is."""
    is_array = hasattr(value, '__len__') and not isinstance(value, str | bytes)
    return list(value) if is_array else value


def _suggestion(name: str) -> str:
    close = difflib.get_close_matches(name, OWNERS, n=1)
    return f', did you mean {close[0]!r}?' if close else f'; known are {", ".join(OWNERS)}'
