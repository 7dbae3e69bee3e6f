"""Random changes of the HU values of a slice that leave everything in its place."""

import math

import jax
import jax.numpy as jnp

from liverjax.augment_config import AugmentConfig
from liverjax.training.augment.draws import is_on, symmetric, uniform, up_to
from liverjax.training.augment.resolution import blur, coarsen

# What CT stores; a slice's own values beyond it (padding, metal) are left where they are.
LOWEST_HU, HIGHEST_HU = -1024.0, 3071.0
# Contrast turns around soft tissue, or a stronger contrast would also darken the liver.
SOFT_TISSUE_HU = 50.0
# Gamma bends these values alone, from fat to enhanced vessels. A slice's own extremes, air and
# metal, would make the same exponent move the liver by hundreds of HU in one slice and not in
# the next.
GAMMA_LOW_HU, GAMMA_HIGH_HU = -200.0, 400.0


def alters(config: AugmentConfig) -> bool:
    """Whether any change of values is on."""
    return (
        is_on(config.blur, config.blur_probability)
        or is_on(config.low_resolution, config.low_resolution_probability)
        or is_on(config.gamma, config.gamma_probability)
        or is_on(config.contrast, config.contrast_probability)
        or is_on(config.brightness, config.brightness_probability)
        or is_on(config.noise, config.noise_probability)
    )


def alter(config: AugmentConfig, key: jax.Array, image: jax.Array) -> jax.Array:
    """Blur, low resolution, gamma, contrast, brightness and noise, in this order.

    Noise comes last, so that its standard deviation is the one drawn. Values inside
    LOWEST_HU..HIGHEST_HU stay inside, and those outside go no further.

    Args:
        config: ranges and probabilities.
        key: of this example.
        image: float32 [S, S, K] in HU; noise is drawn anew for each of the K slices.
    """
    given = image
    scalars, grain = jax.random.split(key)
    numbers = uniform(scalars, (6, 3))
    soft, coarse, power, contrast, bright, noise = numbers
    if is_on(config.blur, config.blur_probability):
        sigma = up_to(soft[0] < config.blur_probability, soft[1], config.blur)
        image = blur(image, sigma, config.blur)
    if is_on(config.low_resolution, config.low_resolution_probability):
        image = coarsen(image, _draw_side(config, coarse, image.shape[0]))
    if is_on(config.gamma, config.gamma_probability):
        image = _draw_gamma(config, power, image)
    change = jnp.zeros_like(image)
    if is_on(config.contrast, config.contrast_probability):
        factor = symmetric(contrast[0] < config.contrast_probability, contrast[1], config.contrast)
        change = change + factor * (image - SOFT_TISSUE_HU)
    if is_on(config.brightness, config.brightness_probability):
        chosen = bright[0] < config.brightness_probability
        change = change + symmetric(chosen, bright[1], config.brightness)
    if is_on(config.noise, config.noise_probability):
        deviation = up_to(noise[0] < config.noise_probability, noise[1], config.noise)
        change = change + deviation * jax.random.normal(grain, image.shape)
    lowest, highest = jnp.minimum(given, LOWEST_HU), jnp.maximum(given, HIGHEST_HU)
    return jnp.clip(image + change, lowest, highest)


def _draw_side(config: AugmentConfig, numbers: jax.Array, size: int) -> jax.Array:
    """Pixels left along each axis, a whole number from (1 - low_resolution) * size to size."""
    fewest = max(1, math.ceil((1.0 - config.low_resolution) * size))
    side = fewest + jnp.floor(numbers[1] * (size + 1 - fewest)).astype(jnp.int32)
    return jnp.where(numbers[0] < config.low_resolution_probability, jnp.minimum(side, size), size)


def _draw_gamma(config: AugmentConfig, numbers: jax.Array, image: jax.Array) -> jax.Array:
    """Raises GAMMA_LOW_HU..GAMMA_HIGH_HU, taken as 0..1, to a power near 1.

    Half of the powers are below 1, and as far as the others are above: the logarithm is
    uniform. Inverted, it is the distance from the upper end that is raised.
    """
    chosen = numbers[0] < config.gamma_probability
    exponent = jnp.exp(symmetric(chosen, numbers[1], math.log1p(config.gamma)))
    inverted = numbers[2] < config.gamma_inverted
    width = GAMMA_HIGH_HU - GAMMA_LOW_HU
    share = (image - GAMMA_LOW_HU) / width
    share = jnp.clip(jnp.where(inverted, 1.0 - share, share), 0.0, 1.0)
    # Much cheaper than jnp.power; 0 becomes exp(-inf), which is 0.
    raised = jnp.exp(exponent * jnp.log(share))
    bent = GAMMA_LOW_HU + width * jnp.where(inverted, 1.0 - raised, raised)
    inside = (image > GAMMA_LOW_HU) & (image < GAMMA_HIGH_HU)
    return jnp.where(chosen & inside, bent, image)
