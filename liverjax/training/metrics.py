"""What a step reports: sums and counts, so that batches of any size add up correctly."""

from typing import Self

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct


class Sums(struct.PyTreeNode):
    """Sums over the slices of one or more batches; every field a float32 scalar.

    On the host and over a whole epoch they are float64: float32 stops counting single pixels at
    2^24 of them.

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

    @classmethod
    def zeros(cls, shape: tuple[int, ...] = ()) -> Self:
        """Those of no slice, float32."""
        return cls(*(jnp.zeros(shape, jnp.float32) for _ in range(5)))


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


def add(first: Sums, second: Sums) -> Sums:
    """Sums over the slices of both."""
    return jax.tree.map(jnp.add, first, second)


def first_steps(steps: Sums, number: int) -> Sums:
    """Of fields [n], n >= number, the first `number`."""
    return jax.tree.map(lambda field: field[:number], steps)


def accumulate(totals: np.ndarray, steps: Sums) -> np.ndarray:
    """Totals of an epoch so far with those of further steps.

    One step after the other, so that an epoch which was interrupted and resumed adds up to the
    same bits as one that was not.

    Args:
        totals: float64 [5], in the order of the fields of `Sums`.
        steps: fields [n].
    """
    for row in np.stack([np.asarray(field) for field in jax.tree.leaves(steps)], axis=1):
        totals = totals + row.astype(np.float64)
    return totals


def summarize(totals: np.ndarray) -> dict[str, float]:
    """Mean loss per slice and Dice over all pixels together, from float64 [5].

    `dice` is 1 where nothing is predicted and nothing is true.
    """
    loss, slices, overlap, predicted, true = (float(total) for total in totals)
    pixels = predicted + true
    return {
        "loss": loss / slices,
        "dice": 2 * overlap / pixels if pixels else 1.0,
    }
