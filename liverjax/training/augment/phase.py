"""Other contrast phases: a monotone curve of HU under which tissues move against each other."""

import jax
import jax.numpy as jnp
import numpy as np

from liverjax.augment_config import AugmentConfig
from liverjax.training.augment.draws import is_on, symmetric, uniform

# Where the curve bends, in HU. Between them lie fat; fluid and blood without contrast medium;
# the organs without it; the organs in the portal venous phase; vessels and kidneys.
KNOTS_HU = np.array([-150.0, -20.0, 40.0, 90.0, 140.0, 300.0], np.float32)


def toned(config: AugmentConfig) -> bool:
    """Whether the curve is on."""
    return is_on(config.phase, config.phase_probability)


def draw_slopes(config: AugmentConfig, key: jax.Array) -> jax.Array:
    """Draws the slopes between the knots for one example, float32 [knots - 1]; 1 changes nothing.

    The slope between two knots is exp of a number in -phase..phase, each drawn by itself; all
    are then scaled by one factor, so that the last knot stays and the curve goes on as it was
    outside: lung, air and bone know no phase. Increasing everywhere, it changes by how much liver,
    spleen, vessels and kidneys differ, not which is brighter.
    """
    numbers = uniform(key, (len(KNOTS_HU),))
    chosen = numbers[0] < config.phase_probability
    widths = np.diff(KNOTS_HU)
    slopes = jnp.exp(symmetric(chosen, numbers[1:], config.phase))
    slopes = slopes * (widths.sum() / jnp.sum(slopes * widths))
    return jnp.where(chosen, slopes, 1.0)


def tone(slopes: jax.Array, image: jax.Array) -> jax.Array:
    """Sends HU through the curve of these slopes; what lies beyond the knots stays to the bit.

    Args:
        slopes: from `draw_slopes`.
        image: float32 [...]; neighbouring slices have one phase.
    """
    # A sum of clipped ramps: no search for the right piece, and no gather.
    change = jnp.zeros_like(image)
    pieces = zip(KNOTS_HU[:-1], np.diff(KNOTS_HU), strict=True)
    for number, (knot, width) in enumerate(pieces):
        change = change + (slopes[number] - 1.0) * jnp.clip(image - knot, 0.0, width)
    inside = (image > KNOTS_HU[0]) & (image < KNOTS_HU[-1])
    return jnp.where(inside, image + change, image)
