"""An overlay montage: axial slices of a CT with the liver and its tumours drawn in."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from liverjax.labels import liver_mask, tumor_mask
from liverjax.reporting import drawing
from liverjax.volume import Segmentation, Volume, check_same_grid, to_canonical

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
    aspect = drawing.pixel_aspect(volume)

    chosen = choose_slices([found] if expected is None else [found, expected], tiles)
    box = drawing.visible_box(hu[chosen])
    across = math.ceil(math.sqrt(len(chosen)))
    down = math.ceil(len(chosen) / across)
    height = down * drawing.tile_height(box, aspect, _TILE_INCHES) + _LEGEND_INCHES
    figure = drawing.new_figure(across * _TILE_INCHES, height, _DPI, "black")
    tile_axes = drawing.add_tiles(figure, down, across, below=_LEGEND_INCHES)
    for axes in tile_axes[len(chosen) :]:
        axes.remove()
    for axes, index in zip(tile_axes, chosen, strict=False):
        cut = (index, *box)
        drawing.draw_slice(axes, hu[cut], aspect, f"slice {index}")
        drawing.draw_segmentation(axes, found[cut], aspect)
        if expected is not None:
            for mask in (liver_mask(expected[cut]), tumor_mask(expected[cut])):
                drawing.draw_outline(axes, mask, drawing.REFERENCE_COLOR, "dashed")
    lines = list(drawing.STRUCTURES)
    if expected is not None:
        lines.append(("reference", drawing.REFERENCE_COLOR, "dashed"))
    drawing.draw_legend(figure, lines, "white")
    drawing.save_figure(Path(path), figure)


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
