"""The confusion matrix of one structure as a figure."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.ticker import PercentFormatter

from liverjax.evaluation.confusion import Confusion
from liverjax.reporting import drawing

_UNDEFINED = "0.85"  # grey of a row without a voxel
_SIZE = (4.4, 3.5)  # inches
_DPI = 200


def save_confusion(
    path: Path, confusion: Confusion, structure: str, title: str, notice: str = ""
) -> None:
    """Writes the confusion matrix of one structure, whole or not at all.

    Args:
        path: file to write, in a folder that exists; its suffix decides the format.
        confusion, structure, title: see `draw_confusion`.
        notice: see `drawing.new_chart`.
    """
    figure = drawing.new_chart(*_SIZE, _DPI, notice)
    draw_confusion(figure.subplots(), confusion, structure, title)
    drawing.save_figure(path, figure)


def draw_confusion(axes: Axes, confusion: Confusion, structure: str, title: str) -> None:
    """Draws the four counts, a row per true class and a column per predicted one.

    Colours and percentages are shares of the true class, so of a row: by counts, the background
    would outshine all else. A class without a voxel has no shares.

    Args:
        axes: to draw on; a colour bar takes some of its room.
        confusion: counts.
        structure: what is looked for, e.g. "liver".
        title: says what was counted.
    """
    counts = np.array(
        [
            [confusion.true_negative, confusion.false_positive],
            [confusion.false_negative, confusion.true_positive],
        ]
    )
    totals = counts.sum(axis=1, keepdims=True)
    # Masked, not divided by zero: a patient may have no tumour.
    shares = np.ma.masked_where(
        np.broadcast_to(totals == 0, counts.shape), counts / np.maximum(totals, 1)
    )
    colors = colormaps["Blues"].with_extremes(bad=_UNDEFINED)
    axes.imshow(shares, cmap=colors, vmin=0, vmax=1)
    for (row, column), name in zip(np.ndindex(2, 2), ("TN", "FP", "FN", "TP"), strict=True):
        share = None if totals[row, 0] == 0 else float(shares[row, column])
        axes.text(
            column,
            row,
            f"{name}\n{counts[row, column]:,}\n{_percent(share)}",
            ha="center",
            va="center",
            color="white" if share is not None and share > 0.5 else "black",
            fontsize=drawing.FONT_SIZE + 1,
            linespacing=1.5,
        )
    classes = (f"no {structure}", structure)
    axes.set_xticks((0, 1), classes, fontsize=drawing.FONT_SIZE)
    axes.set_yticks((0, 1), classes, fontsize=drawing.FONT_SIZE, rotation="vertical", va="center")
    axes.tick_params(length=0)
    axes.set_xlabel("prediction (voxels)", fontsize=drawing.FONT_SIZE)
    axes.set_ylabel("truth (voxels)", fontsize=drawing.FONT_SIZE)
    axes.set_title(title, fontsize=drawing.FONT_SIZE)
    axes.spines[:].set_visible(False)
    _draw_bar(axes)


def _draw_bar(axes: Axes) -> None:
    """The scale of the colours; not of the picture, whose shares may all be undefined."""
    bar = axes.figure.colorbar(
        ScalarMappable(Normalize(0, 1), "Blues"),
        ax=axes,
        format=PercentFormatter(1.0, decimals=0),
        shrink=0.9,
    )
    bar.set_label("share of the true class", fontsize=drawing.FONT_SIZE)
    bar.ax.tick_params(labelsize=drawing.FONT_SIZE - 1)
    bar.outline.set_visible(False)


def _percent(share: float | None) -> str:
    """A share of 0 to 1; what is not quite none or all never shows as such."""
    if share is None:
        return "-"
    if 0 < share < 0.00005:
        return "< 0.01%"
    if 0.99995 <= share < 1:
        return "> 99.99%"
    return f"{share:.2%}"
