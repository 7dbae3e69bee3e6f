"""Tables of texts, before it is decided how they are written."""

from collections.abc import Sequence
from typing import NamedTuple

UNDEFINED = "-"


class Table(NamedTuple):
    """A table of texts.

    Attributes:
        title: what stands above it.
        header: a text per column.
        rows: a text per column each.
        body: how many of the rows, from the first, are cases; the others sum them up.
        prose: whether the columns after the first are texts to read, not figures to compare.
    """

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    body: int = 0
    prose: bool = False


def plain_text(table: Table) -> str:
    """A table with aligned columns, for a terminal; without its title."""
    lines = [table.header, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [cells[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        ).rstrip()
        for cells in lines
    )


def number(value: float | None, digits: int) -> str:
    """A figure with so many decimals; a dash where it is undefined."""
    return UNDEFINED if value is None else f"{value:.{digits}f}"
