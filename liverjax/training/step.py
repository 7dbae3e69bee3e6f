"""One update and one evaluation, as pure functions of their arguments.

Dependencies are keyword arguments, bound once with `functools.partial`; the loop jits the
result with the state donated.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from liverjax.models.build import logits_of
from liverjax.preprocess.grid import Example, Preprocess
from liverjax.training.augment.build import AugmentFn
from liverjax.training.losses import LossFn, over_levels
from liverjax.training.metrics import Sums, add, batch_sums
from liverjax.training.optimizer import moving_average
from liverjax.training.state import TrainState

Part = tuple[jax.Array, jax.Array]


def train_step(
    state: TrainState,
    example: Example,
    *,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    loss_fn: LossFn,
    augment_fn: AugmentFn,
    preprocess: Preprocess,
    parts: int = 1,
    ema_decay: float = 0.0,
) -> tuple[TrainState, Sums]:
    """One update on a batch of slices.

    Args:
        state: see `TrainState`.
        example: a batch on the network's grid; see `Example`.
        model: network from images to logits.
        optimizer: its update rule.
        loss_fn: see `liverjax.training.losses`.
        augment_fn: see `liverjax.training.augment`.
        preprocess: of the stage.
        parts: in how many parts the batch goes through the network; divides its size.
        ema_decay: of the moving averages, if `state` has them.

    Returns:
        The state after the update, and the sums of the batch before it.
    """
    # Folding in the step gives a resumed run the draws of the uninterrupted one.
    key = jax.random.fold_in(state.key, state.step)
    image, masks = augment_fn(key, example.image.astype(jnp.float32), example.masks)
    inputs = preprocess.to_input(image, masks[..., :1])
    target = masks[..., 1:].astype(jnp.float32)

    gradients, batch_stats, sums = _gradients(
        state.params,
        state.batch_stats,
        (inputs, target),
        partial(_objective, model=model, loss_fn=loss_fn),
        parts,
    )
    updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
    after = state.replace(
        step=state.step + 1,
        params=optax.apply_updates(state.params, updates),
        batch_stats=batch_stats,
        opt_state=opt_state,
    )
    if state.average:
        average = moving_average(state.average, after.variables, state.step, ema_decay)
        after = after.replace(average=average)
    return after, sums


def eval_step(
    state: TrainState,
    example: Example,
    weight: jax.Array,
    *,
    model: nn.Module,
    loss_fn: LossFn,
    preprocess: Preprocess,
) -> Sums:
    """The sums of a batch under running statistics and without augmentation; see `train_step`.

    `weight` is float32 [B]: 1 for a slice, 0 for padding.
    """
    inputs = preprocess.to_input(example.image.astype(jnp.float32), example.masks[..., :1])
    target = example.masks[..., 1:].astype(jnp.float32)
    logits = logits_of(model, state.evaluated, inputs)
    loss = loss_fn(logits, target, weight)
    return batch_sums(loss, logits, target, weight)


def _objective(
    params: optax.Params, batch_stats: Any, part: Part, *, model: nn.Module, loss_fn: LossFn
) -> tuple[jax.Array, tuple[Any, Sums]]:
    """Loss of one part of a batch, and what comes with it: running statistics and sums."""
    inputs, target = part
    variables = {"params": params, "batch_stats": batch_stats}
    logits, updated = model.apply(variables, inputs, train=True, mutable=["batch_stats"])
    weight = jnp.ones(len(inputs), jnp.float32)
    loss = over_levels(loss_fn, logits, target, weight)
    sums = batch_sums(loss, logits[0], target, weight)
    return loss, (updated.get("batch_stats", {}), sums)


def _gradients(
    params: optax.Params, batch_stats: Any, batch: Part, objective: Any, parts: int
) -> tuple[optax.Updates, Any, Sums]:
    """Mean gradient over the parts of a batch, running statistics after the last, and sums."""
    gradient_fn = jax.grad(objective, has_aux=True)
    if parts == 1:
        gradients, (batch_stats, sums) = gradient_fn(params, batch_stats, batch)
        return gradients, batch_stats, sums

    def one(carry: Any, part: Part) -> tuple[Any, None]:
        """Adds one part's gradient and sums to those before it."""
        total, stats, sums = carry
        gradients, (stats, latest) = gradient_fn(params, stats, part)
        return (jax.tree.map(jnp.add, total, gradients), stats, add(sums, latest)), None

    zeros = jax.tree.map(jnp.zeros_like, params)
    begin = (zeros, batch_stats, Sums.zeros())
    # On a CPU a loop is slow (see `resident.steps_per_dispatch`), so it is written out.
    unroll = parts if jax.default_backend() == "cpu" else 1
    (total, batch_stats, sums), _ = jax.lax.scan(one, begin, _divide(batch, parts), unroll=unroll)
    return jax.tree.map(lambda leaf: leaf / parts, total), batch_stats, sums


def _divide(batch: Part, parts: int) -> Part:
    """[B, ...] -> [parts, B / parts, ...]: every device keeps a part of the slices it holds."""

    def split(leaf: jax.Array) -> jax.Array:
        """Takes every `parts`-th slice, since consecutive ones lie on the same device."""
        rest = leaf.shape[1:]
        return jnp.moveaxis(leaf.reshape(-1, parts, *rest), 1, 0)

    return jax.tree.map(split, batch)
