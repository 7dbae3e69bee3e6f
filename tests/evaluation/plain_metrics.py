"""The figures of a case once more, slowly and straight from their definitions.

Nothing of liverjax is used: all pairs of surface voxels are measured, and lesions are matched by
loops over sets of voxels. docs/METRICS.md says what is expected where a mask is empty.
"""

import math

import numpy as np
from scipy import ndimage
from scipy.spatial.distance import cdist

NAMES = ("dice", "voe", "rvd", "assd", "rmsd", "msd", "hd95", "nsd2")
NAMES += ("volume_error_ml", "false_positive_ml")
NEIGHBOURS_18 = ndimage.generate_binary_structure(3, 2)
NEIGHBOURS_6 = ndimage.generate_binary_structure(3, 1)


def structure_figures(prediction, reference, spacing):
    """All figures by name; `spacing` (z, y, x) in mm may be None."""
    true, found = int(reference.sum()), int(prediction.sum())
    shared, union = int((prediction & reference).sum()), int((prediction | reference).sum())
    figures = dict.fromkeys(NAMES)
    if spacing is not None:
        voxel_ml = math.prod(spacing) / 1000
        figures["volume_error_ml"] = (found - true) * voxel_ml
        figures["false_positive_ml"] = (union - true) * voxel_ml
    if not true:
        return figures
    figures["dice"] = 2 * shared / (true + found)
    figures["voe"] = 1 - shared / union
    figures["rvd"] = (found - true) / true
    if spacing is None:
        return figures
    return figures | (surface_figures(prediction, reference, spacing) if found else {"nsd2": 0.0})


def surface_figures(prediction, reference, spacing):
    """Figures of the distances between two surfaces that both exist."""
    points = [surface(mask) * np.array(spacing) for mask in (prediction, reference)]
    distances = cdist(*points)
    there, back = distances.min(axis=1), distances.min(axis=0)
    both = np.concatenate([there, back])
    return {
        "assd": both.sum() / both.size,
        "rmsd": math.sqrt((both**2).sum() / both.size),
        "msd": both.max(),
        "hd95": max(np.percentile(there, 95), np.percentile(back, 95)),
        "nsd2": (both <= 2.0 + 1e-9).sum() / both.size,
    }


def surface(mask):
    """Indices of the voxels that the erosion takes away: int [N, 3]."""
    return np.argwhere(mask ^ ndimage.binary_erosion(mask, NEIGHBOURS_18))


def lesions(prediction, reference):
    """Matched lesions as (pieces true, found, voxels true, found, shared), in no set order."""
    true, found = pieces(reference), pieces(prediction)
    most = [best([len(piece & other) for other in found]) for piece in true]
    groups = []
    for index in range(len(found)):
        members = [piece for piece, chosen in zip(true, most, strict=True) if chosen == index]
        if members:
            groups.append(members)
    groups += [[piece] for piece, chosen in zip(true, most, strict=True) if chosen is None]
    groups.sort(key=lambda members: min(map(min, members)))
    assigned = [best([shared(piece, members) for members in groups]) for piece in found]
    rows = []
    for index, members in enumerate(groups):
        own = [piece for piece, chosen in zip(found, assigned, strict=True) if chosen == index]
        voxels = sum(map(len, members)), sum(map(len, own))
        rows.append((len(members), len(own), *voxels, sum(shared(piece, members) for piece in own)))
    false = [piece for piece, chosen in zip(found, assigned, strict=True) if chosen is None]
    return rows + [(0, 1, 0, len(piece), 0) for piece in false]


def pieces(mask):
    """6-connected pieces as sets of voxels, the one with the first voxel first."""
    numbers, count = ndimage.label(mask, NEIGHBOURS_6)
    found = [set(map(tuple, np.argwhere(numbers == index + 1).tolist())) for index in range(count)]
    return sorted(found, key=min)


def best(values):
    """Position of the largest value, the first of equals; None where all are 0."""
    return values.index(max(values)) if any(values) else None


def shared(piece, members):
    return sum(len(piece & member) for member in members)
