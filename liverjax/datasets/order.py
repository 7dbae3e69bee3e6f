"""In which order slices are seen: numbers of slices in, numbers of slices per batch out."""

import numpy as np

from liverjax.errors import ConfigError


def train_plan(
    order: np.ndarray,
    shows_tumor: np.ndarray,
    *,
    batch_size: int,
    tumor_slices: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """The full batches of an epoch, each with at least `tumor_slices` slices that show tumour.

    These are drawn in passes over all slices with tumour, each pass shuffled anew. The others
    come from `order` without those drawn: the epoch has as many batches as without a minimum,
    and no slice twice unless those with tumour are too few.

    Args:
        order: of all slices in the epoch, int [N].
        shows_tumor: bool, by number of the slice; true somewhere unless `tumor_slices` is 0.
        batch_size: slices per batch.
        tumor_slices: per batch, at most `batch_size`; 0 takes the slices just as ordered.
        rng: decides the draws.

    Returns:
        int [steps, batch_size].
    """
    steps = len(order) // batch_size
    if not tumor_slices:
        return order[: steps * batch_size].reshape(steps, batch_size)
    tumor = order[shows_tumor[order]]
    passes = -(-steps * tumor_slices // len(tumor))
    stream = rng.permuted(np.tile(tumor, (passes, 1)), axis=1).ravel()
    drawn = stream[: steps * tumor_slices].reshape(steps, tumor_slices)
    others = batch_size - tumor_slices
    rest = order[~np.isin(order, drawn)][: steps * others].reshape(steps, others)
    # Parts of a batch may go to several processes, so none of its places is special.
    return rng.permuted(np.concatenate([drawn, rest], axis=1), axis=1)


def eval_plan(slices: np.ndarray, batch_size: int) -> np.ndarray:
    """All slices in order, int [steps, batch_size]; the last batch is filled up with -1."""
    missing = -len(slices) % batch_size
    return np.pad(slices, (0, missing), constant_values=-1).reshape(-1, batch_size)


def own_rows(plan: np.ndarray, share: tuple[int, int]) -> np.ndarray:
    """One process's rows of every batch of `plan`; those of all make up the whole.

    Args:
        plan: int [steps, batch_size].
        share: number of the process from 0, and how many there are.

    Raises:
        ConfigError: the batches cannot be shared evenly.
    """
    index, count = share
    if plan.shape[1] % count:
        raise ConfigError(
            f"config.batch_size: expected a multiple of the {count} processes that share it, "
            f"found {plan.shape[1]}"
        )
    return np.split(plan, count, axis=1)[index]
