"""In which order slices are seen: numbers of slices in, numbers of slices per batch out."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from liverjax.errors import ConfigError, SplitError


class Balance(NamedTuple):
    """How the slices that show something are shared out among the batches.

    Attributes:
        shown: what they show, "tumor" or "liver"; the field of the configuration is
            `<shown>_share`.
        share: of every batch that shows it, while the rest shows none; 0 takes the slices as
            they come.
    """

    shown: str = "tumor"
    share: float = 0.0

    def rows(self, batch_size: int) -> int:
        """How many slices of each batch show it when it is balanced; one of each kind at least."""
        if self.share in (0, 1):
            return batch_size if self.share else 0
        return min(max(1, round(batch_size * self.share)), max(1, batch_size - 1))


_AS_THEY_COME = Balance()


def make_balance(tumor_share: float, liver_share: float) -> Balance:
    """What batches are balanced for: `validate` lets at most one of the two be more than 0."""
    return Balance("liver", liver_share) if liver_share else Balance("tumor", tumor_share)


def epoch_key(seed: int, epoch: int) -> jax.Array:
    """The key for the order of one epoch, apart from all that descends from the state's key."""
    order = jax.random.split(jax.random.key(seed), 3)[2]
    return jax.random.fold_in(order, epoch)


def epoch_plan(
    key: jax.Array,
    shows: np.ndarray,
    *,
    steps: int,
    batch_size: int,
    balance: Balance = _AS_THEY_COME,
) -> jax.Array:
    """The slices of every batch of an epoch.

    Args:
        key: of the epoch.
        shows: bool [N], whether each slice shows what `balance` is about.
        steps: batches in the epoch.
        batch_size: slices in each.
        balance: of every batch. Both kinds of slices are shuffled and gone through as often as
            it takes, so that none of them comes twice before each of its kind has come once.
            Without a share all slices are gone through at once.

    Returns:
        int32 [steps, batch_size], positions in `shows`.

    Raises:
        SplitError: a share is asked for where no slice shows it.
    """
    everything = np.arange(len(shows))
    showing, without = everything[shows], everything[~shows]
    rows = balance.rows(batch_size)
    if rows and not len(showing):
        raise SplitError(
            f"config.{balance.shown}_share: expected slices with {balance.shown} to train on, "
            "found none"
        )
    if not rows or not len(without):
        return _cycle(key, everything, steps, batch_size)
    first, second, third = jax.random.split(key, 3)
    parts = [
        _cycle(first, showing, steps, rows),
        _cycle(second, without, steps, batch_size - rows),
    ]
    # Parts of a batch may go to several devices, so none of its places is special.
    return jax.random.permutation(third, jnp.concatenate(parts, axis=1), axis=1, independent=True)


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


def _cycle(key: jax.Array, slices: np.ndarray, steps: int, rows: int) -> jax.Array:
    """int32 [steps, rows] of `slices`, in a new order for each time they are gone through."""
    needed = steps * rows
    keys = jax.random.split(key, -(-needed // len(slices)))
    orders = jax.vmap(lambda one: jax.random.permutation(one, len(slices)))(keys)
    chosen = jnp.asarray(slices, jnp.int32)[orders.reshape(-1)[:needed]]
    return chosen.reshape(steps, rows)
