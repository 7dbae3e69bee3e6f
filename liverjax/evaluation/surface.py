"""Distances between the surfaces of two masks, exact and in mm.

A surface is the mask without its erosion by the 18-neighbour element (faces and edges), as the
LiTS scorer has it; voxels at the border of the array belong to it. Distances are between centres
of voxels.
"""

import dataclasses
import itertools

import numpy as np
from scipy.spatial import KDTree

from liverjax.components import bounding_box

TOLERANCE_MM = 2.0
"""How far apart two surfaces may be where they count as equal, in the normalised surface Dice."""

# A distance of exactly 2 mm counts wherever it lies: its last bits depend on the coordinates.
_ROUNDING = 1 + 1e-9

_STEPS = [
    step for step in itertools.product((-1, 0, 1), repeat=3) if 0 < np.count_nonzero(step) <= 2
]


@dataclasses.dataclass(frozen=True)
class SurfaceDistances:
    """What the distances between two surfaces come to; all but `nsd2` in mm.

    Attributes:
        assd: mean over the surface voxels of both, of the distance to the other surface.
        rmsd: square root of the mean of its square.
        msd: the largest of them, which is the Hausdorff distance.
        hd95: the larger of the two 95th percentiles, one in each direction.
        nsd2: share of the surface voxels of both that lie within 2 mm of the other surface.
    """

    assd: float
    rmsd: float
    msd: float
    hd95: float
    nsd2: float


def surface_distances(
    prediction: np.ndarray, reference: np.ndarray, spacing: tuple[float, float, float]
) -> SurfaceDistances | None:
    """Compares the surfaces of two boolean masks [D, H, W]; None where one of them is empty.

    Args:
        prediction, reference: of one shape.
        spacing: mm along (d, h, w).
    """
    first, second = (surface_points(mask) for mask in (prediction, reference))
    if not len(first) or not len(second):
        return None
    directed = _distances(first, second, spacing), _distances(second, first, spacing)
    both = np.concatenate(directed)
    return SurfaceDistances(
        assd=float(both.mean()),
        rmsd=float(np.sqrt(np.mean(both**2))),
        msd=float(both.max()),
        hd95=max(float(np.percentile(values, 95)) for values in directed),
        nsd2=float(np.mean(both <= TOLERANCE_MM * _ROUNDING)),
    )


def surface_points(mask: np.ndarray) -> np.ndarray:
    """Indices of the surface voxels of a boolean mask [D, H, W]: int [N, 3]."""
    box = bounding_box(mask)
    if box is None:
        return np.empty((0, 3), int)
    inside = np.pad(mask[box], 1)
    core = inside.copy()
    middle = tuple(slice(1, size - 1) for size in inside.shape)
    for step in _STEPS:
        shifted = tuple(
            slice(1 + offset, size - 1 + offset)
            for offset, size in zip(step, inside.shape, strict=True)
        )
        core[middle] &= inside[shifted]
    corner = np.array([side.start for side in box])
    return np.argwhere(inside[middle] & ~core[middle]) + corner


def _distances(
    points: np.ndarray, others: np.ndarray, spacing: tuple[float, float, float]
) -> np.ndarray:
    """From each of `points` to the nearest of `others`, in mm: float64 [N].

    A tree, because surfaces are few voxels of a volume: on a liver it takes a tenth of the time
    of a distance transform over the box around both.
    """
    scale = np.array(spacing, np.float64)
    apart = ~_contained(points, others)
    found = np.zeros(len(points))
    if apart.any():
        # Nodes are not shrunk to their points: where much of the other surface is about equally
        # far (a blob in the middle of a liver), that makes queries several times as fast.
        tree = KDTree(others * scale, leafsize=32, balanced_tree=False, compact_nodes=False)
        found[apart], _ = tree.query(points[apart] * scale, workers=-1)
    return found


def _contained(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of `points` are among `others`: bool [N]. They are at distance 0."""
    shape = np.maximum(points.max(axis=0), others.max(axis=0)) + 1
    here, there = (np.ravel_multi_index(tuple(each.T), tuple(shape)) for each in (points, others))
    return np.isin(here, there)
