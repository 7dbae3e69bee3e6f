"""Connected pieces of a mask, for everything that counts, measures or cleans them."""

from typing import Literal

import cc3d
import numpy as np


def label_components(mask: np.ndarray, connectivity: Literal[6, 18, 26] = 26) -> np.ndarray:
    """Numbers the connected pieces of a mask.

    Args:
        mask: boolean [D, H, W].
        connectivity: 6 joins voxels at faces, 18 also at edges, 26 also at corners.

    Returns:
        Unsigned integers [D, H, W]: 0 outside the mask, the pieces from 1 on in array order.
    """
    # cc3d 4.1 provides room for too few pieces in arrays that are one voxel wide; a border of
    # background leaves the pieces as they are.
    padded = np.pad(mask, ((0, 0), (0, 1), (0, 1)))
    return cc3d.connected_components(padded, connectivity=connectivity)[:, :-1, :-1]


def component_sizes(pieces: np.ndarray) -> np.ndarray:
    """Voxels of each number in `pieces`; the background, number 0, is given size 0."""
    sizes = np.bincount(pieces.ravel(), minlength=1)
    sizes[0] = 0
    return sizes


def bounding_box(mask: np.ndarray) -> tuple[slice, slice, slice] | None:
    """The smallest box around the true voxels, or None: most of a CT is not liver."""
    if not mask.any():
        return None
    sides = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(mask.any(axis=others))
        sides.append(slice(int(found[0]), int(found[-1]) + 1))
    return sides[0], sides[1], sides[2]
