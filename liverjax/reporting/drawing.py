"""What the figures share: canvases, tiles, CT slices and the outlines drawn on them."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from liverjax.io.atomic import replacing
from liverjax.labels import Label, liver_mask, tumor_mask
from liverjax.volume import Volume, canonical_geometry

WINDOW = (-100, 240)
"""HU that are drawn black and white: soft tissue."""
FONT_SIZE = 9
"""Points."""

# From the palette of Okabe and Ito (2008), made for colour-blind readers.
LIVER_COLOR = "#56b4e9"
TUMOR_COLOR = "#e69f00"
REFERENCE_COLOR = "#ffffff"
TRAINING_COLOR = "#0072b2"
VALIDATION_COLOR = "#d55e00"

Line = tuple[str, str, Literal["solid", "dashed"]]
"""What a legend says of a line: its label, colour and style."""
STRUCTURES: tuple[Line, ...] = (
    ("liver", LIVER_COLOR, "solid"),
    ("tumour", TUMOR_COLOR, "solid"),
)
"""What `draw_legend` says of `draw_segmentation`."""

_FILL = 0.2  # opacity
_LETTERS_PER_INCH = 13  # of the usual font size, all but the widest texts


def new_figure(width: float, height: float, dpi: int, color: str = "white") -> Figure:
    """An empty figure that pyplot does not know of, so that nobody has to close it.

    Args:
        width, height: inches.
        dpi: pixels per inch.
        color: of the background.
    """
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor=color)
    FigureCanvasAgg(figure)
    return figure


def new_chart(width: float, height: float, dpi: int, notice: str = "") -> Figure:
    """A figure whose axes find their own places; see `new_figure`.

    Args:
        width, height, dpi: see `new_figure`.
        notice: a warning to stand above all, such as which cases are not held out; may be empty.
    """
    figure = new_figure(width, height, dpi)
    figure.set_layout_engine("constrained")
    if notice:
        per_line = int(width * _LETTERS_PER_INCH)
        figure.suptitle(
            "\n".join(textwrap.wrap(literal(notice), per_line)),
            color=VALIDATION_COLOR,
            fontsize=FONT_SIZE,
        )
    return figure


def literal(text: str) -> str:
    """Text for a figure; a dollar sign in a name would begin a formula."""
    return text.replace("$", r"\$")


def save_figure(path: Path, figure: Figure) -> None:
    """Writes a figure, whole or not at all; the suffix of `path` decides the format."""
    with replacing(path) as temporary:
        figure.savefig(temporary)


def add_tiles(
    figure: Figure, rows: int, columns: int, *, above: float = 0.0, below: float = 0.0
) -> list[Axes]:
    """Axes for `rows` times `columns` pictures, row by row, that fill the figure.

    Args:
        figure: to draw on.
        rows, columns: at least 1 each.
        above, below: inches to leave for headings and a legend.
    """
    height = float(figure.get_figheight())
    grid = figure.add_gridspec(
        rows,
        columns,
        left=0,
        right=1,
        top=1 - above / height,
        bottom=below / height,
        wspace=0.01,
        hspace=0.01,
    )
    return [figure.add_subplot(grid[divmod(tile, columns)]) for tile in range(rows * columns)]


def pixel_aspect(volume: Volume) -> float:
    """Height over width of an axial pixel, shown as radiologists read it; 1 where not known."""
    spacing = canonical_geometry(volume.hu.shape, volume.geometry).spacing
    return spacing[1] / spacing[2] if spacing else 1.0


def visible_box(hu: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of int16 HU [D, H, W] that are not all black: air is left out."""
    visible = hu > WINDOW[0]
    sides = []
    for axis in (1, 2):
        # A fiftieth lit is more than noise, and less than any edge of a body.
        found = np.flatnonzero(visible.mean(axis=(0, 3 - axis)) > 0.02)
        size = hu.shape[axis]
        sides.append(slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, size))
    return sides[0], sides[1]


def tile_height(box: tuple[slice, slice], aspect: float, width: float) -> float:
    """Inches that a tile of `width` inches is high, for rows and columns of `visible_box`."""
    rows, columns = box
    return width * aspect * (rows.stop - rows.start) / (columns.stop - columns.start)


def draw_slice(axes: Axes, hu: np.ndarray, aspect: float, title: str) -> None:
    """A grey slice [h, w] in canonical orientation, with a title and the sides of the patient."""
    low, high = WINDOW
    axes.imshow(hu, cmap="gray", vmin=low, vmax=high, aspect=aspect, interpolation="bilinear")
    axes.set_axis_off()
    for x, y, align, text in (
        (0.02, 0.97, "left", title),
        (0.02, 0.5, "left", "R"),
        (0.98, 0.5, "right", "L"),
    ):
        axes.text(
            x,
            y,
            text,
            transform=axes.transAxes,
            color="white",
            fontsize=FONT_SIZE,
            ha=align,
            va="top",
        )


def draw_segmentation(axes: Axes, labels: np.ndarray, aspect: float) -> None:
    """Labels [h, w] as translucent areas with solid outlines."""
    layer = np.zeros((*labels.shape, 4))
    layer[labels == Label.LIVER] = (*to_rgb(LIVER_COLOR), _FILL)
    layer[labels == Label.TUMOR] = (*to_rgb(TUMOR_COLOR), _FILL)
    axes.imshow(layer, aspect=aspect, interpolation="nearest")
    draw_outline(axes, liver_mask(labels), LIVER_COLOR, "solid")
    draw_outline(axes, tumor_mask(labels), TUMOR_COLOR, "solid")


def draw_outline(axes: Axes, mask: np.ndarray, color: str, style: str) -> None:
    """The border of a boolean mask [h, w]; none where the mask is empty or everywhere."""
    if mask.any() and not mask.all():
        axes.contour(mask, levels=[0.5], colors=[color], linewidths=1.0, linestyles=style)


def draw_legend(figure: Figure, lines: Sequence[Line], color: str) -> None:
    """One line at the bottom of a figure that says what the outlines are.

    Args:
        figure: to draw on.
        lines: one entry each.
        color: of the text.
    """
    figure.legend(
        handles=[
            Line2D([], [], color=shade, linestyle=style, label=label)
            for label, shade, style in lines
        ],
        loc="lower center",
        ncols=len(lines),
        frameon=False,
        labelcolor=color,
        fontsize=FONT_SIZE,
    )
