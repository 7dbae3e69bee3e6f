"""What a step reports: sums and counts, so that batches of any size add up correctly."""

from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct


class Sums(struct.PyTreeNode):
    """Sums over the slices of one or more batches; every field a float32 scalar.

    Attributes:
        loss: loss times slices.
        slices: number of slices that carry weight.
        overlap: pixels that are predicted and true.
        predicted: pixels with a probability of at least one half.
        true: pixels of the target.
    """

    loss: jax.Array
    slices: jax.Array
    overlap: jax.Array
    predicted: jax.Array
    true: jax.Array


def batch_sums(loss: jax.Array, logits: jax.Array, target: jax.Array, weight: jax.Array) -> Sums:
    """Sums of one batch; shapes as in `liverjax.training.losses`."""
    share = weight[:, None, None, None]
    predicted = (logits >= 0).astype(jnp.float32) * share
    true = target * share
    slices = jnp.sum(weight)
    return Sums(
        loss=loss * slices,
        slices=slices,
        overlap=jnp.sum(predicted * true),
        predicted=jnp.sum(predicted),
        true=jnp.sum(true),
    )


def summarize(sums: Iterable[Sums]) -> dict[str, float]:
    """Mean loss per slice and Dice over all pixels of the batches together.

    `dice` is 1 where nothing is predicted and nothing is true.
    """
    # float64 on the host: float32 stops counting single pixels at 2^24 of them.
    parts = [[float(value) for value in jax.tree.leaves(part)] for part in sums]
    totals = np.sum(np.array(parts, np.float64), axis=0)
    loss, slices, overlap, predicted, true = (float(total) for total in totals)
    pixels = predicted + true
    return {
        "loss": loss / slices,
        "dice": 2 * overlap / pixels if pixels else 1.0,
    }
