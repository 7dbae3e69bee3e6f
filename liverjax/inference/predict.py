"""A network over the slices of a volume, in batches of one fixed shape."""

import numpy as np

from liverjax.batch import HostBatch, neighbor_stacks
from liverjax.inference.load import LoadedNetwork
from liverjax.volume import Volume


def predict_volume(
    network: LoadedNetwork,
    volume: Volume,
    liver: np.ndarray | None = None,
    batch_size: int = 8,
    flips: bool | None = None,
) -> np.ndarray:
    """Foreground probability of every voxel.

    Args:
        network: the stage to run.
        volume: axial slices in canonical orientation, see `volume.to_canonical`.
        liver: boolean [D, H, W] for the tumour stage, which looks at slices with liver only.
        batch_size: slices per call; the last call is padded, so that nothing compiles twice.
        flips: whether the mean is taken with that of the mirrored slices; by default what was
            chosen for the network.

    Returns:
        float32 [D, H, W].
    """
    flips = network.postprocess.flips if flips is None else flips
    hu, neighbors = volume.hu, network.config.preprocess.neighbors
    spacing = np.array((volume.geometry.spacing or (0, 0, 0))[1:], np.float32)
    probability = np.zeros(hu.shape, np.float32)
    slices = np.arange(len(hu)) if liver is None else np.flatnonzero(liver.any(axis=(1, 2)))
    for start in range(0, len(slices), batch_size):
        wanted = slices[start : start + batch_size]
        padded = np.pad(wanted, (0, batch_size - len(wanted)), mode="edge")
        stacks = neighbor_stacks(padded, neighbors, 0, len(hu) - 1)
        batch = {
            "image": np.moveaxis(hu[stacks], 1, -1),
            "spacing": np.tile(spacing, (batch_size, 1)),
        }
        if liver is not None:
            batch["liver"] = liver[padded, ..., None]
        found = np.asarray(network.probability(batch))
        if flips:
            mirrored = np.asarray(network.probability(_mirror(batch)))
            found = (found + mirrored[:, :, ::-1]) / 2
        probability[wanted] = found[: len(wanted), ..., 0]
    return probability


def _mirror(batch: HostBatch) -> HostBatch:
    """The batch with left and right exchanged."""
    pixels = {"image", "liver"} & set(batch)
    return {**batch, **{name: batch[name][:, :, ::-1] for name in pixels}}
