"""In which order slices are seen: numbers of slices in, numbers of slices per batch out."""

from functools import partial
from typing import NamedTuple

import jax
import numpy as np

from liverjax.errors import ConfigError, SplitError


class Sampling(NamedTuple):
    """How often which slices are seen in training: fields of `ExperimentConfig`, see there."""

    seed: int = 0
    tumor_share: float = 0.0
    liver_share: float = 0.0
    patient_balance: float = 0.0


AS_THEY_COME = Sampling()


class Shown(NamedTuple):
    """What sampling goes by, of each of N slices.

    Attributes:
        liver, tumor: bool [N], whether the slice shows any.
        patient: int [N], a number for each patient.
    """

    liver: np.ndarray
    tumor: np.ndarray
    patient: np.ndarray


def epoch_key(seed: int, epoch: int) -> jax.Array:
    """The key for the order of one epoch, apart from all that descends from the state's key."""
    order = jax.random.split(jax.random.key(seed), 3)[2]
    return jax.random.fold_in(order, epoch)


def epoch_plan(
    sampling: Sampling, epoch: int, shown: Shown, *, steps: int, batch_size: int
) -> np.ndarray:
    """The slices of every batch of an epoch.

    Slices that show what has a share, and those that do not, are gone through apart, as often as
    it takes, each time in a new order. Without a share all are gone through together, and so are
    they where every slice shows it.

    Args:
        sampling: `tumor_share` or `liver_share` is 0.
        epoch: from 0.
        shown: by the slices.
        steps: batches in the epoch.
        batch_size: slices in each.

    Returns:
        int32 [steps, batch_size], positions in `shown`. Without `patient_balance` no slice comes
        twice before each of its kind has come once; with it, this holds within each patient.

    Raises:
        SplitError: a share is asked for where no slice shows it.
    """
    key = epoch_key(sampling.seed, epoch)
    sought, name = shown.tumor, "tumor"
    if sampling.liver_share:
        sought, name = shown.liver, "liver"
    showing, without = np.flatnonzero(sought), np.flatnonzero(~sought)
    rows = _rows(sampling.liver_share or sampling.tumor_share, batch_size)
    if rows and not len(showing):
        raise SplitError(
            f"config.{name}_share: expected slices with {name} to train on, found none"
        )
    draw = partial(_draw, patient=shown.patient, balance=sampling.patient_balance)
    if not rows or not len(without):
        return draw(key, np.arange(len(sought)), steps * batch_size).reshape(steps, batch_size)
    first, second, third = jax.random.split(key, 3)
    parts = [
        draw(first, showing, steps * rows).reshape(steps, rows),
        draw(second, without, steps * (batch_size - rows)).reshape(steps, batch_size - rows),
    ]
    # Parts of a batch may go to several devices, so none of its places is special.
    plan = np.concatenate(parts, axis=1)
    return np.asarray(jax.random.permutation(third, plan, axis=1, independent=True))


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


def _rows(share: float, batch_size: int) -> int:
    """How many slices of each batch show what has a share; one of each kind at least."""
    if share in (0, 1):
        return batch_size if share else 0
    return min(max(1, round(batch_size * share)), max(1, batch_size - 1))


def _draw(
    key: jax.Array, slices: np.ndarray, places: int, *, patient: np.ndarray, balance: float
) -> np.ndarray:
    """int32 [places] of `slices`; see `ExperimentConfig.patient_balance`."""
    if not balance:
        return _cycle(key, slices, places)
    _, belongs, counts = np.unique(patient[slices], return_inverse=True, return_counts=True)
    # In NumPy, as JAX would compile a program for each number of slices.
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    weights = counts ** (1.0 - balance)
    # Bounds rounded at random together: what a patient gets is right on average over the epochs.
    bounds = np.cumsum(weights)[:-1] / weights.sum() * places + rng.random()
    shares = np.diff(np.floor([0, *bounds, places]).astype(int))
    parts = []
    for number, share in enumerate(shares):
        own = slices[belongs == number]
        orders = [rng.permutation(own) for _ in range(-(-share // len(own)))]
        parts.append(np.concatenate([own[:0], *orders])[:share])
    return rng.permutation(np.concatenate(parts)).astype(np.int32)


def _cycle(key: jax.Array, slices: np.ndarray, places: int) -> np.ndarray:
    """int32 [places] of `slices`, in a new order for each time they are gone through."""
    keys = jax.random.split(key, -(-places // len(slices)))
    orders = jax.vmap(lambda one: jax.random.permutation(one, len(slices)))(keys)
    return slices.astype(np.int32)[np.asarray(orders).reshape(-1)[:places]]
