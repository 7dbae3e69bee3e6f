"""The optimiser, its learning-rate schedule and the moving average of what it updates."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from liverjax.choices import Schedule
from liverjax.config import OptimizerConfig


def build_schedule(config: OptimizerConfig, steps: int) -> optax.Schedule:
    """Linear warm-up over `warmup_fraction` of `steps`, then what `config.schedule` says."""
    warmup = max(1, round(config.warmup_fraction * steps))
    if config.schedule is Schedule.CONSTANT:
        return optax.linear_schedule(
            config.learning_rate / warmup, config.learning_rate, transition_steps=warmup - 1
        )
    return optax.warmup_cosine_decay_schedule(
        init_value=config.learning_rate / warmup,
        peak_value=config.learning_rate,
        warmup_steps=warmup,
        decay_steps=max(steps, warmup + 1),
    )


def build_optimizer(config: OptimizerConfig, steps: int) -> optax.GradientTransformation:
    """AdamW for a run of `steps` updates; decay acts on kernels alone, not biases and norms."""
    adamw = optax.adamw(
        build_schedule(config, steps),
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params),
    )
    if config.clip_norm:
        return optax.chain(optax.clip_by_global_norm(config.clip_norm), adamw)
    return adamw


def moving_average(average: Any, latest: Any, step: jax.Array, decay: float) -> Any:
    """The average of a tree after update number `step` (from 0).

    The decay grows from 0.1 to `decay`, or the average would hold on to the initial weights for
    about 1 / (1 - decay) updates: min(decay, (1 + step) / (10 + step)), as in TensorFlow's
    ExponentialMovingAverage.
    """
    current = jnp.minimum(decay, (1.0 + step) / (10.0 + step))
    return jax.tree.map(lambda old, new: current * old + (1.0 - current) * new, average, latest)
