"""From network probabilities to masks, on the host.

Masks are boolean [D, H, W] with axial slices along the first axis. Every function gives a new
array, and an empty mask for an empty one. Voxels that touch at a face, an edge or a corner are one
piece: a thin lobe that runs obliquely through thick slices must not be cut off.
"""

import dataclasses
import math

import numpy as np

from liverjax.choices import Recipe
from liverjax.components import bounding_box, component_sizes, label_components
from liverjax.errors import InputError

SMALLEST_LIVER_SHARE = 0.001
"""Share of a CT's voxels that a liver fills at least, where the voxel size is not known."""
CERTAIN = 0.99
"""Probability from which on a network is said to be certain of a voxel."""
DOUBTED = 10
"""Times the smallest liver, below which a liver must be certain."""


@dataclasses.dataclass(frozen=True)
class Postprocess:
    """What is chosen once a network is trained: how its probabilities become a mask.

    Attributes:
        threshold: from which probability on a voxel counts.
        min_voxels: pieces of fewer voxels are dropped, at the tumour stage. At common CT
            resolutions the default is a tumour of 2 to 4 mm, too small to be told from noise.
        min_ml: pieces of less volume are dropped as well, where the voxel size is known.
        min_liver_ml: at the liver stage, what is smaller is no liver, so that none is found: a
            chest or a pelvis shows specks that resemble one. Where the voxel size is not known,
            what is smaller than `SMALLEST_LIVER_SHARE` of the CT is none; 0 takes whatever there
            is. The default is far below any liver, and below the dome of one at a chest's end.
        min_certain: at the liver stage, what is less than `DOUBTED` times as large as that is a
            liver only if the network is certain (`CERTAIN`) of this share of its voxels at least.
            The networks that come with the package are certain of half and more of a dome at a
            chest's end, and of a fifth at most of what resembles a liver in a pelvis. Of the
            lowest slices of a liver, alone in a CT, they may be certain of nothing: such are
            missed. 0 asks for no certainty, as where `min_liver_ml` is 0.
        flips: whether slices are also seen mirrored left-right, and the two answers averaged,
            which takes twice the time.
    """

    threshold: float = 0.5
    min_voxels: int = 10
    min_ml: float = 0.0
    flips: bool = False
    min_liver_ml: float = 20.0
    min_certain: float = 0.25

    def smallest(self, voxel_ml: float | None) -> int:
        """Voxels that a piece must have at least, for voxels of this volume (None: unknown)."""
        if not self.min_ml or voxel_ml is None:
            return self.min_voxels
        return max(self.min_voxels, _voxels(self.min_ml, voxel_ml))

    def smallest_liver(self, voxels: int, voxel_ml: float | None) -> int:
        """Voxels that a liver must have at least in a CT of so many of them; see `smallest`."""
        if not self.min_liver_ml:
            return 0
        if voxel_ml is None:
            return math.ceil(SMALLEST_LIVER_SHARE * voxels)
        return _voxels(self.min_liver_ml, voxel_ml)


def _voxels(volume_ml: float, voxel_ml: float) -> int:
    """Voxels of a volume; of exactly that volume it is enough, whatever the rounding."""
    return math.ceil(volume_ml / voxel_ml - 1e-6)


def find_liver(
    recipe: Recipe, probability: np.ndarray, chosen: Postprocess, voxel_ml: float | None
) -> np.ndarray:
    """Liver mask, cleaned as the recipe that its network was trained by has it.

    It is empty where what is found is too small for a liver, or too uncertain. The thesis cleans
    nothing: every voxel of at least one half is liver.

    Args:
        recipe: of the network.
        probability: [D, H, W] of the whole CT.
        chosen: threshold, smallest and least certain liver.
        voxel_ml: volume of a voxel, None where not known.
    """
    if recipe is Recipe.THESIS:
        return probability >= 0.5
    found = liver_from_probability(probability, chosen.threshold)
    voxels, smallest = np.count_nonzero(found), chosen.smallest_liver(found.size, voxel_ml)
    if voxels >= DOUBTED * smallest:
        return found
    certain = np.count_nonzero(probability[found] >= CERTAIN)
    if voxels < smallest or certain < chosen.min_certain * voxels:
        return np.zeros(found.shape, dtype=bool)
    return found


def find_tumor(
    recipe: Recipe,
    probability: np.ndarray,
    liver: np.ndarray,
    chosen: Postprocess,
    voxel_ml: float | None,
) -> np.ndarray:
    """Tumour mask inside the liver; see `find_liver`. `voxel_ml` is None where not known."""
    if recipe is Recipe.THESIS:
        return np.logical_and(probability >= 0.5, liver)
    smallest = chosen.smallest(voxel_ml)
    return tumor_from_probability(probability, liver, chosen.threshold, smallest)


def largest_component(mask: np.ndarray) -> np.ndarray:
    """The largest 26-connected piece of `mask`; of equal ones the first in array order."""
    kept = np.zeros(mask.shape, dtype=bool)
    box = bounding_box(mask)
    if box is not None:
        pieces = label_components(mask[box])
        kept[box] = pieces == np.argmax(component_sizes(pieces))
    return kept


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """`mask` with every cavity filled: background that no path through voxel faces leads out of.

    Cavities are judged in 3D. Slice by slice, the gall bladder and the great vessels would be
    filled too wherever the liver surrounds them within one slice.
    """
    filled = np.zeros(mask.shape, dtype=bool)
    box = bounding_box(mask)
    if box is not None:
        regions = label_components(np.logical_not(mask[box]), connectivity=6)
        outside = np.zeros(int(regions.max()) + 1, dtype=bool)
        for axis in range(3):
            for end in (0, -1):
                outside[np.take(regions, end, axis=axis)] = True
        outside[0] = False  # the mask itself
        filled[box] = np.logical_not(outside)[regions]
    return filled


def liver_from_probability(probability: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Liver mask: the largest piece of at least `threshold`, with its holes filled.

    Args:
        probability: [D, H, W], of the liver with its tumours.
        threshold: from which probability on a voxel counts.
    """
    return fill_holes(largest_component(probability >= threshold))


def tumor_from_probability(
    probability: np.ndarray, liver: np.ndarray, threshold: float = 0.5, min_voxels: int = 10
) -> np.ndarray:
    """Tumour mask: the pieces of at least `threshold` inside the liver, specks removed.

    Args:
        probability: [D, H, W].
        liver: boolean [D, H, W].
        threshold: from which probability on a voxel counts.
        min_voxels: 26-connected pieces of fewer voxels are dropped.

    Raises:
        InputError: the two arrays differ in shape.
    """
    if probability.shape != liver.shape:
        raise InputError(
            f"tumour probability has shape {probability.shape}, liver mask {liver.shape}"
        )
    tumor = np.zeros(liver.shape, dtype=bool)
    box = bounding_box(liver)
    if box is not None:
        candidates = np.logical_and(probability[box] >= threshold, liver[box])
        pieces = label_components(candidates)
        tumor[box] = (component_sizes(pieces) >= max(min_voxels, 1))[pieces]
    return tumor
