"""The two diameters of a tumour in an axial slice, as radiologists measure them."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import spatial

_MIDDLE_OF_EDGES = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, -0.5], [0.0, 0.5]])
# Of lengths that are equal but for rounding: relative to the longest diameter.
_ROUNDING = 1e-9


class _Longest(NamedTuple):
    """The longest diameters, of which a symmetric shape has several.

    Attributes:
        length: in mm; 0 for an empty mask.
        directions: unit vectors [n, 2] along each of them, in the plane's own coordinates.
    """

    length: float
    directions: np.ndarray


def longest_diameter(plane: np.ndarray, steps: np.ndarray) -> float:
    """Largest distance in mm between two points of a mask; 0 for an empty one.

    Each pixel counts with the middles of its four edges, so that n pixels in a row are n pixels
    long, and a single one is as long as its longer side. The line between the two points may
    leave the mask where that is not convex.

    Args:
        plane: boolean [h, w].
        steps: float [3, 2], mm in the patient per step down and per step to the right.
    """
    return _longest(plane, _to_plane(steps)).length


def perpendicular_diameter(plane: np.ndarray, steps: np.ndarray) -> float:
    """Largest distance in mm between two points of a mask across its longest diameter.

    Both points lie on one line at right angles to the longest diameter. They are points of the
    outline, which joins the middles of the pixels' edges between mask and background by straight
    lines, so that both diameters are of one shape. Here, too, the line between them may leave the
    mask. Of several longest diameters the one with the longest perpendicular counts.

    Args:
        plane: boolean [h, w], not empty.
        steps: see `longest_diameter`.
    """
    to_plane = _to_plane(steps)
    longest = _longest(plane, to_plane)
    outline = _outline(plane) @ to_plane
    return max(
        _widest(outline @ along, outline @ np.array([-along[1], along[0]]), longest.length)
        for along in longest.directions
    )


def _to_plane(steps: np.ndarray) -> np.ndarray:
    """Matrix [2, 2] from (row, column) to mm in the plane, whatever its place in the patient."""
    return np.linalg.qr(steps).R.T


def _longest(plane: np.ndarray, to_plane: np.ndarray) -> _Longest:
    rows = np.flatnonzero(plane.any(axis=1))
    if rows.size == 0:
        return _Longest(0.0, np.empty((0, 2)))
    # Only the ends of each row can lie on the convex hull, where the farthest points are.
    first = plane[rows].argmax(axis=1)
    last = plane.shape[1] - 1 - plane[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([rows, first], 1), np.stack([rows, last], 1)])
    points = (ends[:, None, :] + _MIDDLE_OF_EDGES).reshape(-1, 2)
    corners = points[spatial.ConvexHull(points).vertices] @ to_plane
    one, other = np.triu_indices(len(corners), 1)
    lines = corners[other] - corners[one]
    lengths = np.linalg.norm(lines, axis=1)
    length = float(lengths.max())
    return _Longest(length, lines[lengths >= length * (1 - _ROUNDING)] / length)


def _outline(plane: np.ndarray) -> np.ndarray:
    """Segments [n, 2, 2] of the outline: two ends each, (row, column) of the mask's pixels.

    Between every four neighbouring pixels the outline joins the middles of the edges at which
    mask and background meet.
    """
    mask = np.pad(plane, 1)
    top, bottom = mask[:-1, :-1] != mask[:-1, 1:], mask[1:, :-1] != mask[1:, 1:]
    left, right = mask[:-1, :-1] != mask[1:, :-1], mask[:-1, 1:] != mask[1:, 1:]
    sides = (
        (top, (-1.0, -0.5)),
        (bottom, (0.0, -0.5)),
        (left, (-0.5, -1.0)),
        (right, (-0.5, 0.0)),
    )
    segments = []
    for (one, start), (other, end) in combinations(sides, 2):
        # Where two pixels meet at a corner all four are joined: they are one tumour.
        found = np.argwhere(one & other)
        segments.append(np.stack([found + start, found + end], 1))
    return np.concatenate(segments)


def _widest(along: np.ndarray, across: np.ndarray, length: float) -> float:
    """The largest distance across, between two points of the outline that are alike along.

    Args:
        along, across: [n, 2], the ends of the outline's segments in mm.
        length: of the whole, by which rounding is judged.
    """
    order = np.argsort(along, axis=1)
    along = np.take_along_axis(along, order, axis=1)
    across = np.take_along_axis(across, order, axis=1)
    # From one corner of the outline to the next, both its sides are straight: the largest
    # distance is at a corner.
    places = np.unique(along)
    first = np.searchsorted(places, along[:, 0] - _ROUNDING * length)
    counts = np.searchsorted(places, along[:, 1] + _ROUNDING * length, "right") - first
    segment = np.repeat(np.arange(len(along)), counts)
    place = np.arange(segment.size) + np.repeat(first - np.cumsum(counts) + counts, counts)
    span = np.maximum(along[segment, 1] - along[segment, 0], _ROUNDING * length)
    share = np.clip((places[place] - along[segment, 0]) / span, 0, 1)
    points = across[segment, 0] + share * (across[segment, 1] - across[segment, 0])
    lowest, highest = np.full(places.size, np.inf), np.full(places.size, -np.inf)
    np.minimum.at(lowest, place, points)
    np.maximum.at(highest, place, points)
    return float((highest - lowest).max())
