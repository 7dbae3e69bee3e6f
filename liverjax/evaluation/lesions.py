"""Which lesions of the reference were found, and which of the prediction are none.

The rule of the LiTS scorer, on 6-connected pieces. Lesions of the reference that one predicted
lesion joins are merged, each with those whose largest overlap is the same prediction. Every
prediction is then assigned to the lesion that it overlaps most, and predictions of one lesion are
merged. Of equal overlaps the first in array order counts.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from liverjax.components import bounding_box, component_sizes, label_components
from liverjax.evaluation.case import Lesion

_CONNECTIVITY: Literal[6] = 6


def match_lesions(
    prediction: np.ndarray, reference: np.ndarray, voxel_ml: float | None
) -> tuple[Lesion, ...]:
    """The lesions of two boolean masks [D, H, W]: see the head of this file.

    Args:
        prediction, reference: of one shape.
        voxel_ml: volume of a voxel in mL; None where not known.

    Returns:
        Lesions of the reference first, then the false positives; the largest first.
    """
    box = bounding_box(prediction | reference)
    if box is None:
        return ()
    # Pieces are numbered as they lie in memory, which must not decide between equal overlaps.
    found, true = (
        label_components(np.ascontiguousarray(mask[box]), _CONNECTIVITY)
        for mask in (prediction, reference)
    )
    found_sizes, true_sizes = component_sizes(found), component_sizes(true)
    overlaps = _overlaps(found, true)
    group = _merge_references(overlaps, len(true_sizes))
    assigned = _assign_predictions(overlaps, group, len(found_sizes))
    counted = assigned[overlaps.found] == group[overlaps.true]
    shared = np.zeros_like(true_sizes)
    np.add.at(shared, group[overlaps.true[counted]], overlaps.voxels[counted])
    columns = *_totals(group, true_sizes), *_totals(assigned, found_sizes, len(true_sizes)), shared
    lesions = [
        _lesion((pieces, predictions), (true_voxels, found_voxels), both, voxel_ml)
        for pieces, true_voxels, predictions, found_voxels, both in np.stack(columns, 1).tolist()
        if pieces
    ]
    alone = found_sizes[1:][assigned[1:] == 0].tolist()
    false = [_lesion((0, 1), (0, size), 0, voxel_ml) for size in alone]
    return (
        *sorted(lesions, key=lambda lesion: -lesion.reference_voxels),
        *sorted(false, key=lambda lesion: -lesion.predicted_voxels),
    )


def detection(lesions: Sequence[Lesion], min_iou: float) -> tuple[int, int, int]:
    """True positives, false positives and false negatives.

    Args:
        lesions: of one case or of several.
        min_iou: a lesion is found where its intersection over union with the predictions
            assigned to it is larger than this.

    Returns:
        Lesions found; predictions that found none, those of a lesion counted as one; lesions
        missed.
    """
    found = [lesion.shared_voxels > 0 and lesion.iou > min_iou for lesion in lesions]
    missed = [each for each, hit in zip(lesions, found, strict=True) if not hit]
    return (
        sum(found),
        sum(lesion.predicted_voxels > 0 for lesion in missed),
        sum(lesion.reference_voxels > 0 for lesion in missed),
    )


class _Overlaps(NamedTuple):
    """Pairs of pieces with voxels in common: int [N] each, the numbers of the pieces and voxels.

    Pairs only, as two volumes full of specks have too many pieces for a table of all.
    """

    found: np.ndarray
    true: np.ndarray
    voxels: np.ndarray


def _overlaps(found: np.ndarray, true: np.ndarray) -> _Overlaps:
    """Of two arrays of numbered pieces; the background, number 0, is no piece."""
    both = np.logical_and(found, true)
    references = int(true.max()) + 1
    pairs = found[both].astype(np.int64) * references + true[both]
    pairs, voxels = np.unique(pairs, return_counts=True)
    return _Overlaps(*np.divmod(pairs, references), voxels)


def _merge_references(overlaps: _Overlaps, size: int) -> np.ndarray:
    """For each piece of the reference the first one that it is merged with: int [`size`]."""
    through = _largest(overlaps.true, overlaps.found, overlaps.voxels, size)
    group = np.arange(size)
    touched = np.flatnonzero(through)
    _, first, member = np.unique(through[touched], return_index=True, return_inverse=True)
    group[touched] = touched[first[member]]
    return group


def _assign_predictions(overlaps: _Overlaps, group: np.ndarray, size: int) -> np.ndarray:
    """For each predicted piece the merged reference, 0 where it touches none: int [`size`]."""
    pairs = overlaps.found * len(group) + group[overlaps.true]
    pairs, member = np.unique(pairs, return_inverse=True)
    voxels = np.zeros_like(pairs)
    np.add.at(voxels, member, overlaps.voxels)
    return _largest(*np.divmod(pairs, len(group)), voxels, size)


def _largest(rows: np.ndarray, columns: np.ndarray, voxels: np.ndarray, size: int) -> np.ndarray:
    """For each row below `size` the column with most voxels, the first of equals; 0 for none."""
    best = np.zeros(size, np.int64)
    # Of all columns that are written to a row, the last one stays.
    order = np.lexsort((-columns, voxels))
    best[rows[order]] = columns[order]
    return best


def _totals(
    group: np.ndarray, sizes: np.ndarray, groups: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Pieces and voxels of each group: int [`groups`] each; group 0, the background, has none."""
    totals = np.zeros((2, groups or len(sizes)), np.int64)
    np.add.at(totals[0], group, 1)
    np.add.at(totals[1], group, sizes)
    totals[:, 0] = 0
    return totals[0], totals[1]


def _lesion(
    pieces: tuple[int, int], voxels: tuple[int, int], shared: int, voxel_ml: float | None
) -> Lesion:
    """A lesion from its pieces and voxels in reference and prediction."""
    ml = [None if voxel_ml is None else count * voxel_ml for count in voxels]
    diameter = None
    if ml[0]:
        diameter = 2 * float(np.cbrt(3 * ml[0] * 1000 / (4 * np.pi)))
    return Lesion(*pieces, *voxels, shared, ml[0], ml[1], diameter)
