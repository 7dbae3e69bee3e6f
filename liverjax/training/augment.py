"""Random transforms of a batch on the device, as pure functions of key, image and target."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from liverjax.config import AugmentConfig
from liverjax.preprocess.window import AIR_HU

# Contrast turns around soft tissue, or a stronger contrast would also darken the liver.
SOFT_TISSUE_HU = 50.0


AugmentFn = Callable[[jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def build_augment(config: AugmentConfig) -> AugmentFn:
    """The transform (key, image, masks) -> (image, masks); 0 leaves a part out.

    Image float32 [B, S, S, K] in HU, masks uint8 [B, S, S, M] of 0 and 1.
    """
    return partial(_augment, config)


def _augment(
    config: AugmentConfig, key: jax.Array, image: jax.Array, masks: jax.Array
) -> tuple[jax.Array, jax.Array]:
    geometric, intensity = jax.random.split(key)
    batch = image.shape[0]
    if any((config.rotation, config.zoom, config.shift, config.flip)):
        keys = jax.random.split(geometric, batch)
        image, masks = jax.vmap(partial(_move, config))(keys, image, masks)
    keys = jax.random.split(intensity, batch)
    return jax.vmap(partial(_recolor, config))(keys, image), masks


def _move(
    config: AugmentConfig, key: jax.Array, image: jax.Array, masks: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Rotation, zoom, shift and flip of one slice [S, S, K] in a single resampling."""
    where = _source_coordinates(config, key, image.shape[0])

    def resample(values: jax.Array, fill: float) -> jax.Array:
        one = partial(map_coordinates, coordinates=list(where), order=1, cval=0.0)
        return jax.vmap(one, in_axes=-1, out_axes=-1)(values - fill) + fill

    moved = resample(masks.astype(jnp.float32), 0.0) >= 0.5
    return resample(image, AIR_HU), moved.astype(jnp.uint8)


def _source_coordinates(config: AugmentConfig, key: jax.Array, size: int) -> jax.Array:
    """Where each pixel of the result comes from: float32 [2, size, size], rows and columns."""
    turn, scale, offset, mirror = jax.random.split(key, 4)
    angle = jnp.deg2rad(_symmetric(turn, config.rotation))
    zoom = 1.0 + _symmetric(scale, config.zoom)
    shift = jax.random.uniform(offset, (2,), minval=-1.0, maxval=1.0) * config.shift * size
    flip = 1.0 - 2.0 * jax.random.bernoulli(mirror, 0.5 if config.flip else 0.0)
    middle = (size - 1) / 2
    rows, columns = jnp.meshgrid(
        jnp.arange(size) - middle, jnp.arange(size) - middle, indexing="ij"
    )
    rows, columns = (rows - shift[0]) / zoom, flip * (columns - shift[1]) / zoom
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([cosine * rows - sine * columns, sine * rows + cosine * columns]) + middle


def _recolor(config: AugmentConfig, key: jax.Array, image: jax.Array) -> jax.Array:
    """Brightness, contrast and noise of one slice [S, S, K]."""
    bright, contrast, level, grain = jax.random.split(key, 4)
    factor = 1.0 + _symmetric(contrast, config.contrast)
    image = (image - SOFT_TISSUE_HU) * factor + SOFT_TISSUE_HU
    image = image + _symmetric(bright, config.brightness)
    if config.noise:
        deviation = jax.random.uniform(level, maxval=config.noise)
        image = image + deviation * jax.random.normal(grain, image.shape)
    return image


def _symmetric(key: jax.Array, most: float) -> jax.Array:
    return jax.random.uniform(key, minval=-most, maxval=most)
