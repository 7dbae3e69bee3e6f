"""The tables of an evaluation: per case, over cases, of lesions and of the tumour burden."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from liverjax.evaluation.case import METRICS, STRUCTURES, CaseScore
from liverjax.reporting.table import UNDEFINED, Table, number

TITLES = {"liver": "liver with tumours", "tumor": "tumours"}
"""What the structures are called."""


class Heading(NamedTuple):
    """How a metric is shown.

    Attributes:
        text: heading of its column.
        digits: decimals.
        meaning: what it is, and where it is not defined.
    """

    text: str
    digits: int
    meaning: str


_NO_REFERENCE = "undefined without the structure in the reference"
_NO_SURFACE = "undefined unless both sides have the structure, and without voxel size"
HEADINGS = {
    "dice": Heading("Dice", 3, f"overlap, 1 is best; {_NO_REFERENCE}"),
    "voe": Heading("VOE", 3, f"volume overlap error, 0 is best; {_NO_REFERENCE}"),
    "rvd": Heading(
        "RVD",
        3,
        f"relative volume difference, positive where too much is predicted; {_NO_REFERENCE}",
    ),
    "assd": Heading("ASSD mm", 2, f"average symmetric surface distance; {_NO_SURFACE}"),
    "rmsd": Heading("RMSD mm", 2, f"root mean square of the same distances; {_NO_SURFACE}"),
    "msd": Heading("MSD mm", 2, f"largest of the same distances; {_NO_SURFACE}"),
    "hd95": Heading("HD95 mm", 2, f"95 % Hausdorff distance; {_NO_SURFACE}"),
    "nsd2": Heading(
        "NSD 2 mm",
        3,
        "share of both surfaces within 2 mm of the other, 1 is best; 0 where nothing is "
        f"predicted; {_NO_REFERENCE} or without voxel size",
    ),
    "volume_error_ml": Heading(
        "volume error mL",
        2,
        "predicted less reference volume, positive where too much is predicted; undefined without "
        "voxel size",
    ),
    "false_positive_ml": Heading(
        "false positive mL", 2, "predicted outside of the reference; undefined without voxel size"
    ),
}
"""Of every metric."""
_LEFT_OUT = ("rmsd",)  # of the tables per case, for their width
_WHAT = ("mean", "95 % interval", "cases")


def score_tables(cases: Sequence[CaseScore], summary: dict[str, Any]) -> list[Table]:
    """All tables: per case and means of each structure, overall, lesions, burden, and a key.

    Args:
        cases: a row each; those in `summary["seen"]` are marked.
        summary: their aggregate, see `liverjax.evaluation.aggregate.aggregate`.
    """
    return [
        *(_per_case(name, cases, summary) for name in STRUCTURES),
        mean_table(summary),
        _overall(summary),
        _lesions(summary),
        _burden(summary),
        _key(),
    ]


def mean_table(summary: dict[str, Any]) -> Table:
    """Mean, interval and count of every metric of both structures."""
    header = ("", *(f"{side} {what}" for side in ("liver", "tumour") for what in _WHAT))
    rows = []
    for metric in METRICS:
        heading = HEADINGS[metric]
        entries = [summary[name][metric] for name in STRUCTURES]
        cells = (cell for entry in entries for cell in _mean(entry, heading.digits))
        rows.append((heading.text, *cells))
    return Table("Means over cases", header, rows)


def short_table(cases: Sequence[CaseScore]) -> Table:
    """The figures of every case that fit a terminal, with their means."""
    tumors = [case.tumor for case in cases]
    columns = (
        ([case.liver.dice for case in cases], 3),
        ([None if tumor is None else tumor.dice for tumor in tumors], 3),
        ([None if tumor is None else tumor.false_positive_ml for tumor in tumors], 2),
    )
    sums: list[tuple[str, str]] = []
    for values, digits in columns:
        defined = [value for value in values if value is not None]
        mean = sum(defined) / len(defined) if defined else None
        sums.append((number(mean, digits), str(len(defined))))
    means, counts = zip(*sums, strict=True)
    texts = [[number(value, digits) for value in values] for values, digits in columns]
    names = [case.case for case in cases]
    rows = [*zip(names, *texts, strict=True), ("mean", *means), ("over cases", *counts)]
    header = ("patient", "liver Dice", "tumour Dice", "false tumour mL")
    return Table("Scores", header, rows, len(cases))


def _key() -> Table:
    rows = [(heading.text, heading.meaning) for heading in HEADINGS.values()]
    return Table("Key", ("column", "meaning"), rows, prose=True)


def _per_case(name: str, cases: Sequence[CaseScore], summary: dict[str, Any]) -> Table:
    """A row per case, then mean, interval and the number of cases that these are over."""
    shown = {metric: HEADINGS[metric] for metric in METRICS if metric not in _LEFT_OUT}
    rows = []
    for case in cases:
        # Not annotated, every figure is undefined.
        score = case.structure(name)
        cells = (
            number(None if score is None else getattr(score, metric), each.digits)
            for metric, each in shown.items()
        )
        rows.append((case.case + (" (seen)" if case.case in summary["seen"] else ""), *cells))
    sums = [_mean(summary[name][metric], each.digits) for metric, each in shown.items()]
    for what, row in zip(_WHAT, zip(*sums, strict=True), strict=True):
        rows.append(("over cases" if what == "cases" else what, *row))
    title = TITLES[name][:1].upper() + TITLES[name][1:]
    return Table(title, ("case", *(each.text for each in shown.values())), rows, len(cases))


def _overall(summary: dict[str, Any]) -> Table:
    """Every figure beside the number of cases that it is over."""
    sides = [summary[name] for name in STRUCTURES]

    def row(title: str, *cells: tuple[str, int]) -> tuple[str, ...]:
        return title, *(text for value, count in cells for text in (value, str(count)))

    rows = [
        row(
            "cases with the structure",
            *((str(side["present"]), side["annotated"]) for side in sides),
        ),
        row(
            "of them nothing predicted",
            *((str(side["missed"]), side["present"]) for side in sides),
        ),
        *(
            row(
                title,
                *((_with_interval(s[name]), s[name].get("cases", s["annotated"])) for s in sides),
            )
            for title, name in (
                ("Dice, over cases that have it", "dice"),
                ("Dice, all cases (both empty 1, one empty 0)", "dice_challenge"),
                ("Dice global, all voxels", "dice_global"),
            )
        ),
    ]
    return Table("All cases together", ("", "liver", "of cases", "tumour", "of cases"), rows)


def _lesions(summary: dict[str, Any]) -> Table:
    """Detection, every share beside its numbers of lesions."""
    pieces, lesions = summary["reference_lesions"], summary["lesions"]
    sides = list(lesions.values())
    rows = [
        (title, *[str(pieces[name])] * len(sides))
        for title, name in (
            ("lesions of the reference", "pieces"),
            ("... where those that one prediction joins are one", "merged"),
        )
    ]
    for title, name in (
        ("lesions found (TP)", "true_positives"),
        ("false lesions (FP)", "false_positives"),
        ("lesions missed (FN)", "false_negatives"),
    ):
        rows.append((title, *(str(side[name]) for side in sides)))
    for title, name, wrong in (
        ("precision", "precision", ("false_positives",)),
        ("recall", "recall", ("false_negatives",)),
        ("F1", "f1", ("false_positives", "false_negatives")),
    ):
        rows.append((title, *(_share(side, name, wrong) for side in sides)))
    dice = (side["detected_dice"] for side in sides)
    rows.append(
        ("Dice of lesions found", *(f"{_with_interval(d)}, over {d['lesions']}" for d in dice))
    )
    return Table("Lesions", ("", *(name.replace("iou_over_", "IoU > ") for name in lesions)), rows)


def _share(side: dict[str, Any], name: str, wrong: Sequence[str]) -> str:
    """E.g. "0.800 (0.500 to 1.000), 8 of 10"; of F1 lesions of both sides count."""
    weight = len(wrong)
    found = weight * side["true_positives"]
    return f"{_with_interval(side[name])}, {found} of {found + sum(side[each] for each in wrong)}"


def _burden(summary: dict[str, Any]) -> Table:
    burden, free = summary["tumor_burden"], summary["tumor_free"]
    false_ml = free["false_positive_ml"]
    over = _of(burden)
    rows = [
        ("tumour burden, RMSE", number(burden["rmse"], 4), burden["rmse_interval"], over),
        (
            "tumour burden, largest absolute error",
            number(burden["largest_absolute_error"], 4),
            None,
            over,
        ),
        (
            "tumour-free cases with false positives",
            str(free["with_false_positives"]),
            None,
            str(free["cases"]),
        ),
        (
            "false lesions in tumour-free cases",
            str(free["false_lesions"]),
            None,
            str(free["cases"]),
        ),
        (
            "false positive mL in tumour-free cases, mean",
            number(false_ml["mean"], 4),
            false_ml["interval"],
            _of(false_ml),
        ),
    ]
    header = ("", "value", "95 % interval", "cases")
    texts = [(title, value, _interval(ends, 4), count) for title, value, ends, count in rows]
    return Table("Tumour burden and tumour-free cases", header, texts)


def _mean(entry: dict[str, Any], digits: int) -> tuple[str, str, str]:
    return number(entry["mean"], digits), _interval(entry["interval"], digits), _of(entry)


def _of(entry: dict[str, Any]) -> str:
    """How many cases a figure covers, and of how many where it is not all."""
    missing = entry["undefined"]
    return f"{entry['cases']} of {entry['cases'] + missing}" if missing else str(entry["cases"])


def _with_interval(entry: dict[str, Any]) -> str:
    value = entry["mean"] if "mean" in entry else entry["value"]
    text = number(value, 3)
    if entry["interval"] is not None:
        text += f" ({_interval(entry['interval'], 3)})"
    return text


def _interval(ends: Sequence[float] | None, digits: int) -> str:
    return UNDEFINED if ends is None else " to ".join(number(end, digits) for end in ends)
