"""The vocabulary of batches: slices of CT on their way from a dataset or a volume to a network.

A batch maps names to arrays over the same B slices:

- `image` int16 [B, H, W, K], HU of K = 2 * neighbors + 1 neighbouring slices of one volume, the
  segmented one in the middle; at the ends of the volume its last slice is repeated;
- `spacing` float32 [B, 2], mm per pixel of rows and columns, 0 where not known; may be absent
  where nothing is known;
- for training and evaluation on slices, `label` uint8 [B, H, W, 1] of the middle slice (see
  `liverjax.labels`) and `weight` float32 [B], 1 for slices and 0 for padding;
- where copies of slices are made, `copy` int32 [B], which of them each is to become (see
  `liverjax.datasets.copies`); the pixels are still those of the slice itself;
- for inference at the tumour stage, `liver` bool [B, H, W, 1] in place of the label.
"""

from collections.abc import Mapping

import jax
import numpy as np

HostBatch = Mapping[str, np.ndarray]
DeviceBatch = Mapping[str, jax.Array]


def neighbor_stacks(
    slices: np.ndarray, neighbors: int, first: int | np.ndarray, last: int | np.ndarray
) -> np.ndarray:
    """Which slices stand in the K = 2 * neighbors + 1 channels of `image`.

    Args:
        slices: integers [...], the segmented slices.
        neighbors: on each side.
        first, last: slice of the volume that each belongs to; integers [...] or one for all.

    Returns:
        Integers [..., K]; where the volume ends, its last slice is repeated.
    """
    offsets = np.arange(-neighbors, neighbors + 1)
    stacks = np.asarray(slices)[..., None] + offsets
    return np.clip(stacks, np.asarray(first)[..., None], np.asarray(last)[..., None])
