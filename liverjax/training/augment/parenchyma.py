"""Livers of other HU: fatty ones, with iron, or in another phase, while all else stays."""

import jax
import jax.numpy as jnp

from liverjax.augment_config import AugmentConfig
from liverjax.training.augment.draws import is_on, symmetric, uniform
from liverjax.training.augment.resolution import blur
from liverjax.training.augment.spline import smooth_field

# Standard deviation, in pixels, of the border: as sharp as that of organs in averaged pixels.
_EDGE = 0.7
# By how much of its strength the change varies over the liver: fat seldom lies evenly.
_UNEVEN, _CELL = 0.5, 0.25


def recolors(config: AugmentConfig) -> bool:
    """Whether livers are made brighter or darker."""
    return is_on(config.parenchyma, config.parenchyma_probability)


def recolor(config: AugmentConfig, key: jax.Array, image: jax.Array, liver: jax.Array) -> jax.Array:
    """Makes the liver of one example brighter or darker, with its vessels and tumours.

    Args:
        config: `parenchyma` is the strongest change in HU.
        key: of this example.
        image: float32 [S, S, K] in HU.
        liver: bool [S, S], of the middle slice; the neighbours are taken to have it there, too.
    """
    draw, field = jax.random.split(key)
    numbers = uniform(draw, (2,))
    change = symmetric(numbers[0] < config.parenchyma_probability, numbers[1], config.parenchyma)
    unevenness = 1.0 + _UNEVEN * smooth_field(field, image.shape[0], _CELL)
    share = blur(liver.astype(image.dtype)[..., None], jnp.asarray(_EDGE), _EDGE)
    return image + change * unevenness[..., None] * share
