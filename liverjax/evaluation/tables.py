"""The scores of cases as CSV files."""

import csv
import dataclasses
import io
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from liverjax.errors import InputError
from liverjax.evaluation.aggregate import IOU_LIMITS, is_detected, seen_among
from liverjax.evaluation.case import METRICS, STRUCTURES, CaseScore, Lesion
from liverjax.io.atomic import write_text

CASE = "case"
SEEN = "seen"
_YES = "yes"
COLUMNS = tuple(f"{structure}_{metric}" for structure in STRUCTURES for metric in METRICS)
"""The figures of `per_case.csv`, in their order; `case` stands before them."""
LESION_FIELDS = tuple(field.name for field in dataclasses.fields(Lesion))


class PerCase(NamedTuple):
    """A table with a row per case.

    Attributes:
        columns: names of the figures.
        rows: figures by case, in the order of `columns`; None where a cell is empty.
        seen: cases that the networks were trained or selected on.
    """

    columns: tuple[str, ...]
    rows: dict[str, tuple[float | None, ...]]
    seen: tuple[str, ...] = ()


def write_per_case(path: Path, cases: Sequence[CaseScore], seen: Sequence[str] = ()) -> None:
    """Writes `per_case.csv`, whole or not at all: full precision, undefined cells empty.

    Args:
        path: file to write, in a folder that exists.
        cases: a row each.
        seen: names of cases that the networks were trained or selected on. Where some of the
            cases are among them, a last column says which.

    Raises:
        InputError: two cases of one name.
    """
    check_names([case.case for case in cases], str(path))
    rows = [[case.case, *map(_cell, per_case_row(case))] for case in cases]
    _write_marked(path, [CASE, *COLUMNS], rows, seen_among(cases, seen))


def per_case_row(case: CaseScore) -> tuple[float | None, ...]:
    """The figures of one case in the order of `COLUMNS`; None for a structure not annotated."""
    return tuple(
        None if (score := case.structure(side)) is None else getattr(score, name)
        for side in STRUCTURES
        for name in METRICS
    )


def write_lesions(path: Path, cases: Sequence[CaseScore], seen: Sequence[str] = ()) -> None:
    """Writes `lesions.csv`, whole or not at all: a row per lesion, those of a case from 1.

    `detected` and `detected_half` say whether a lesion of the reference was found with an
    intersection over union of more than 0 and of more than 0.5; for a false positive both are no.
    For `seen` see `write_per_case`.
    """
    header = [CASE, "lesion", *LESION_FIELDS, "iou", "dice", "detected", "detected_half"]
    rows = [
        [
            case.case,
            str(number),
            *(_cell(getattr(lesion, name)) for name in LESION_FIELDS),
            _cell(lesion.iou),
            _cell(lesion.dice),
            *(_yes(is_detected(lesion, limit)) for limit in IOU_LIMITS),
        ]
        for case in cases
        for number, lesion in enumerate(case.lesions, start=1)
    ]
    _write_marked(path, header, rows, seen_among(cases, seen))


def read_per_case(path: Path) -> PerCase:
    """Reads `per_case.csv`, or any table of numbers with a column `case`.

    Raises:
        InputError: no such file or no such table, a cell that is no number, or a case twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = [line for line in csv.reader(file, strict=True) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a CSV file ({error})") from error
    header = lines[0] if lines else []
    if CASE not in header or len(set(header)) != len(header):
        raise InputError(
            f"{path}: expected a first line of different names with {CASE!r} among them, "
            f"found {', '.join(header) or 'nothing'}"
        )
    at = header.index(CASE)
    kept = [place for place, name in enumerate(header) if name not in (CASE, SEEN)]
    for number, line in enumerate(lines[1:], start=2):
        if len(line) != len(header):
            raise InputError(
                f"{path}: row {number}: expected {len(header)} cells, found {len(line)}"
            )
    check_names([line[at] for line in lines[1:]], str(path))
    return PerCase(
        tuple(header[place] for place in kept),
        {
            line[at]: tuple(_number(line[i], f"{path}: {line[at]}, {header[i]}") for i in kept)
            for line in lines[1:]
        },
        tuple(
            line[at] for line in lines[1:] if SEEN in header and line[header.index(SEEN)] == _YES
        ),
    )


def check_names(names: Sequence[str], where: str) -> None:
    """Refuses two cases of one name.

    Raises:
        InputError: names them, and `where` they are.
    """
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise InputError(f"{where}: expected different names of cases, found {twice[0]!r} twice")


def _number(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: expected a finite number or nothing, found {text!r}")
    return value


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return repr(value if isinstance(value, int) else float(value))


def _yes(value: bool) -> str:
    return _YES if value else "no"


def _write_marked(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], seen: Sequence[str]
) -> None:
    """Rows that begin with a case; where some were seen, a last column says which."""
    if seen:
        header = [*header, SEEN]
        rows = [[*row, _yes(row[0] in seen)] for row in rows]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_text(path, text.getvalue())
