"""Smaller fields of view: scans that end at a circle or at a straight line, and their padding."""

import jax
import jax.numpy as jnp

from liverjax.augment_config import AugmentConfig
from liverjax.preprocess.window import AIR_HU
from liverjax.training.augment.draws import is_on, uniform, up_to

# What stands outside: air as a rule, the lowest value of the slices, or 0 HU after a conversion
# that took no notice of padding.
_LOWEST_SHARE = _ZERO_SHARE = 0.125


def cuts(config: AugmentConfig) -> bool:
    """Whether anything is cut away."""
    return is_on(config.field_of_view, config.field_of_view_probability)


def cut(
    config: AugmentConfig, key: jax.Array, image: jax.Array, masks: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Pads one example outside of a circle, beyond straight lines, or both.

    Each of the four sides loses its part in half of the draws, by itself; what lies below is the
    table. The circle, as scanners reconstruct in, comes in half of the draws, and wherever no side
    loses anything; it stands in the middle.

    The padding is one exact value, so nothing that changes HU may follow. What is not shown is
    not sought: the target ends with the image. The region where the network may look does not,
    since a scan that comes padded is looked at as a whole.

    Args:
        config: `field_of_view` is the largest part of the side that is lost: on each of the
            sides, or of the circle's diameter, which else is the side.
        key: of this example.
        image: float32 [S, S, K] in HU.
        masks: uint8 [S, S, M] of 0 and 1, the region before what is sought.
    """
    numbers = uniform(key, (7, 2))
    chosen = numbers[0, 0] < config.field_of_view_probability
    sides = numbers[1:5, 0] < 0.5
    round_ = chosen & ((numbers[5, 0] < 0.5) | ~jnp.any(sides))
    lost = up_to(chosen & sides, numbers[1:5, 1], config.field_of_view)
    narrower = up_to(round_, numbers[5, 1], config.field_of_view)
    seen = _within_lines(image.shape[0], lost)
    seen = seen & (_within_circle(image.shape[0], 1.0 - narrower) | ~round_)
    kind = numbers[6, 0]
    padding = jnp.where(kind < _LOWEST_SHARE, jnp.min(image), AIR_HU)
    padding = jnp.where(kind >= 1.0 - _ZERO_SHARE, 0.0, padding)
    target = masks[..., 1:] * seen[..., None].astype(masks.dtype)
    masks = jnp.concatenate([masks[..., :1], target], axis=-1)
    return jnp.where(seen[..., None], image, padding), masks


def _within_lines(size: int, lost: jax.Array) -> jax.Array:
    """bool [size, size], pixels of which the parts lost above, below, left and right have none."""
    above, below, left, right = lost * size
    first = jnp.arange(size, dtype=jnp.float32)
    rows = (first >= above) & (first + 1 <= size - below)
    columns = (first >= left) & (first + 1 <= size - right)
    return rows[:, None] & columns[None]


def _within_circle(size: int, diameter: jax.Array) -> jax.Array:
    """bool [size, size], pixels whose middle lies in a circle; its diameter in sides."""
    place = (2.0 * jnp.arange(size, dtype=jnp.float32) + 1.0 - size) / size
    return place[:, None] ** 2 + place[None] ** 2 <= diameter**2
