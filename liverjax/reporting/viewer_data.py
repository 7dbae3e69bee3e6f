"""A CT and its segmentation made small enough to be part of a page."""

import base64
import gzip
from typing import Any, NamedTuple

import numpy as np

from liverjax.components import bounding_box
from liverjax.labels import liver_mask
from liverjax.reporting.drawing import visible_box
from liverjax.volume import (
    Geometry,
    Segmentation,
    Volume,
    canonical_geometry,
    check_same_grid,
    to_canonical,
)

WINDOW = (-160, 240)
"""HU that the page can tell apart; below and above all is black and white."""
GREYS = 128
"""Grey levels of the CT: steps of 3 HU, below its noise."""
MOST_VOXELS = 12_000_000
"""Of the CT; a larger one is averaged down."""

Box = tuple[slice, slice, slice]


class ViewerData(NamedTuple):
    """What the viewer of a page shows.

    Attributes:
        about: where all of it lies, JSON-ready, see `viewer_data`.
        ct, labels: base64 of gzip of uint8, see `viewer_data`.
        note: what was done to the CT, in sentences.
    """

    about: dict[str, Any]
    ct: str
    labels: str
    note: str


def viewer_data(
    volume: Volume, segmentation: Segmentation, most_voxels: int = MOST_VOXELS
) -> ViewerData:
    """Packs a CT and its segmentation; equal input gives equal texts.

    Args:
        volume: the CT.
        segmentation: of the same CT.
        most_voxels: that the packed CT may have.

    Returns:
        `ct`: the part of the CT that shows a body or labels, averaged down, as grey levels, each
        less its left neighbour, modulo 256; `labels`: those around the liver, not reduced. Both
        run to the head, the back and the left (see `volume.to_canonical`). In `about`, in these
        axes: `shape` of the CT, `size` of its voxels (mm, or 1 where not known), `affine` [3][4]
        to LPS mm (null where not known), and of `ct` and `labels` (null without a liver) each
        `start` and `stop` in voxels of the CT, and the `shape` of what is packed; of `ct` also
        its `window` in HU and number of `greys`.

    Raises:
        InputError: the CT and the segmentation lie on different grids.
    """
    check_same_grid(volume, segmentation, ("CT", "segmentation"))
    geometry = canonical_geometry(volume.hu.shape, volume.geometry)
    hu = to_canonical(volume.hu, volume.geometry)
    labels = to_canonical(segmentation.labels, volume.geometry)
    liver = bounding_box(liver_mask(labels))
    box = _shown_box(hu, liver)
    size = geometry.spacing or (1.0, 1.0, 1.0)
    shape = reduced_shape(hu[box].shape, size, most_voxels)
    known = geometry.spacing_known
    about = {
        "shape": list(hu.shape),
        "size": list(size),
        "affine": geometry.affine[:3].tolist() if known else None,
        "ct": {**_place(box, shape), "window": list(WINDOW), "greys": GREYS},
        "labels": None if liver is None else _place(liver, labels[liver].shape),
    }
    return ViewerData(
        about,
        # Differences between neighbours along a row, modulo 256, pack better by an eighth.
        _pack(np.diff(_to_greys(hu[box], shape), axis=2, prepend=np.uint8(0))),
        "" if liver is None else _pack(labels[liver]),
        _note(hu.shape, box, shape, _tilt(geometry)),
    )


def reduced_shape(
    shape: tuple[int, ...], size: tuple[float, float, float], most_voxels: int
) -> tuple[int, int, int]:
    """The finest grid of at most `most_voxels` that is nearest to equal voxel sides.

    Args:
        shape: voxels along each axis.
        size: of a voxel along each.
        most_voxels: at least 1.
    """
    d, h, w = shape
    if d * h * w <= most_voxels:
        return d, h, w
    extent = np.multiply(shape, size)

    def divided(side: float) -> np.ndarray:
        """Voxels along each axis that are no shorter than `side`."""
        return np.clip(np.floor(extent / side), 1, shape).astype(int)

    fine, coarse = min(size), float(extent.max())  # too many voxels, and a single one
    for _ in range(40):
        middle = (fine + coarse) / 2
        if np.prod(divided(middle)) <= most_voxels:
            coarse = middle
        else:
            fine = middle
    d, h, w = divided(coarse).tolist()
    return d, h, w


