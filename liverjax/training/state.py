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
        opt_state: the optimiser's state.
        key: typed key from which every random draw of the run descends; never changes.
    """

    step: jax.Array
    params: Any
    batch_stats: Any
    opt_state: optax.OptState
    key: jax.Array

    @property
    def variables(self) -> dict[str, Any]:
        """What `model.apply` takes."""
        return {"params": self.params, "batch_stats": self.batch_stats}


def create_state(
    model: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    seed: int,
    size: int,
    channels: int,
) -> TrainState:
    """The state at step 0 for inputs [B, size, size, channels]."""
    init_key, run_key = jax.random.split(jax.random.key(seed))
    example = jnp.zeros((1, size, size, channels), jnp.float32)
    # It runs once and its draws are exact at any level: optimising it costs seconds for nothing.
    initialize = jax.jit(
        partial(model.init, train=False), compiler_options={"xla_backend_optimization_level": 0}
    )
    variables = initialize(init_key, example)
    params = variables["params"]
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=variables.get("batch_stats", {}),
        opt_state=optimizer.init(params),
        key=run_key,
    )
