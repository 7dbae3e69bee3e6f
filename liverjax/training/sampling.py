"""Which slices make up the batches of an epoch: drawn on the device, the same from the same key."""

import jax
import jax.numpy as jnp
import numpy as np

from liverjax.errors import SplitError


def tumor_rows(batch_size: int, tumor_share: float) -> int:
    """How many slices of each batch show tumour when it is balanced; at least one, if any."""
    return 0 if tumor_share == 0 else max(1, round(batch_size * tumor_share))


def epoch_key(seed: int, epoch: int) -> jax.Array:
    """The key for the order of one epoch, apart from all that descends from the state's key."""
    order = jax.random.split(jax.random.key(seed), 3)[2]
    return jax.random.fold_in(order, epoch)


def epoch_plan(
    key: jax.Array,
    shows_tumor: np.ndarray,
    *,
    steps: int,
    batch_size: int,
    tumor_share: float = 0.0,
) -> jax.Array:
    """The slices of every batch of an epoch.

    Args:
        key: of the epoch.
        shows_tumor: bool [N], of every slice.
        steps: batches in the epoch.
        batch_size: slices in each.
        tumor_share: share of every batch that shows tumour, while the rest shows none. Both
            kinds are shuffled and gone through as often as it takes, so that none of their
            slices comes twice before each has come once. 0 goes through all slices at once.

    Returns:
        int32 [steps, batch_size], positions in `shows_tumor`.

    Raises:
        SplitError: a share is asked for where no slice shows tumour.
    """
    everything = np.arange(len(shows_tumor))
    with_tumor, without = everything[shows_tumor], everything[~shows_tumor]
    rows = tumor_rows(batch_size, tumor_share)
    if rows and not len(with_tumor):
        raise SplitError("config.tumor_share: expected slices with tumour to train on, found none")
    if not rows or not len(without):
        return _cycle(key, everything, steps, batch_size)
    first, second = jax.random.split(key)
    parts = [
        _cycle(first, with_tumor, steps, rows),
        _cycle(second, without, steps, batch_size - rows),
    ]
    return jnp.concatenate(parts, axis=1)


def _cycle(key: jax.Array, slices: np.ndarray, steps: int, rows: int) -> jax.Array:
    """int32 [steps, rows] of `slices`, in a new order for each time they are gone through."""
    needed = steps * rows
    keys = jax.random.split(key, -(-needed // len(slices)))
    orders = jax.vmap(lambda one: jax.random.permutation(one, len(slices)))(keys)
    chosen = jnp.asarray(slices, jnp.int32)[orders.reshape(-1)[:needed]]
    return chosen.reshape(steps, rows)