def _shown_box(hu: np.ndarray, liver: Box | None) -> Box:
    """All slices, and of rows and columns those with a body or a label."""
    sides = list(visible_box(hu))
    if liver is not None:
        sides = [
            slice(min(one.start, other.start), max(one.stop, other.stop))
            for one, other in zip(sides, liver[1:], strict=True)
        ]
    return slice(0, hu.shape[0]), sides[0], sides[1]


def _to_greys(hu: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Grey levels uint8 of `shape` from HU [D, H, W]; each voxel is the mean of what it covers."""
    low, high = WINDOW
    depth, rows, columns = (
        _averaging(fine, coarse) for fine, coarse in zip(hu.shape, shape, strict=True)
    )
    greys = np.empty(shape, np.uint8)
    for index, weights in enumerate(depth):
        covered = np.flatnonzero(weights)
        # Cut before averaging, so that air and bone weigh no more than they show.
        planes = np.clip(hu[covered[0] : covered[-1] + 1], low, high).astype(np.float32)
        plane = rows @ np.tensordot(weights[covered], planes, 1) @ columns.T
        greys[index] = np.rint((plane - low) * ((GREYS - 1) / (high - low)))
    return greys


def _averaging(fine: int, coarse: int) -> np.ndarray:
    """Weights float32 [coarse, fine]: how much of each new voxel lies in each old one."""
    edges = np.arange(coarse + 1) * (fine / coarse)
    start, stop = edges[:-1, None], edges[1:, None]
    voxel = np.arange(fine)
    overlap = np.clip(np.minimum(stop, voxel + 1) - np.maximum(start, voxel), 0, None)
    # What is left of rounding would read one more slice for nothing.
    overlap[overlap < 1e-6] = 0
    return (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)


def _place(box: Box, shape: tuple[int, ...]) -> dict[str, list[int]]:
    return {
        "start": [side.start for side in box],
        "stop": [side.stop for side in box],
        "shape": list(shape),
    }


def _pack(array: np.ndarray) -> str:
    """Base64 of gzip of uint8, without the time of day."""
    packed = gzip.compress(np.ascontiguousarray(array).tobytes(), compresslevel=6, mtime=0)
    return base64.b64encode(packed).decode("ascii")


def _tilt(geometry: Geometry) -> float:
    """Largest angle in degrees between an array axis and the axis of the patient it is nearest."""
    directions = geometry.affine[:3, :3] / np.linalg.norm(geometry.affine[:3, :3], axis=0)
    # Canonical axes run to the head, the back and the left; LPS to the left, the back, the head.
    cosines = np.abs(np.diagonal(directions[::-1]))
    return float(np.degrees(np.arccos(np.clip(cosines.min(), 0, 1))))


def _note(whole: tuple[int, ...], box: Box, shape: tuple[int, int, int], tilt: float) -> str:
    low, high = WINDOW
    note = f"The pictures show {low} to {high} HU in {GREYS} grey levels"
    full = tuple(side.stop - side.start for side in box)
    if full != shape:
        sizes = [" x ".join(map(str, each)) for each in (full, shape)]
        note += f", averaged from {sizes[0]} to {sizes[1]} voxels (slices, rows, columns)"
    note += ". Outlines and figures are of the full resolution."
    if full != tuple(whole):
        rows, columns = (f"{side.start} to {side.stop - 1}" for side in box[1:])
        note += f" The pictures are cropped to the body: rows {rows}, columns {columns}."
    if tilt >= 1:
        note += f" The slices are oblique, by {tilt:.0f} degrees from the axes of the patient."
    return note
