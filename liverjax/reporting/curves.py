"""Training curves: loss and Dice of a run, epoch by epoch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from liverjax.errors import InputError
from liverjax.reporting import drawing

Records = Sequence[Mapping[str, float]]

_SIDES = (("train", drawing.TRAINING_COLOR, "o"), ("validation", drawing.VALIDATION_COLOR, "s"))
_FIGURES = (("loss", "loss, mean per slice"), ("dice", "Dice over all pixels"))
_MARKED_EPOCHS = 30  # with more, the marks of single epochs would hide the line
_SIZE = (7.2, 2.9)  # inches: as wide as a page's text
_DPI = 200


def save_curves(path: Path, records: Records, title: str) -> None:
    """Writes the curves of one run beside each other, whole or not at all.

    Args:
        path: file to write, in a folder that exists; its suffix decides the format.
        records, title: see `draw_curves`.

    Raises:
        InputError: there is no epoch to draw.
    """
    figure = drawing.new_chart(*_SIZE, _DPI)
    loss, dice = figure.subplots(1, 2)
    draw_curves((loss, dice), records, title)
    drawing.save_figure(path, figure)


def draw_curves(axes: tuple[Axes, Axes], records: Records, title: str) -> None:
    """Draws loss and Dice of training and validation, and marks the best validation Dice.

    Figures of training are means over an epoch, of augmented slices and of weights that still
    change; those of validation are of its end, and only where the run was validated.

    Args:
        axes: for the loss and for the Dice.
        records: one per epoch, as `liverjax.training.log.read_metrics` gives them.
        title: names the run.

    Raises:
        InputError: there is no epoch to draw.
    """
    if not records:
        raise InputError(f"{title}: expected the metrics of at least one epoch, found none")
    best = best_epoch(records)
    for plot, (figure, label) in zip(axes, _FIGURES, strict=True):
        _draw_sides(plot, records, figure)
        if best is not None:
            _draw_best(plot, best, figure)
        plot.set_title(title, fontsize=drawing.FONT_SIZE)
        plot.set_xlabel("epoch", fontsize=drawing.FONT_SIZE)
        plot.set_ylabel(label, fontsize=drawing.FONT_SIZE)
        plot.tick_params(labelsize=drawing.FONT_SIZE - 1)
        plot.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        plot.grid(color="0.9", linewidth=0.6)
        plot.set_axisbelow(True)  # else the grid hides the line of the best epoch
        plot.spines[["top", "right"]].set_visible(False)
        plot.legend(fontsize=drawing.FONT_SIZE - 1, facecolor="white", edgecolor="none")


def best_epoch(records: Records) -> Mapping[str, float] | None:
    """The record of the best validation Dice, the first of equals; None without validation."""
    validated = [record for record in records if "validation_dice" in record]
    return max(validated, key=lambda record: record["validation_dice"], default=None)


def _draw_sides(axes: Axes, records: Records, figure: str) -> None:
    """The lines of training and validation; none for a side that has no such figure."""
    for side, color, marker in _SIDES:
        name = f"{side}_{figure}"
        points = [(record["epoch"], record[name]) for record in records if name in record]
        if points:
            axes.plot(
                *zip(*points, strict=True),
                color=color,
                linewidth=1.4,
                marker=marker if len(points) <= _MARKED_EPOCHS else "",
                markersize=3.5,
                label="training" if side == "train" else side,
            )


def _draw_best(axes: Axes, best: Mapping[str, float], figure: str) -> None:
    """A line at the epoch of the best validation Dice, and a star on the validation curve."""
    epoch, value = best["epoch"], best[f"validation_{figure}"]
    axes.axvline(epoch, color="0.6", linewidth=0.8, linestyle="dashed", zorder=1)
    label = f"best, epoch {epoch:.0f}: {value:.3f}"
    if figure != "dice":
        label = f"best Dice, epoch {epoch:.0f}"
    axes.plot(
        [epoch],
        [value],
        color=drawing.VALIDATION_COLOR,
        marker="*",
        markersize=11,
        markeredgecolor="black",
        markeredgewidth=0.6,
        linestyle="none",
        zorder=3,
        label=label,
    )
