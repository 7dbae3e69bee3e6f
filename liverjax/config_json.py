"""Configurations as JSON: a strict round trip, and what two of them differ in."""

import dataclasses
import enum
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from liverjax.errors import ConfigError

T = TypeVar("T")


def to_dict(config: Any) -> dict[str, Any]:
    """JSON-ready form of a configuration dataclass: enums by value, tuples as lists."""

    def plain(value: Any) -> Any:
        """`value`, however deep, in terms of JSON."""
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        if isinstance(value, enum.Enum):
            return value.value
        if isinstance(value, tuple | list):
            return [plain(item) for item in value]
        return value

    return plain(config)


def from_dict(kind: type[T], values: Mapping[str, Any], where: str = "config") -> T:
    """Inverse of `to_dict`; fields left out keep their defaults.

    Raises:
        ConfigError: an unknown field, or a value of another type; names the field.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: expected fields of {kind.__name__}, found {values!r:.80}")
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ConfigError(
            f"{where}.{unknown[0]}: no such field; {where} has {', '.join(sorted(hints))}"
        )
    return kind(
        **{name: _typed(hints[name], value, f"{where}.{name}") for name, value in values.items()}
    )


def _typed(hint: Any, value: Any, where: str) -> Any:
    """`value` from JSON as the type `hint` asks for: dataclass, enum, tuple or plain."""
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_dict(hint, value, where)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        choices = [member.value for member in hint]
        if value not in choices:
            raise ConfigError(f"{where}: expected one of {choices}, found {value!r}")
        return hint(value)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise ConfigError(f"{where}: expected a list, found {value!r}")
        item = typing.get_args(hint)[0]
        return tuple(_typed(item, part, f"{where}[{i}]") for i, part in enumerate(value))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"{where}: expected {hint.__name__}, found {value!r}")
    return value


def differences(first: Any, second: Any, where: str = "config") -> list[str]:
    """The fields in which two configurations differ, each as "field: first -> second".

    Args:
        first, second: of one dataclass, or what JSON holds of two; a field that only one has is
            "nothing" in the other.
        where: name of the field that holds them; may be empty.
    """
    one, other = _fields(first), _fields(second)
    if one is None or other is None:
        return [] if first == second else [f"{where}: {first} -> {second}"]
    return [
        line
        for name in dict.fromkeys([*one, *other])
        for line in differences(
            one.get(name, "nothing"), other.get(name, "nothing"), f"{where}.{name}".lstrip(".")
        )
    ]


def _fields(value: Any) -> Mapping[str, Any] | None:
    """What a dataclass or a mapping holds; None of any other value."""
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return value if isinstance(value, Mapping) else None
