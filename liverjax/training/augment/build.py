"""Random transforms of a batch on the device, as pure functions of key, image and masks."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from liverjax.config import AugmentConfig
from liverjax.training.augment.geometric import Move, draw_move, moves, source_positions
from liverjax.training.augment.intensity import alter, alters
from liverjax.training.augment.resample import resample

AugmentFn = Callable[[jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def build_augment(config: AugmentConfig) -> AugmentFn:
    """The transform (key, image, masks) -> (image, masks), to be traced inside the jitted step.

    The image is float32 [B, S, S, K] in HU, the K neighbouring slices of an example being
    treated alike; the masks are uint8 [B, S, S, M] of 0 and 1. Both keep shape and type.
    What has no strength or no probability is no part of the program; where the draw leaves an
    example alone, it comes out equal to the bit. Every example has its own key, derived from
    its place in the batch alone, so neither the batch's size nor the number of devices that
    share it changes a result.
    """
    return partial(_augment, config)


def _augment(
    config: AugmentConfig, key: jax.Array, image: jax.Array, masks: jax.Array
) -> tuple[jax.Array, jax.Array]:
    geometric, intensity = jax.random.split(key)
    if moves(config):
        image, masks = _move(config, _per_example(geometric, image), image, masks)
    if alters(config):
        image = jax.vmap(partial(alter, config))(_per_example(intensity, image), image)
    return image, masks


def _per_example(key: jax.Array, image: jax.Array) -> jax.Array:
    """A key for each place in the batch, whatever the batch's size."""
    return jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(image.shape[0]))


def _move(
    config: AugmentConfig, keys: jax.Array, image: jax.Array, masks: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """All geometric transforms of a batch, whose examples have a key each."""
    draws = jax.vmap(partial(draw_move, config))(keys)

    def moved(draws: Move, image: jax.Array, masks: jax.Array) -> tuple[jax.Array, jax.Array]:
        rows, columns = jax.vmap(partial(source_positions, config, size=image.shape[1]))(draws)
        return jax.vmap(resample)(image, masks, rows, columns)

    def moved_on_cpu(
        draws: Move, image: jax.Array, masks: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """Skips batches in which nothing moves; above all, XLA cannot fuse across a condition.

        Fused with the gathers of the resampling, what follows would not be vectorised, or would
        repeat them: blur takes 15 times as long. A GPU would have to ask the host which way to go.
        """
        return jax.lax.cond(jnp.any(draws.moved), moved, lambda _, *same: same, draws, image, masks)

    return jax.lax.platform_dependent(draws, image, masks, cpu=moved_on_cpu, default=moved)
