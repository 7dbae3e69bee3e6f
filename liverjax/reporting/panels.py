"""Panels: slices of a CT beside what is true there and what was predicted."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from liverjax.labels import liver_mask, tumor_mask
from liverjax.reporting import drawing
from liverjax.volume import Segmentation, Volume, check_same_grid, to_canonical

HEADINGS = (f"CT, {drawing.WINDOW[0]} to {drawing.WINDOW[1]} HU", "truth", "prediction")
_MASKS = (("liver", liver_mask), ("tumour", tumor_mask))
_BLACK = np.int16(-1000)  # HU of air
_MARGIN = 8  # pixels around masks that no CT surrounds
_TILE_INCHES = 2.4  # three are as wide as a page's text
_HEADING_INCHES = 0.28
_LEGEND_INCHES = 0.32
_DPI = 200


class ChosenSlice(NamedTuple):
    """A slice and why it is shown."""

    number: int
    title: str


def save_panels(
    path: Path,
    volume: Volume | None,
    prediction: Segmentation,
    reference: Segmentation,
    notice: str = "",
) -> None:
    """Writes the figure of `draw_panels`, whole or not at all.

    Args:
        path: file to write, in a folder that exists; its suffix decides the format.
        volume, prediction, reference, notice: see `draw_panels`.

    Raises:
        InputError: the three do not lie on one grid.
    """
    drawing.save_figure(path, draw_panels(volume, prediction, reference, notice))


def draw_panels(
    volume: Volume | None, prediction: Segmentation, reference: Segmentation, notice: str = ""
) -> Figure:
    """A row per slice: the CT alone, with the truth, and with the prediction.

    Slices are those of `choose_slices`, numbered, turned and proportioned as in
    `preview.save_preview`. The figure names no patient.

    Args:
        volume: the CT. Without one, truth and prediction are drawn on black, cut to where
            they are.
        prediction, reference: drawn as filled outlines, each in its own column.
        notice: a warning to stand above the first slice, such as "not held out"; may be empty.

    Raises:
        InputError: the three do not lie on one grid.
    """
    if volume is None:
        check_same_grid(prediction, reference, ("prediction", "reference"))
    else:
        check_same_grid(volume, prediction, ("CT", "prediction"))
        check_same_grid(volume, reference, ("CT", "reference"))
    geometry = reference.geometry
    true, found = (to_canonical(each.labels, geometry) for each in (reference, prediction))
    chosen = choose_slices(found, true)
    if notice:
        chosen[0] = chosen[0]._replace(title=f"{notice}\n{chosen[0].title}")
    rows = [each.number for each in chosen]
    columns: list[np.ndarray | None] = [true, found]
    if volume is None:
        black = Volume(np.broadcast_to(_BLACK, reference.labels.shape), geometry)
        aspect = drawing.pixel_aspect(black)
        hu = np.broadcast_to(_BLACK, true.shape)
        box = _labelled_box((true[rows] > 0) | (found[rows] > 0))
    else:
        aspect = drawing.pixel_aspect(volume)
        hu = to_canonical(volume.hu, volume.geometry)
        box = drawing.visible_box(hu[rows])
        columns.insert(0, None)
    return _draw(hu, columns, chosen, box, aspect)


def choose_slices(prediction: np.ndarray, reference: np.ndarray) -> list[ChosenSlice]:
    """The best and the worst slice of the liver and of the tumour, in this order.

    They are judged by their Dice, among the slices in which reference or prediction has the
    structure; of equals the one with most voxels of both is taken. A slice that is chosen twice
    comes once, and its title says both. Without either structure it is the slice in the middle.

    Args:
        prediction, reference: labels [D, H, W] in canonical orientation.
    """
    reasons: dict[int, list[str]] = {}
    for name, mask_of in _MASKS:
        masks = mask_of(prediction), mask_of(reference)
        shared = np.count_nonzero(masks[0] & masks[1], axis=(1, 2))
        total = sum(np.count_nonzero(mask, axis=(1, 2)) for mask in masks)
        shown = np.flatnonzero(total)
        if not shown.size:
            continue
        dice = 2 * shared[shown] / total[shown]
        # The last key of lexsort counts first.
        worst, best = (int(shown[np.lexsort((-total[shown], order))[0]]) for order in (dice, -dice))
        chosen = [("best", best), ("worst", worst)]
        if best == worst:  # all slices have the same Dice: none is better or worse
            chosen = [("only" if shown.size == 1 else "largest", best)]
        for word, index in chosen:
            what = name if masks[1][index].any() else f"false {name}"
            value = 2 * shared[index] / total[index]
            reasons.setdefault(index, []).append(f"{word} {what}, Dice {value:.2f}")
    if not reasons:
        return [ChosenSlice(len(reference) // 2, f"slice {len(reference) // 2}\nno liver")]
    # A reason to a line, as a tile has no room for more.
    return [ChosenSlice(i, "\n".join([f"slice {i}", *why])) for i, why in reasons.items()]


def _labelled_box(labelled: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of bool [N, H, W] that hold anything, with a margin; all where none do."""
    sides = []
    for axis in (1, 2):
        found = np.flatnonzero(labelled.any(axis=(0, 3 - axis)))
        size = labelled.shape[axis]
        if not found.size:
            sides.append(slice(0, size))
            continue
        low, high = int(found[0]) - _MARGIN, int(found[-1]) + 1 + _MARGIN
        sides.append(slice(max(0, low), min(size, high)))
    return sides[0], sides[1]


def _draw(
    hu: np.ndarray,
    columns: list[np.ndarray | None],
    chosen: list[ChosenSlice],
    box: tuple[slice, slice],
    aspect: float,
) -> Figure:
    """The figure; `columns` are the labels that each column shows, None for none."""
    tiles_inches = len(chosen) * drawing.tile_height(box, aspect, _TILE_INCHES)
    figure = drawing.new_figure(
        len(columns) * _TILE_INCHES, _HEADING_INCHES + tiles_inches + _LEGEND_INCHES, _DPI
    )
    tiles = drawing.add_tiles(
        figure, len(chosen), len(columns), above=_HEADING_INCHES, below=_LEGEND_INCHES
    )
    for axes, heading in zip(tiles, HEADINGS[-len(columns) :], strict=False):
        axes.set_title(heading, fontsize=drawing.FONT_SIZE, pad=5)
    for row, (index, title) in enumerate(chosen):
        cut = (index, *box)
        for column, labels in enumerate(columns):
            axes = tiles[row * len(columns) + column]
            drawing.draw_slice(axes, hu[cut], aspect, "" if column else title)
            if labels is not None:
                drawing.draw_segmentation(axes, labels[cut], aspect)
    drawing.draw_legend(figure, drawing.STRUCTURES, "black")
    return figure
