"""What a bag has to say of a message type: its name, its definition, its hash.

Everything is read from the Python classes that the messages are made of, so that it is always
that of the bytes on the wire, for every package and every ROS distribution.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rosbags.typesys import Stores, get_types_from_msg, get_typestore

#: A message class, such as sensor_msgs.msg.Image.
MessageClass = type[Any]

#: rosidl's names of basic types in Python, where .msg files have others.
_MSG_NAMES = {'boolean': 'bool', 'octet': 'byte', 'float': 'float32', 'double': 'float64'}

_SEQUENCE = re.compile(r'sequence<(?P<item>.+?)(?:, (?P<most>\d+))?>')
_ARRAY = re.compile(r'(?P<item>.+)\[(?P<count>\d+)\]')
_STRING = re.compile(r'(?P<kind>w?string)<(?P<most>\d+)>')


@dataclass(frozen=True)
class TypeDescription:
    """A message type, as a bag describes it."""

    name: str
    #: The .msg text, with those of all types that are used in it behind.
    definition: str
    #: REP-2011's hash of the type, 'RIHS01_' and 64 digits.
    hash: str


def type_name(message_class: MessageClass) -> str:
    """Return a class's name in ROS, such as ``sensor_msgs/msg/Image``."""
    package = message_class.__module__.split('.')[0]
    return f'{package}/msg/{message_class.__name__}'


def message_class(name: str) -> MessageClass:
    """Return the class of a type such as ``sensor_msgs/msg/Image``.

    Raises
    ------
    ValueError
        If the package or the type is not installed.
    """
    package, _, kind = name.partition('/msg/')
    try:
        return getattr(importlib.import_module(f'{package}.msg'), kind)  # type: ignore[no-any-return]
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f'no message type {name!r}: is the ROS package {package!r} installed, and its '
            'environment sourced?'
        ) from error


def describe(message_class: MessageClass) -> TypeDescription:
    """Describe a message class."""
    name = type_name(message_class)
    types = {}
    for used in _used_types(message_class, {}).values():
        used_name = type_name(used)
        types.update(get_types_from_msg(msg_text(used), used_name))
    store = get_typestore(Stores.EMPTY)
    store.register(types)
    definition, _ = store.generate_msgdef(name, ros_version=2)
    return TypeDescription(name, definition, store.hash_rihs01(name))


def msg_text(message_class: MessageClass) -> str:
    """Return a class's fields as a .msg file has them, without constants and defaults."""
    fields = message_class.get_fields_and_field_types()
    return ''.join(f'{_msg_type(kind)} {name}\n' for name, kind in fields.items())


def _used_types(
    message_class: MessageClass, found: dict[str, MessageClass]
) -> dict[str, MessageClass]:
    """Collect a class and all that its fields are made of, by name."""
    found[type_name(message_class)] = message_class
    for nested in _nested_classes(message_class):
        if type_name(nested) not in found:
            _used_types(nested, found)
    return found


def _nested_classes(message_class_: MessageClass) -> Iterator[MessageClass]:
    for kind in message_class_.get_fields_and_field_types().values():
        package, slash, name = _item_type(kind).partition('/')
        if slash:
            yield message_class(f'{package}/msg/{name}')


def _item_type(kind: str) -> str:
    """Return the type of one element, of a sequence or an array; else the type itself."""
    match = _SEQUENCE.fullmatch(kind) or _ARRAY.fullmatch(kind)
    return match['item'] if match else kind


def _msg_type(kind: str) -> str:
    """Turn rosidl's Python spelling of a field's type into that of .msg files."""
    if match := _SEQUENCE.fullmatch(kind):
        limit = f'<={match["most"]}' if match['most'] else ''
        return f'{_msg_type(match["item"])}[{limit}]'
    if match := _ARRAY.fullmatch(kind):
        return f'{_msg_type(match["item"])}[{match["count"]}]'
    if match := _STRING.fullmatch(kind):
        return f'{match["kind"]}<={match["most"]}'
    return _MSG_NAMES.get(kind, kind)
