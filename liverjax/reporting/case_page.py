"""report.html: a CT, what was found in it and what that measures, on one page without a network."""

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from liverjax.io.atomic import write_text
from liverjax.labels import liver_mask
from liverjax.reporting.drawing import LIVER_COLOR, TUMOR_COLOR
from liverjax.reporting.html import table_row
from liverjax.reporting.provenance import made_by_table
from liverjax.reporting.table import UNDEFINED, Table, number
from liverjax.reporting.viewer_data import viewer_data
from liverjax.volume import Segmentation, Volume, to_canonical

TITLE = "Liver and liver tumours in CT"

# What is drawn at the left, right, top and bottom of each view.
_VIEWS = (
    ("axial", "Axial", ("R", "L", "A", "P")),
    ("coronal", "Coronal", ("R", "L", "S", "I")),
    ("sagittal", "Sagittal", ("A", "P", "S", "I")),
)


def save_report_page(
    path: Path, report: Mapping[str, Any], volume: Volume, segmentation: Segmentation
) -> None:
    """Writes a page of everything a report says, with a viewer of the CT and what was found.

    The page needs no other file and no network, and forbids itself any. It shows the CT, of which
    it holds a copy (see `viewer_data.viewer_data`). Equal input gives equal bytes.

    Args:
        path: file to write, whole or not at all, in a folder that exists.
        report: of this segmentation, see `case_report.build_report`.
        volume: the CT.
        segmentation: what was found in it.

    Raises:
        InputError: the CT and the segmentation lie on different grids.
    """
    data = viewer_data(volume, segmentation)
    about = {
        **data.about,
        "colors": {"liver": LIVER_COLOR, "tumor": TUMOR_COLOR},
        "cursor": _first_view(report, segmentation),
    }
    style = _asset("case_page.css").substitute(liver=LIVER_COLOR, tumor=TUMOR_COLOR)
    script = _asset("case_page.js").template
    page = _asset("case_page.html").substitute(
        policy=_policy(style, script),
        title=escape(TITLE),
        style=style,
        script=script,
        notice=escape(report["notice"]),
        messages=_paragraphs(report["messages"], "message"),
        views="\n".join(_view(*view) for view in _VIEWS),
        tables="\n".join(_tables(report)),
        notes=_paragraphs([data.note, *_notes(report)]),
        # A "<" could end the element that holds it.
        about=json.dumps(about, allow_nan=False).replace("<", "\\u003c"),
        ct=data.ct,
        labels=data.labels,
    )
    write_text(Path(path), page)


def _asset(name: str) -> Template:
    file = resources.files("liverjax.reporting") / "assets" / name
    return Template(file.read_text(encoding="utf-8"))


