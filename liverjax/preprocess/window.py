"""Hounsfield units to network values."""

import jax
import jax.numpy as jnp

AIR_HU = -1024.0


def window(hu: jax.Array, low: float, high: float) -> jax.Array:
    """Maps `low`..`high` HU to 0..1 and clips what lies outside; any shape, float32."""
    return jnp.clip((hu - low) / (high - low), 0.0, 1.0)
