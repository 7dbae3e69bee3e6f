"""A report as Markdown."""

import re
from collections.abc import Sequence

from liverjax.reporting.document import Document
from liverjax.reporting.table import Table


def markdown_report(document: Document) -> str:
    """The whole of a document, its warning first."""
    parts = [f"# {_escape(document.title)}"]
    if document.notice is not None:
        parts.append(f"**{_escape(document.notice)}**")
    parts += [_escape(note) for note in document.notes]
    for table in document.tables:
        parts += [f"## {_escape(table.title)}", markdown_table(table)]
    return "\n\n".join(parts) + "\n"


def markdown_table(table: Table) -> str:
    """One table, figures on the right."""
    rule = ["---", *(["---" if table.prose else "---:"] * (len(table.header) - 1))]
    lines = [_line(table.header), "|" + "|".join(rule) + "|", *map(_line, table.rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_escape, cells)) + " |"


def _escape(text: str) -> str:
    """Text that shows as it is: no cell, emphasis, link or element begins in it."""
    return re.sub(r"([\\`*_~&\[\]<>|])", r"\\\1", " ".join(text.split()))
