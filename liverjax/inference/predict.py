"""A network over the slices of a volume, in batches of one fixed shape."""

import numpy as np

from liverjax.inference.load import LoadedNetwork


def predict_volume(
    network: LoadedNetwork, hu: np.ndarray, liver: np.ndarray | None = None, batch_size: int = 8
) -> np.ndarray:
    """Foreground probability of every voxel.

    Args:
        network: the stage to run.
        hu: int16 [D, H, W], axial slices in canonical orientation.
        liver: boolean [D, H, W] for the tumour stage, which looks at slices with liver only.
        batch_size: slices per call; the last call is padded, so that nothing compiles twice.

    Returns:
        float32 [D, H, W].
    """
    probability = np.zeros(hu.shape, np.float32)
    slices = np.arange(len(hu)) if liver is None else np.flatnonzero(liver.any(axis=(1, 2)))
    for start in range(0, len(slices), batch_size):
        wanted = slices[start : start + batch_size]
        padded = np.pad(wanted, (0, batch_size - len(wanted)), mode="edge")
        batch = {"image": hu[padded, ..., None]}
        if liver is not None:
            batch["liver"] = liver[padded, ..., None]
        found = np.asarray(network.probability(batch))
        probability[wanted] = found[: len(wanted), ..., 0]
    return probability
