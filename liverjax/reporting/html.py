"""A report as one page, which needs nothing but the files beside it."""

from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote

from liverjax.reporting.document import Document
from liverjax.reporting.table import Table

_STYLE = """
body { font-family: sans-serif; margin: 2em auto; max-width: 75em; padding: 0 1em; }
table { border-collapse: collapse; font-size: 0.9em; }
th, td { padding: 0.25em 0.7em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child, .prose th, .prose td { text-align: left; }
tr.sum { background: #f3f3f3; }
figure { margin: 1.5em 0; }
img { max-width: 100%; border: 1px solid #ddd; }
.warning { border: 2px solid #d55e00; padding: 0.7em 1em; font-weight: bold; }
""".strip()


def html_report(
    document: Document, figures: Sequence[tuple[str, str]], files: Sequence[str]
) -> str:
    """A page of all tables and figures, its warning as a banner.

    Args:
        document: what it says.
        figures: path and caption of each picture, relative to the page, with slashes.
        files: paths of the files to link to, likewise.
    """
    title = escape(document.title)
    banner = ""
    if document.notice is not None:
        banner = f'<p class="warning">{escape(document.notice)}</p>\n'
    notes = "\n".join(f"<p>{escape(note)}</p>" for note in document.notes)
    tables = "\n".join(map(_table, document.tables))
    links = ", ".join(f'<a href="{quote(path)}">{escape(path)}</a>' for path in files)
    pictures = "\n".join(_figure(path, caption) for path, caption in figures)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<style>
{_STYLE}
</style>
</head>
<body>
<h1>{title}</h1>
{banner}{notes}
<p>In full: {links}.</p>
{tables}
<h2>Figures</h2>
{pictures}
</body>
</html>
"""


def _table(table: Table) -> str:
    start = '<table class="prose">' if table.prose else "<table>"
    lines = [f"<h2>{escape(table.title)}</h2>", start, table_row(map(escape, table.header), "th")]
    for number, cells in enumerate(table.rows):
        kind = "" if number < table.body or not table.body else ' class="sum"'
        lines.append(table_row(map(escape, cells), "td", kind))
    return "\n".join([*lines, "</table>"])


def table_row(cells: Iterable[str], element: str, attributes: str = "") -> str:
    """A row of cells that are HTML already; attributes begin with a blank."""
    inside = "".join(f"<{element}>{cell}</{element}>" for cell in cells)
    return f"<tr{attributes}>{inside}</tr>"


def _figure(path: str, caption: str) -> str:
    return (
        f'<figure><img src="{quote(path)}" alt="{escape(caption)}" loading="lazy">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
