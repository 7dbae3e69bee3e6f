"""Two protocols side by side: what each patient scores under either, and what the first adds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes

from liverjax.reporting import drawing
from liverjax.reporting.table import Table, number

_SIZE = (7.0, 3.4)  # inches
_DPI = 200

Pairs = Sequence[tuple[float | None, float | None]]
"""Dice of each patient under the first protocol and the second; None where not defined."""


def save_protocols(path: Path, pairs: Mapping[str, Pairs], names: tuple[str, str]) -> None:
    """Writes a picture with a panel per structure and a line per patient, whole or not at all.

    Args:
        path: file to write, in a folder that exists; its suffix decides the format.
        pairs: by structure.
        names: of the two protocols.
    """
    figure = drawing.new_chart(*_SIZE, _DPI)
    for axes, (structure, values) in zip(
        figure.subplots(1, len(pairs), sharey=True, squeeze=False)[0], pairs.items(), strict=True
    ):
        _draw(axes, values, names)
        axes.set_title(structure, fontsize=drawing.FONT_SIZE)
    drawing.save_figure(path, figure)


def protocol_table(
    patients: Sequence[str], pairs: Mapping[str, Pairs], names: tuple[str, str]
) -> Table:
    """A row per patient and one of means, over the patients defined under both protocols.

    Differences are those of the first protocol less the second.

    Args:
        patients: their names.
        pairs, names: see `save_protocols`.
    """
    rows = []
    for place, patient in enumerate(patients):
        cells = (cell for values in pairs.values() for cell in _cells(*values[place]))
        rows.append((patient, *cells))
    sums: list[str] = []
    for values in pairs.values():
        both = _both(values)
        means = [sum(side) / len(both) for side in zip(*both, strict=True)] or (None, None)
        sums += [f"{cell} ({len(both)})" for cell in _cells(*means)]
    rows.append(("mean (patients)", *sums))
    columns = [f"{structure}, {name}" for structure in pairs for name in (*names, "difference")]
    return Table("Dice", ("patient", *columns), rows, len(patients))


def _both(pairs: Pairs) -> list[tuple[float, float]]:
    """Those that are defined under both protocols."""
    return [(first, second) for first, second in pairs if first is not None and second is not None]


def _cells(first: float | None, second: float | None) -> list[str]:
    difference = None if first is None or second is None else first - second
    return [number(value, 3) for value in (first, second, difference)]


def _draw(axes: Axes, pairs: Pairs, names: tuple[str, str]) -> None:
    both = _both(pairs)
    for pair in both:
        axes.plot([0, 1], pair, color="0.7", marker="o", markersize=3, linewidth=0.8)
    if both:
        means = [sum(values) / len(both) for values in zip(*both, strict=True)]
        axes.plot([0, 1], means, color=drawing.VALIDATION_COLOR, marker="o", linewidth=2)
        for side, mean in enumerate(means):
            axes.annotate(
                f"{mean:.2f}",
                (side, mean),
                xytext=(0, 6),
                textcoords="offset points",
                ha="center",
                color=drawing.VALIDATION_COLOR,
                fontsize=drawing.FONT_SIZE,
            )
    axes.set_xticks([0, 1], names, fontsize=drawing.FONT_SIZE)
    axes.set_xlim(-0.35, 1.35)
    axes.set_ylim(0, 1.05)
    axes.set_ylabel(f"Dice, {len(both)} patients and their mean", fontsize=drawing.FONT_SIZE)
