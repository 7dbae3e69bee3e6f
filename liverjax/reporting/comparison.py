"""The paired comparison of two methods as plain text."""

from collections.abc import Sequence
from typing import Any

_HEADINGS = (
    "pairs",
    "dropped",
    "first",
    "second",
    "difference",
    "pseudo-median",
    "95 % interval",
    "rank-biserial",
    "p",
    "p (Holm)",
)


def format_comparison(entries: Sequence[dict[str, Any]]) -> str:
    """A table with a row per column that was compared; a dash is undefined.

    Args:
        entries: as `liverjax.evaluation.compare.compare` gives them.
    """
    rows = [("column", *_HEADINGS), *map(_row, entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        row[0].ljust(widths[0])
        + "".join(f"  {cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
        for row in rows
    )


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    interval = entry["interval"]
    return (
        entry["column"],
        str(entry["pairs"]),
        str(entry["dropped"]),
        *(_number(entry[name]) for name in ("first", "second", "difference", "pseudo_median")),
        "-" if interval is None else " to ".join(map(_number, interval)),
        _number(entry["rank_biserial"]),
        _number(entry["p"]),
        _number(entry["p_holm"]),
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
