"""Other slice distances: what neighbouring slices would show had the scan been cut otherwise."""

import math

import jax
import jax.numpy as jnp

from liverjax.augment_config import AugmentConfig
from liverjax.training.augment.draws import is_on, uniform


def resliced(config: AugmentConfig) -> bool:
    """Whether slices become thicker or thinner."""
    return is_on(config.slice_thickness, config.slice_thickness_probability)


def draw_factor(config: AugmentConfig, key: jax.Array) -> jax.Array:
    """Draws by which factor the slices of one example become thicker; a scalar, 1 for unchanged.

    It lies in 1 / (1 + slice_thickness / 2) to 1 + slice_thickness, its logarithm uniform.
    """
    chosen, number = uniform(key, (2,))
    most = config.slice_thickness
    thinnest, thickest = -math.log1p(most / 2), math.log1p(most)
    exponent = thinnest + (thickest - thinnest) * number
    return jnp.where(chosen < config.slice_thickness_probability, jnp.exp(exponent), 1.0)


def reslice(factor: jax.Array, image: jax.Array) -> jax.Array:
    """What neighbouring slices show that are `factor` times as thick and as far apart.

    Args:
        factor: scalar, see `slice_weights`.
        image: float32 [S, S, K] in HU.
    """
    matrix = slice_weights(image.shape[-1], factor)
    # Written as sums, not as a matrix product: few terms, and on a CPU several times faster.
    total = jnp.zeros_like(image)
    for given in range(image.shape[-1]):
        total = total + image[..., given : given + 1] * matrix[None, None, :, given]
    return total


def slice_weights(count: int, factor: jax.Array) -> jax.Array:
    """How much of each given slice is in each of the slices that lie `factor` times as far apart.

    A slice is the mean of HU over its thickness (partial volume), and slices as a rule touch:
    slice i of the result is the mean from factor * (i - 1/2) to factor * (i + 1/2), i counted from
    the middle. What was given is taken as constant within a slice, and the outermost slices go on
    for ever, as at the ends of a volume: what lies beyond them is not known. Thicker slices
    are thus means of several, seen further away; thinner ones blend towards the middle, which
    itself stays, since nothing tells how it looked within.

    Args:
        count: slices K.
        factor: scalar, more than 0.

    Returns:
        float32 [K, K], rows of the result, each of sum 1; the identity to the bit where the
        factor is 1.
    """
    place = jnp.arange(count, dtype=jnp.float32) - (count - 1) / 2
    ends = jnp.full((1,), jnp.inf)
    upper = jnp.concatenate([place[:-1] + 0.5, ends])
    lower = jnp.concatenate([-ends, place[1:] - 0.5])
    first, last = factor * (place - 0.5), factor * (place + 0.5)
    shared = jnp.minimum(last[:, None], upper[None]) - jnp.maximum(first[:, None], lower[None])
    return jnp.maximum(shared, 0.0) / factor
