"""Strengths of random transforms, drawn so that 0 means "unchanged" exactly."""

import math

import jax
import jax.numpy as jnp


def is_on(strength: float, probability: float) -> bool:
    """Whether a transform belongs into the compiled program at all."""
    return strength > 0 and probability > 0


def uniform(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """float32 in 0..1 (without 1); drawn flat, which compiles several times faster on a CPU."""
    return jax.random.uniform(key, (math.prod(shape),)).reshape(shape)


def symmetric(chosen: jax.Array, number: jax.Array, most: float) -> jax.Array:
    """Uniform in -most..most where `chosen`, else 0; `number` is uniform in 0..1."""
    return jnp.where(chosen, most * (2.0 * number - 1.0), 0.0)


def up_to(chosen: jax.Array, number: jax.Array, most: float) -> jax.Array:
    """Uniform in 0..most where `chosen`, else 0; `number` is uniform in 0..1."""
    return jnp.where(chosen, most * number, 0.0)
