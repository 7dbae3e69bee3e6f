"""An overlay montage: axial slices of a CT with the liver and its tumours drawn in."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from liverjax.io.atomic import replacing
from liverjax.labels import Label, liver_mask, tumor_mask
from liverjax.volume import (
    Segmentation,
    Volume,
    canonical_geometry,
    check_same_grid,
    to_canonical,
)

_WINDOW = (-100, 240)  # HU: soft tissue
# From the palette of Okabe and Ito (2008), made for colour-blind readers.
_LIVER_COLOR = "#56b4e9"
_TUMOR_COLOR = "#e69f00"
_REFERENCE_COLOR = "#ffffff"
_FILL = 0.2  # opacity
_TILE_INCHES = 3.0
_LEGEND_INCHES = 0.35
_DPI = 120


def save_preview(
    path: str | Path,
    volume: Volume,
    segmentation: Segmentation,
    *,
    reference: Segmentation | None = None,
    tiles: int = 9,
) -> None:
    """Writes a montage of axial slices to `path`; its suffix decides the format, e.g. ".png".

    Slices are shown as radiologists read them, the patient's right on the left, in the
    proportions of the voxel size (square pixels where that is not known), and numbered from 0
    at the feet as in `measurements.Tumor`. They lie evenly through the liver, always including
    the one with most tumour, in the segmentation and the reference together. The picture names
    no patient.

    Args:
        path: file to write, in a folder that exists.
        volume: the CT.
        segmentation: drawn as filled outlines.
        reference: drawn as dashed outlines.
        tiles: how many slices at most.

    Raises:
        InputError: a segmentation lies on another grid than the CT.
    """
    check_same_grid(volume, segmentation, ("CT", "segmentation"))
    if reference is not None:
        check_same_grid(volume, reference, ("CT", "reference"))
    hu = to_canonical(volume.hu, volume.geometry)
    found = to_canonical(segmentation.labels, volume.geometry)
    expected = None if reference is None else to_canonical(reference.labels, volume.geometry)
    spacing = canonical_geometry(volume.hu.shape, volume.geometry).spacing
    aspect = spacing[1] / spacing[2] if spacing else 1.0

    chosen = choose_slices([found] if expected is None else [found, expected], tiles)
    rows, columns = _visible_box(hu[chosen])
    height, width = rows.stop - rows.start, columns.stop - columns.start
    figure, tile_axes = _montage(len(chosen), _TILE_INCHES * aspect * height / width)
    for axes, index in zip(tile_axes, chosen, strict=True):
        cut = (index, rows, columns)
        _draw_slice(axes, hu[cut], aspect, f"slice {index}")
        _draw_segmentation(axes, found[cut], aspect)
        if expected is not None:
            _draw_outline(axes, liver_mask(expected[cut]), _REFERENCE_COLOR, "dashed")
            _draw_outline(axes, tumor_mask(expected[cut]), _REFERENCE_COLOR, "dashed")
    _draw_legend(figure, with_reference=expected is not None)
    with replacing(Path(path)) as temporary:
        figure.savefig(temporary)


def choose_slices(segmentations: Sequence[np.ndarray], tiles: int) -> list[int]:
    """Indices of at most `tiles` slices, ascending, evenly through the liver.

    The slice with most tumour takes the place of the one nearest to it. Without a liver the
    slices lie evenly through the whole volume.

    Args:
        segmentations: one or more labels [D, H, W]; what any of them shows is looked at.
        tiles: at least 1.
    """
    liver = np.logical_or.reduce([liver_mask(labels).any(axis=(1, 2)) for labels in segmentations])
    tumor = sum(np.count_nonzero(tumor_mask(labels), axis=(1, 2)) for labels in segmentations)
    candidates = np.flatnonzero(liver) if liver.any() else np.arange(liver.size)
    # Middles of equal parts: the liver's outermost slices show little of it.
    count = min(tiles, candidates.size)
    chosen = candidates[((np.arange(count) + 0.5) * candidates.size / count).astype(int)]
    if np.any(tumor):
        most = np.argmax(tumor)
        chosen[np.abs(chosen - most).argmin()] = most
    return sorted(chosen.tolist())


def _visible_box(hu: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of int16 HU [D, H, W] that are not all black: air is left out."""
    visible = hu > _WINDOW[0]
    sides = []
    for axis in (1, 2):
        # A fiftieth lit is more than noise, and less than any edge of a body.
        found = np.flatnonzero(visible.mean(axis=(0, 3 - axis)) > 0.02)
        size = hu.shape[axis]
        sides.append(slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, size))
    return sides[0], sides[1]


def _montage(count: int, tile_height: float) -> tuple[Figure, list[Axes]]:
    """A black figure with `count` axes in a square grid, and room for a legend below.

    Args:
        count: number of tiles, at least 1.
        tile_height: inches.
    """
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    height = rows * tile_height + _LEGEND_INCHES
    figure = Figure(figsize=(columns * _TILE_INCHES, height), dpi=_DPI, facecolor="black")
    FigureCanvasAgg(figure)
    bottom = _LEGEND_INCHES / height
    grid = figure.add_gridspec(
        rows, columns, left=0, right=1, top=1, bottom=bottom, wspace=0.01, hspace=0.01
    )
    return figure, [figure.add_subplot(grid[divmod(tile, columns)]) for tile in range(count)]


def _draw_slice(axes: Axes, hu: np.ndarray, aspect: float, title: str) -> None:
    """A grey slice [h, w] with its number and the sides of the patient."""
    low, high = _WINDOW
    axes.imshow(hu, cmap="gray", vmin=low, vmax=high, aspect=aspect, interpolation="bilinear")
    axes.set_axis_off()
    for x, y, align, text in (
        (0.02, 0.97, "left", title),
        (0.02, 0.5, "left", "R"),
        (0.98, 0.5, "right", "L"),
    ):
        axes.text(
            x, y, text, transform=axes.transAxes, color="white", fontsize=9, ha=align, va="top"
        )


def _draw_segmentation(axes: Axes, labels: np.ndarray, aspect: float) -> None:
    """Labels [h, w] as translucent areas with solid outlines."""
    layer = np.zeros((*labels.shape, 4))
    layer[labels == Label.LIVER] = (*to_rgb(_LIVER_COLOR), _FILL)
    layer[labels == Label.TUMOR] = (*to_rgb(_TUMOR_COLOR), _FILL)
    axes.imshow(layer, aspect=aspect, interpolation="nearest")
    _draw_outline(axes, liver_mask(labels), _LIVER_COLOR, "solid")
    _draw_outline(axes, tumor_mask(labels), _TUMOR_COLOR, "solid")


def _draw_outline(axes: Axes, mask: np.ndarray, color: str, style: str) -> None:
    """The border of a boolean mask [h, w]; none where the mask is empty or everywhere."""
    if mask.any() and not mask.all():
        axes.contour(mask, levels=[0.5], colors=[color], linewidths=1.0, linestyles=style)


def _draw_legend(figure: Figure, *, with_reference: bool) -> None:
    """One line below the tiles that says what the outlines are."""
    handles = [
        Line2D([], [], color=_LIVER_COLOR, label="liver"),
        Line2D([], [], color=_TUMOR_COLOR, label="tumour"),
    ]
    if with_reference:
        handles.append(
            Line2D([], [], color=_REFERENCE_COLOR, linestyle="dashed", label="reference")
        )
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=len(handles),
        frameon=False,
        labelcolor="white",
        fontsize=9,
    )
