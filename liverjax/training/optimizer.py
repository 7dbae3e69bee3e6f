"""The optimiser and its learning-rate schedule."""

import jax
import optax

from liverjax.config import OptimizerConfig


def build_schedule(config: OptimizerConfig, steps: int) -> optax.Schedule:
    """Linear warm-up over `warmup_fraction` of `steps`, then a cosine down to zero."""
    warmup = max(1, round(config.warmup_fraction * steps))
    return optax.warmup_cosine_decay_schedule(
        init_value=config.learning_rate / warmup,
        peak_value=config.learning_rate,
        warmup_steps=warmup,
        decay_steps=max(steps, warmup + 1),
    )


def build_optimizer(config: OptimizerConfig, steps: int) -> optax.GradientTransformation:
    """AdamW for a run of `steps` updates; decay acts on kernels alone, not biases and norms."""
    return optax.adamw(
        build_schedule(config, steps),
        weight_decay=config.weight_decay,
        mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params),
    )
