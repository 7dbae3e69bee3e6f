"""Everything that changes during training, as one tree of arrays."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import struct


class TrainState(struct.PyTreeNode):
    """State before a step.

    Attributes:
        step: int32 scalar, updates so far.
        params: the network's trainable parameters.
        batch_stats: running statistics of its batch norms; empty where it has none.
        average: moving averages of both, under these names; empty where none are kept.
        opt_state: the optimiser's state.
        key: typed key from which every random draw of the run descends; never changes.
    """

    step: jax.Array
    params: Any
    batch_stats: Any
    average: Any
    opt_state: optax.OptState
    key: jax.Array

    @property
    def variables(self) -> dict[str, Any]:
        """What is trained, as `model.apply` takes it."""
        return {"params": self.params, "batch_stats": self.batch_stats}

    @property
    def evaluated(self) -> dict[str, Any]:
        """What is judged and kept as the model: the moving averages where there are any."""
        return self.average or self.variables


def create_state(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    seed: int,
    size: int,
    channels: int,
    averaged: bool = False,
    sharding: jax.sharding.Sharding | None = None,
) -> TrainState:
    """The state at step 0.

    Args:
        model: the network.
        optimizer: what will update it.
        seed: of the initial weights and of the run's key.
        size, channels: of the network's input [B, size, size, channels].
        averaged: whether moving averages are kept.
        sharding: where the arrays go; the default device if None.
    """

    def create(key: jax.Array) -> TrainState:
        """The state, traced as a whole so that it appears on every device at once."""
        init_key, run_key, _ = jax.random.split(key, 3)  # the third orders the slices
        example = jnp.zeros((1, size, size, channels), jnp.float32)
        variables = model.init(init_key, example, train=False)
        params, batch_stats = variables["params"], variables.get("batch_stats", {})
        state = TrainState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            batch_stats=batch_stats,
            average={},
            opt_state=optimizer.init(params),
            key=run_key,
        )
        return start_average(state) if averaged else state

    # It runs once and its draws are exact at any level: optimising it costs seconds for nothing.
    options = {"xla_backend_optimization_level": 0}
    return jax.jit(create, out_shardings=sharding, compiler_options=options)(jax.random.key(seed))


def start_average(state: TrainState) -> TrainState:
    """`state` with moving averages that begin at its weights."""
    copies = partial(jax.tree.map, jnp.copy)  # the step is given its buffers to overwrite
    return state.replace(average=copies(state.variables))
