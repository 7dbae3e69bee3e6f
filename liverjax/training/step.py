"""One update and one evaluation, as pure functions of their arguments.

Dependencies are keyword arguments, bound once with `functools.partial`; the loop jits the
result with the state donated.
"""

from collections.abc import Callable, Mapping

import jax
import optax
from flax import linen as nn

from liverjax.preprocess.stages import Grid, Preprocess
from liverjax.training.losses import LossFn
from liverjax.training.metrics import Sums, batch_sums
from liverjax.training.state import TrainState

AugmentFn = Callable[[jax.Array, Grid], Grid]
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
        augment_fn: (key, Grid) -> Grid, in HU on the network's grid.
        preprocess: of the stage.

    Returns:
        The state after the update, and the sums of the batch before it.
    """
    # Folding in the step gives a resumed run the draws of the uninterrupted one.
    key = jax.random.fold_in(state.key, state.step)
    grid = augment_fn(key, preprocess.to_grid(batch))
    inputs = preprocess.to_input(grid)

    def objective(params: optax.Params) -> tuple[jax.Array, tuple[jax.Array, Mapping]]:
        logits, updated = model.apply(
            {"params": params, "batch_stats": state.batch_stats},
            inputs,
            train=True,
            mutable=["batch_stats"],
        )
        return loss_fn(logits, grid.target, batch["weight"]), (logits, updated)

    gradient_fn = jax.value_and_grad(objective, has_aux=True)
    (loss, (logits, updated)), gradients = gradient_fn(state.params)
    updates, opt_state = optimizer.update(gradients, state.opt_state, state.params)
    after = state.replace(
        step=state.step + 1,
        params=optax.apply_updates(state.params, updates),
        batch_stats=updated.get("batch_stats", {}),
        opt_state=opt_state,
    )
    return after, batch_sums(loss, logits, grid.target, batch["weight"])


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
    logits = model.apply(state.variables, preprocess.to_input(grid), train=False)
    loss = loss_fn(logits, grid.target, batch["weight"])
    return batch_sums(loss, logits, grid.target, batch["weight"])
