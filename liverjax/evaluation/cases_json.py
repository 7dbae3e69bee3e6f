"""The scores of cases as JSON and back without loss, for those of several runs to be merged."""

import dataclasses
import math
import typing
from collections.abc import Sequence
from typing import Any

from liverjax.errors import InputError
from liverjax.evaluation.case import CaseScore, Lesion, StructureScore


def cases_to_json(cases: Sequence[CaseScore]) -> list[dict[str, Any]]:
    """The cases as plain numbers, lists and dicts; what is not defined is None."""
    return [dataclasses.asdict(case) for case in cases]


def cases_from_json(data: Any, source: str) -> list[CaseScore]:
    """Inverse of `cases_to_json`.

    Args:
        data: what a JSON file held.
        source: names it in messages.

    Raises:
        InputError: names `source` and the field that is missing, unknown or no such value.
    """
    cases = _list(data, f"{source}: cases")
    return [_read(CaseScore, case, f"{source}: cases[{i}]") for i, case in enumerate(cases)]


def _read(kind: Any, data: Any, where: str) -> Any:
    """`data` as the type `kind` of a field; `where` names the field."""
    if kind == StructureScore | None:
        return None if data is None else _read(StructureScore, data, where)
    if dataclasses.is_dataclass(kind):
        fields = typing.get_type_hints(kind)
        _check_fields(data, fields.keys() & {each.name for each in dataclasses.fields(kind)}, where)
        values = {name: _read(fields[name], data[name], f"{where}.{name}") for name in data}
        return typing.cast(Any, kind)(**values)
    if kind == tuple[Lesion, ...]:
        items = _list(data, where)
        return tuple(_read(Lesion, item, f"{where}[{i}]") for i, item in enumerate(items))
    if kind is str:
        fine, expected = isinstance(data, str), "a text"
    elif kind is int:
        fine, expected = type(data) is int and data >= 0, "a count"
    else:
        fine = data is None or (type(data) in (int, float) and math.isfinite(data))
        expected = "a number or null"
    if not fine:
        raise InputError(f"{where}: expected {expected}, found {data!r}")
    return float(data) if type(data) is int and kind is not int else data


def _list(data: Any, where: str) -> list[Any]:
    if not isinstance(data, list):
        raise InputError(f"{where}: expected a list, found {data!r:.60}")
    return data


def _check_fields(data: Any, expected: set[str], where: str) -> None:
    if not isinstance(data, dict):
        raise InputError(f"{where}: expected an object, found {data!r:.60}")
    for name in sorted(expected ^ data.keys()):
        found = "is missing" if name in expected else "is not known"
        raise InputError(f"{where}.{name}: {found}; expected {', '.join(sorted(expected))}")
