"""The two diameters of a tumour in an axial slice, as radiologists measure them."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from scipy import ndimage, spatial

# Sides and corners of the pixels of one slice, and no other slice.
_WITHIN_A_SLICE = np.zeros((3, 3, 3), bool)
_WITHIN_A_SLICE[1] = True
_MIDDLE_OF_EDGES = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, -0.5], [0.0, 0.5]])
# Of lengths that are equal but for rounding: relative to the longest diameter.
_ROUNDING = 1e-9


class Diameters(NamedTuple):
    """Of one tumour.

    Attributes:
        slice_index: the axial slice they lie in, counted within the mask.
        longest: in mm.
        perpendicular: in mm, across the same piece of that slice.
    """

    slice_index: int
    longest: float
    perpendicular: float


class _Piece(NamedTuple):
    """What is connected within one axial slice.

    Attributes:
        slice_index: the slice.
        mask: boolean [h, w], true in its pixels, no larger than it.
        reach: the longest diameter in mm that so large a mask can have.
    """

    slice_index: int
    mask: np.ndarray
    reach: float


class _Longest(NamedTuple):
    """The longest diameters, of which a symmetric shape has several.

    Attributes:
        length: in mm.
        directions: unit vectors [n, 2] along each of them, in the plane's own coordinates.
    """

    length: float
    directions: np.ndarray


def axial_diameters(mask: np.ndarray, steps: np.ndarray) -> Diameters:
    """The longest diameter of a tumour in an axial slice, and the one across it.

    A tumour may lie in several pieces in a slice, which other slices join. Both diameters are of
    one piece: of pixels that touch at a side or a corner. The line between the two ends of a
    diameter may leave the piece where that is not convex.

    The longest diameter is the largest distance between two points of a piece. Each pixel counts
    with the middles of its four edges, so that n pixels in a row are n pixels long, and a single
    one is as long as its longer side.

    The perpendicular one is the largest distance between two points that lie on one line at right
    angles to it. They are points of the outline, which joins the middles of the pixels' edges
    between piece and background by straight lines, so that both diameters are of one shape. Of
    several longest diameters the one with the longest perpendicular counts, of several of those
    the one in the first slice.

    Args:
        mask: boolean [d, h, w], not empty.
        steps: float [3, 2], mm in the patient per step down and per step to the right.
    """
    to_plane = _to_plane(steps)
    longest: list[tuple[_Piece, _Longest]] = []
    length = 0.0
    for piece in sorted(_pieces(mask, to_plane), key=lambda piece: -piece.reach):
        if piece.reach < length * (1 - _ROUNDING):
            break  # nor can the others, which are smaller still, be longer
        longest.append((piece, _longest(piece.mask, to_plane)))
        length = max(length, longest[-1][1].length)
    found = [
        Diameters(piece.slice_index, each.length, _perpendicular(piece.mask, each, to_plane))
        for piece, each in longest
        if each.length >= length * (1 - _ROUNDING)
    ]
    widest = max(each.perpendicular for each in found)
    return min(each for each in found if each.perpendicular >= widest * (1 - _ROUNDING))


def _pieces(mask: np.ndarray, to_plane: np.ndarray) -> list[_Piece]:
    """The connected pieces of every slice; those of different slices are never joined."""
    numbers, _ = ndimage.label(mask, _WITHIN_A_SLICE)
    pieces = []
    for number, box in enumerate(ndimage.find_objects(numbers), start=1):
        piece = numbers[box][0] == number
        h, w = piece.shape
        reach = np.linalg.norm(np.array([[h, w], [h, -w]]) @ to_plane, axis=1).max()
        pieces.append(_Piece(box[0].start, piece, float(reach)))
    return pieces


def _perpendicular(plane: np.ndarray, longest: _Longest, to_plane: np.ndarray) -> float:
    """The diameter across the longest one, see `axial_diameters`."""
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
        # Where two pixels meet at a corner all four are joined: they are one piece.
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
