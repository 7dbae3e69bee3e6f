"""An evaluation as Markdown."""

import re
from collections.abc import Sequence
from typing import Any

from liverjax.evaluation.case import CaseScore
from liverjax.reporting.score_tables import Table, score_tables, seen_notice


def markdown_report(cases: Sequence[CaseScore], summary: dict[str, Any]) -> str:
    """The tables of `score_tables`, with a warning first where figures are not held out.

    Args:
        cases: a row each.
        summary: their aggregate, see `liverjax.evaluation.aggregate.aggregate`.
    """
    notice = seen_notice(summary)
    parts = [] if notice is None else [f"**{_escape(notice)}**"]
    for table in score_tables(cases, summary):
        parts += [f"## {_escape(table.title)}", markdown_table(table)]
    return "\n\n".join(parts) + "\n"


def markdown_table(table: Table) -> str:
    """One table, figures on the right."""
    rule = ["---", *(["---:"] * (len(table.header) - 1))]
    lines = [_line(table.header), "|" + "|".join(rule) + "|", *map(_line, table.rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_escape, cells)) + " |"


def _escape(text: str) -> str:
    """Text that shows as it is: no cell, emphasis, link or element begins in it."""
    return re.sub(r"([\\`*_\[\]<>|])", r"\\\1", " ".join(text.split()))
