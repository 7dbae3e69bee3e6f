"""The 36 copies that the thesis made of every slice with tumour: which there are, and of what.

How they look is the matter of `liverjax.training.augment.copies`.
"""

import numpy as np

# A copy's number: 0 is the slice itself, 1 the mirrored one, 2 and up are turned by these degrees.
# Along which axis the thesis mirrored is not on record; here left and right change places.
MIRRORED = 1
FIRST_TURNED = 2
TURNS_DEG = tuple(range(10, 360, 10))
COPIES = 1 + len(TURNS_DEG)


def list_copies(shows_tumor: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All slices, then the copies of those with tumour.

    Args:
        shows_tumor: bool [N].

    Returns:
        int32 [M] each: position in `shows_tumor`, and number of the copy. The copies of a slice
        stand side by side, so that who reads them in order reads each slice once more.
    """
    with_tumor = np.flatnonzero(shows_tumor)
    everything = np.arange(len(shows_tumor))
    slices = np.concatenate([everything, np.repeat(with_tumor, COPIES)])
    numbers = np.tile(np.arange(1, COPIES + 1), len(with_tumor))
    copies = np.concatenate([np.zeros(len(everything), int), numbers])
    return slices.astype(np.int32), copies.astype(np.int32)