def _policy(style: str, script: str) -> str:
    """What a browser may load for the page: its own style and script, and nothing else."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
        for text in (style, script)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _first_view(report: Mapping[str, Any], segmentation: Segmentation) -> list[int]:
    """Slice, row and column, in canonical orientation, to show first.

    The largest tumour, without one the middle of the liver, without that of the CT.
    """
    if report["tumors"]:
        return _center(report["tumors"][0])
    liver = liver_mask(to_canonical(segmentation.labels, segmentation.geometry))
    if liver.any():
        return np.rint(np.argwhere(liver).mean(axis=0)).astype(int).tolist()
    return [size // 2 for size in liver.shape]


def _center(tumor: Mapping[str, Any]) -> list[int]:
    """Where to see a tumour: its middle, in the slice in which it is longest."""
    _, row, column = tumor["center_voxel"]
    return [tumor["slice_index"], round(row), round(column)]


def _view(name: str, title: str, sides: tuple[str, str, str, str]) -> str:
    left, right, top, bottom = sides
    return _asset("case_view.html").substitute(
        name=name, title=title, left=left, right=right, top=top, bottom=bottom
    )


def _paragraphs(texts: Iterable[str], kind: str = "") -> str:
    start = f'<p class="{kind}">' if kind else "<p>"
    return "\n".join(f"{start}{escape(text)}</p>" for text in texts)


def _tables(report: Mapping[str, Any]) -> list[str]:
    """Figures, lesions, identification and what was mended, as HTML."""
    centers = [_center(tumor) for tumor in report["tumors"]]
    parts = [_table(_volumes(report))]
    if centers:
        parts.append(_table(_lesions(report["tumors"]), centers))
    else:
        parts.append("<h2>Lesions</h2>\n<p>No tumour was found.</p>")
    parts.append(_table(made_by_table(report["source"])))
    if report["repairs"]:
        items = "\n".join(f"<li>{escape(text)}</li>" for text in report["repairs"])
        parts.append(f"<h2>Mended while reading the CT</h2>\n<ul>\n{items}\n</ul>")
    return parts


def _volumes(report: Mapping[str, Any]) -> Table:
    burden = report["tumor_burden"]
    percent = None if burden is None else 100 * burden
    digits = max(1, _decimals(percent))
    rows = (
        ("liver with tumours", _with(report["liver_ml"], 0, "mL"), str(report["liver_voxels"])),
        ("tumours", _with(report["tumor_ml"], 1, "mL"), str(report["tumor_voxels"])),
        ("tumour burden", _with(percent, digits, "%"), ""),
        ("mean of the liver without tumours", _with(report["liver_mean_hu"], 0, "HU"), ""),
    )
    return Table("Volumes", ("", "", "voxels"), rows)


def _decimals(value: float | None) -> int:
    """How many show two significant digits of what is neither unknown nor 0."""
    return 1 - math.floor(math.log10(value)) if value else 0


def _with(value: float | None, digits: int, unit: str) -> str:
    return UNDEFINED if value is None else f"{number(value, digits)} {unit}"


def _lesions(tumors: Sequence[Mapping[str, Any]]) -> Table:
    header = (
        *("lesion", "volume (mL)", "longest axial diameter (mm)", "perpendicular (mm)"),
        *("mean (HU)", "slice", "centre left, back, head (mm)"),
    )
    rows = []
    for index, tumor in enumerate(tumors, start=1):
        center = tumor["center_lps_mm"]
        rows.append(
            (
                str(index),
                number(tumor["volume_ml"], 2),
                number(tumor["longest_axial_diameter_mm"], 1),
                number(tumor["perpendicular_diameter_mm"], 1),
                number(tumor["mean_hu"], 0),
                str(tumor["slice_index"]),
                UNDEFINED if center is None else ", ".join(f"{x:.1f}" for x in center),
            )
        )
    return Table("Lesions", header, rows)


def _table(table: Table, centers: Sequence[Sequence[int]] | None = None) -> str:
    """A table, or one whose rows each lead to a place in the viewer."""
    title = escape(table.title)
    kind, box = ' class="prose"' if table.prose else "", 'class="scroll"'
    if centers is not None:
        kind = ' class="jumps"'
        # It may be long; keys scroll only what can have the focus.
        box = f'class="scroll long" tabindex="0" role="region" aria-label="{title}"'
    lines = [f"<h2>{title}</h2>\n<div {box}><table{kind}>"]
    lines.append(table_row([escape(cell) for cell in table.header], "th"))
    for index, row in enumerate(table.rows):
        cells = [escape(cell) for cell in row]
        if centers is None:
            lines.append(table_row(cells, "td"))
        else:
            cells[0] = f'<button type="button">{cells[0]}</button>'
            lines.append(table_row(cells, "td", f' data-center="{list(centers[index])}"'))
    return "\n".join([*lines, "</table></div>"])


def _notes(report: Mapping[str, Any]) -> list[str]:
    """What explains the tables."""
    notes = [
        "Slices, rows and columns count from 0 at the feet, the front and the patient's right side."
    ]
    if report["tumors"]:
        notes.append(
            "A lesion is what is connected; both diameters are of one contiguous piece in an axial "
            "slice, at right angles. docs/REPORT.md of liverjax defines every figure."
        )
    return notes
