"""The paired comparison of two methods as plain text."""

from collections.abc import Sequence
from typing import Any

from liverjax.reporting.table import UNDEFINED, Table, plain_text

_HEADINGS = (
    "pairs",
    "only first",
    "only second",
    "first",
    "second",
    "difference",
    "favours",
    "pseudo-median",
    "95 % interval",
    "rank-biserial",
    "p",
    "p (Holm)",
)
_KEY = """\
Means over the pairs, the cases with a figure on both sides; differences are second less first.
"only first" and "only second" count cases with a figure on that side alone, such as a structure
that the other method missed; they are not in the test. "favours" names the side of the better mean,
whatever its p. A dash is undefined."""
_ABSOLUTE = "|x| is the size of x without its sign."


def format_comparison(entries: Sequence[dict[str, Any]]) -> str:
    """A table with a row per column that was compared, and what its headings mean.

    Args:
        entries: as `liverjax.evaluation.compare.compare` gives them.
    """
    table = Table("", ("column", *_HEADINGS), [_row(entry) for entry in entries], len(entries))
    key = [_KEY, *([_ABSOLUTE] if any(entry["absolute"] for entry in entries) else [])]
    return "\n".join([plain_text(table), "", *key])


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    interval = entry["interval"]
    return (
        f"|{entry['column']}|" if entry["absolute"] else entry["column"],
        *(str(entry[name]) for name in ("pairs", "only_first", "only_second")),
        *(_number(entry[name]) for name in ("first", "second", "difference")),
        _favours(entry),
        _number(entry["pseudo_median"]),
        UNDEFINED if interval is None else " to ".join(map(_number, interval)),
        *(_number(entry[name]) for name in ("rank_biserial", "p", "p_holm")),
    )


def _favours(entry: dict[str, Any]) -> str:
    """The side whose mean is the better one."""
    if entry["higher_is_better"] is None or not entry["difference"]:
        return UNDEFINED
    return "second" if (entry["difference"] > 0) == entry["higher_is_better"] else "first"


def _number(value: float | None) -> str:
    return UNDEFINED if value is None else f"{value:.4g}"
