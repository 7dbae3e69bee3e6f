"""The tables of an evaluation, before it is decided how they are written."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from liverjax.evaluation.case import CaseScore

STRUCTURES = (("liver", "liver with tumours"), ("tumor", "tumours"))
METRICS = (
    ("dice", "Dice", 3),
    ("voe", "VOE", 3),
    ("rvd", "RVD", 3),
    ("assd", "ASSD mm", 2),
    ("rmsd", "RMSD mm", 2),
    ("msd", "MSD mm", 2),
    ("hd95", "HD95 mm", 2),
    ("nsd2", "NSD 2 mm", 3),
    ("volume_error_ml", "volume error mL", 2),
    ("false_positive_ml", "false positive mL", 2),
)
"""Every metric with its heading and digits."""
UNDEFINED = "-"
_LEFT_OUT = ("rmsd",)  # of the tables per case, for their width


class Table(NamedTuple):
    """A table of texts.

    Attributes:
        title: what stands above it.
        header: a text per column.
        rows: a text per column each.
        body: how many of the rows, from the first, are cases; the others sum them up.
    """

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    body: int


def seen_notice(summary: dict[str, Any]) -> str | None:
    """What is to be said first where networks were judged on what they have seen; else None.

    Args:
        summary: as `liverjax.evaluation.aggregate.aggregate` gives it.
    """
    if not summary["seen"]:
        return None
    return (
        "These are not held-out figures: the networks were trained or selected on "
        f"{', '.join(summary['seen'])}."
    )


def score_tables(cases: Sequence[CaseScore], summary: dict[str, Any]) -> list[Table]:
    """All tables: per case and means of each structure, overall, lesions, burden.

    Args:
        cases: a row each.
        summary: their aggregate.
    """
    per_case = [
        _per_case(title[:1].upper() + title[1:], name, cases, summary[name])
        for name, title in STRUCTURES
    ]
    sums = [mean_table(summary), _overall(summary), _lesions(summary["lesions"]), _burden(summary)]
    return [*per_case, *sums]


def mean_table(summary: dict[str, Any]) -> Table:
    """Mean, interval and count of every metric of both structures."""
    header = ("", *(f"{side} {what}" for side in ("liver", "tumour") for what in _WHAT))
    rows = []
    for metric, heading, digits in METRICS:
        entries = [summary[name][metric] for name, _ in STRUCTURES]
        rows.append((heading, *(cell for entry in entries for cell in _mean(entry, digits))))
    return Table("Means over cases", header, rows, 0)


def plain_text(table: Table) -> str:
    """A table with aligned columns, for a terminal."""
    lines = [table.header, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [cells[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        ).rstrip()
        for cells in lines
    )


_WHAT = ("mean", "95 % interval", "cases")


def _per_case(title: str, name: str, cases: Sequence[CaseScore], summary: dict[str, Any]) -> Table:
    """A row per case, then mean, interval and the number of cases that these are over."""
    shown = [metric for metric in METRICS if metric[0] not in _LEFT_OUT]
    rows = [
        (
            case.case,
            *(number(getattr(getattr(case, name), metric), digits) for metric, _, digits in shown),
        )
        for case in cases
    ]
    sums = [_mean(summary[metric], digits) for metric, _, digits in shown]
    for what, row in zip(_WHAT, zip(*sums, strict=True), strict=True):
        rows.append(("over cases" if what == "cases" else what, *row))
    return Table(title, ("case", *(heading for _, heading, _ in shown)), rows, len(cases))


def _overall(summary: dict[str, Any]) -> Table:
    sides = [summary[name] for name, _ in STRUCTURES]

    def row(title: str, cells: Sequence[str]) -> tuple[str, ...]:
        return title, *cells

    rows = [
        row("cases", [str(summary["cases"])] * len(sides)),
        row("cases that have it", [str(side["present"]) for side in sides]),
        row("of them nothing predicted", [str(side["missed"]) for side in sides]),
        row("Dice, over cases that have it", [_with_interval(side["dice"]) for side in sides]),
        row(
            "Dice, all cases (both empty 1, one empty 0)",
            [_with_interval(side["dice_challenge"]) for side in sides],
        ),
        row("Dice global, all voxels", [_with_interval(side["dice_global"]) for side in sides]),
    ]
    return Table("All cases together", ("", "liver", "tumour"), rows, 0)


def _lesions(lesions: dict[str, Any]) -> Table:
    sides = list(lesions.values())
    rows = [
        (title, *(str(side[name]) for side in sides))
        for title, name in (
            ("lesions found", "true_positives"),
            ("false lesions", "false_positives"),
            ("lesions missed", "false_negatives"),
        )
    ]
    rows += [
        (title, *(_with_interval(side[name]) for side in sides))
        for title, name in (
            ("precision", "precision"),
            ("recall", "recall"),
            ("F1", "f1"),
            ("Dice of lesions found", "detected_dice"),
        )
    ]
    header = ("", *(name.replace("iou_over_", "IoU > ") for name in lesions))
    return Table("Lesions", header, rows, 0)


def _burden(summary: dict[str, Any]) -> Table:
    burden, free = summary["tumor_burden"], summary["tumor_free"]
    false_ml = free["false_positive_ml"]
    over = str(burden["cases"])
    if burden["cases"] < summary["cases"]:
        over += f" of {summary['cases']}"
    rows = [
        ("tumour burden, RMSE", number(burden["rmse"], 4), over),
        (
            "tumour burden, largest absolute error",
            number(burden["largest_absolute_error"], 4),
            over,
        ),
        (
            "tumour-free cases with false positives",
            str(free["with_false_positives"]),
            str(free["cases"]),
        ),
        ("false lesions in tumour-free cases", str(free["false_lesions"]), str(free["cases"])),
        (
            "false positive mL in tumour-free cases, mean",
            number(false_ml["mean"], 2),
            str(false_ml["cases"]),
        ),
    ]
    return Table("Tumour burden and tumour-free cases", ("", "value", "cases"), rows, 0)


def _mean(entry: dict[str, Any], digits: int) -> tuple[str, str, str]:
    count = str(entry["cases"])
    if entry["undefined"]:
        count = f"{entry['cases']} of {entry['cases'] + entry['undefined']}"
    return number(entry["mean"], digits), _interval(entry["interval"], digits), count


def _with_interval(entry: dict[str, Any]) -> str:
    value = entry["mean"] if "mean" in entry else entry["value"]
    text = number(value, 3)
    if entry["interval"] is not None:
        text += f" ({_interval(entry['interval'], 3)})"
    return text


def _interval(ends: Sequence[float] | None, digits: int) -> str:
    return UNDEFINED if ends is None else " to ".join(number(end, digits) for end in ends)


def number(value: float | None, digits: int) -> str:
    """A figure with so many decimals; a dash where it is undefined."""
    return UNDEFINED if value is None else f"{value:.{digits}f}"
