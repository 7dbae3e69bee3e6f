"""One update and one evaluation, as pure functions of their arguments.

Dependencies are keyword arguments, bound once with `functools.partial`; the loop jits the
result with the state donated.
"""

from collections.abc import Mapping

import jax
import optax
from flax import linen as nn

from liverjax.models.build import logits_of
from liverjax.preprocess.stages import Preprocess
from liverjax.training.augment import AugmentFn
from liverjax.training.losses import LossFn
from liverjax.training.metrics import Sums, batch_sums
from liverjax.training.state import TrainState

Batch = Mapping[str, jax.Array]


def train_step(
    state: TrainState,
    batch: Batch,
    *,
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    loss_fn: LossFn,
    augment_fn: AugmentFn,
    preprocess: Preprocess,
) -> tuple[TrainState, Sums]:
    """One update on a batch of slices.

    Args:
        state: see `TrainState`.
        batch: `image` int16 [B, H, W, 1] in HU, `label` uint8 [B, H, W, 1], `weight`
            float32 [B]; optionally `liver`, see `Preprocess`.
        model: network from images to logits.
        optimizer: its update rule.
        loss_fn: see `liverjax.training.losses`.
        augment_fn: see `liverjax.training.augment`.
        preprocess: of the stage.

    Returns:
        The state after the update, and the sums of the batch before it.
    """
    # Folding in the step gives a resumed run the draws of the uninterrupted one.
    key = jax.random.fold_in(state.key, state.step)
    grid = preprocess.to_grid(batch)
    target = preprocess.to_target(batch["label"], grid.view)
    grid, target = augment_fn(key, grid, target)
    inputs = preprocess.to_input(grid)

    def objective(params: optax.Params) -> tuple[jax.Array, tuple[jax.Array, Mapping]]:
        """Loss, and what comes with it: logits and running statistics."""
        logits, updated = model.apply(
            {"params": params, "batch_stats": state.batch_stats},
            inputs,
            train=True,
            mutable=["batch_stats"],
        )
        finest = logits[0]
        return loss_fn(finest, target, batch["weight"]), (finest, updated)

    gradient_fn = jax.value_and_grad(objective, has_aux=True)
    (loss, (logits, updated)), gradients = gradient_fn(state.params)
    updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
    after = state.replace(
        step=state.step + 1,
        params=optax.apply_updates(state.params, updates),
        batch_stats=updated.get("batch_stats", {}),
        opt_state=opt_state,
    )
    return after, batch_sums(loss, logits, target, batch["weight"])


def eval_step(
    state: TrainState,
    batch: Batch,
    *,
    model: nn.Module,
    loss_fn: LossFn,
    preprocess: Preprocess,
) -> Sums:
    """The sums of a batch under running statistics and without augmentation; see `train_step`."""
    grid = preprocess.to_grid(batch)
    target = preprocess.to_target(batch["label"], grid.view)
    logits = logits_of(model, state.variables, preprocess.to_input(grid))
    loss = loss_fn(logits, target, batch["weight"])
    return batch_sums(loss, logits, target, batch["weight"])
