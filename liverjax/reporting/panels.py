"""Panels: slices of a CT beside what is true there and what was predicted."""

from pathlib import Path

from matplotlib.figure import Figure

from liverjax.reporting import drawing
from liverjax.reporting.preview import choose_slices
from liverjax.volume import Segmentation, Volume, check_same_grid, to_canonical

HEADINGS = (f"CT, {drawing.WINDOW[0]} to {drawing.WINDOW[1]} HU", "truth", "prediction")
_TILE_INCHES = 2.4  # three are as wide as a page's text
_HEADING_INCHES = 0.28
_LEGEND_INCHES = 0.32
_DPI = 200


def save_panels(
    path: Path, volume: Volume, prediction: Segmentation, reference: Segmentation, rows: int = 4
) -> None:
    """Writes the figure of `draw_panels`, whole or not at all.

    Args:
        path: file to write, in a folder that exists; its suffix decides the format.
        volume, prediction, reference, rows: see `draw_panels`.

    Raises:
        InputError: the three do not lie on one grid.
    """
    drawing.save_figure(path, draw_panels(volume, prediction, reference, rows))


def draw_panels(
    volume: Volume, prediction: Segmentation, reference: Segmentation, rows: int = 4
) -> Figure:
    """A row per slice: the CT alone, with the truth, and with the prediction.

    Slices are chosen, numbered, turned and proportioned as in `preview.save_preview`, and what
    prediction or truth shows is looked at. The figure names no patient.

    Args:
        volume: the CT.
        prediction, reference: drawn as filled outlines, each in its own column.
        rows: how many slices at most.

    Raises:
        InputError: the three do not lie on one grid.
    """
    check_same_grid(volume, prediction, ("CT", "prediction"))
    check_same_grid(volume, reference, ("CT", "reference"))
    hu = to_canonical(volume.hu, volume.geometry)
    shown = [to_canonical(each.labels, volume.geometry) for each in (reference, prediction)]
    aspect = drawing.pixel_aspect(volume)
    chosen = choose_slices(shown, rows)
    box = drawing.visible_box(hu[chosen])

    tiles_inches = len(chosen) * drawing.tile_height(box, aspect, _TILE_INCHES)
    figure = drawing.new_figure(
        len(HEADINGS) * _TILE_INCHES, _HEADING_INCHES + tiles_inches + _LEGEND_INCHES, _DPI
    )
    tiles = drawing.add_tiles(
        figure, len(chosen), len(HEADINGS), above=_HEADING_INCHES, below=_LEGEND_INCHES
    )
    for axes, heading in zip(tiles, HEADINGS, strict=False):
        axes.set_title(heading, fontsize=drawing.FONT_SIZE, pad=5)
    for row, index in enumerate(chosen):
        cut = (index, *box)
        for column, labels in enumerate((None, *shown)):
            axes = tiles[row * len(HEADINGS) + column]
            drawing.draw_slice(axes, hu[cut], aspect, "" if column else f"slice {index}")
            if labels is not None:
                drawing.draw_segmentation(axes, labels[cut], aspect)
    drawing.draw_legend(figure, drawing.STRUCTURES, "black")
    return figure
