"""Random transforms of a batch on the device, as pure functions of key, image and masks."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from liverjax.augment_config import AugmentConfig
from liverjax.choices import Stage
from liverjax.training.augment.field import cut, cuts
from liverjax.training.augment.geometric import Move, draw_move, moves, source_positions
from liverjax.training.augment.intensity import alter, alters
from liverjax.training.augment.lesions import paint_lesions, paints
from liverjax.training.augment.parenchyma import recolor, recolors
from liverjax.training.augment.phase import draw_slopes, tone, toned
from liverjax.training.augment.resample import resample
from liverjax.training.augment.thickness import draw_factor, reslice, resliced

# What the key is folded with for transforms that came later, so that the draws of the first ones
# stay. A split into two is a fold with 0 and 1.
_PHASE, _THICKNESS, _FIELD, _LESIONS, _PARENCHYMA = 2, 3, 4, 5, 6

AugmentFn = Callable[[jax.Array, jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def build_augment(config: AugmentConfig, stage: Stage) -> AugmentFn:
    """The transform (key, image, masks) -> (image, masks), to be traced inside the jitted step.

    The image is float32 [B, S, S, K] in HU, the K neighbouring slices of an example being
    treated alike; the masks are uint8 [B, S, S, 2] of 0 and 1: where the network may look, and
    what it seeks there. Both keep shape and type.
    What has no strength or no probability is no part of the program; where the draw leaves an
    example alone, it comes out equal to the bit. Every example has its own key, derived from
    its place in the batch alone, so neither the batch's size nor the number of devices that
    share it changes a result.
    """
    return partial(_augment, config, stage)


def _augment(
    config: AugmentConfig, stage: Stage, key: jax.Array, image: jax.Array, masks: jax.Array
) -> tuple[jax.Array, jax.Array]:
    geometric, intensity = jax.random.split(key)
    if moves(config):
        image, masks = _move(config, _per_example(geometric, image), image, masks)
    # As a scan comes about: the patient, the contrast, the slices, the pixels, the padding.
    if recolors(config):
        keys = _per_example(jax.random.fold_in(key, _PARENCHYMA), image)
        image = _recolored(config, stage, keys, image, masks)
    if paints(config):
        keys = _per_example(jax.random.fold_in(key, _LESIONS), image)
        image, masks = _painted(config, stage, keys, image, masks)
    if toned(config):
        keys = _per_example(jax.random.fold_in(key, _PHASE), image)
        image = _where_drawn(tone, jax.vmap(partial(draw_slopes, config))(keys), image)
    if resliced(config):
        keys = _per_example(jax.random.fold_in(key, _THICKNESS), image)
        image = _where_drawn(reslice, jax.vmap(partial(draw_factor, config))(keys), image)
    if alters(config):
        image = jax.vmap(partial(alter, config))(_per_example(intensity, image), image)
    if cuts(config):
        keys = _per_example(jax.random.fold_in(key, _FIELD), image)
        image, masks = jax.vmap(partial(cut, config))(keys, image, masks)
    return image, masks


def _per_example(key: jax.Array, image: jax.Array) -> jax.Array:
    """A key for each place in the batch, whatever the batch's size."""
    return jax.vmap(partial(jax.random.fold_in, key))(jnp.arange(image.shape[0]))


def _liver(stage: Stage, masks: jax.Array) -> jax.Array:
    """bool [B, S, S]: the liver stage seeks it, the tumour stage looks into it."""
    return masks[..., 1 if stage is Stage.LIVER else 0] > 0


def _recolored(
    config: AugmentConfig, stage: Stage, keys: jax.Array, image: jax.Array, masks: jax.Array
) -> jax.Array:
    """Livers of other HU in the examples that draw one."""
    liver = _liver(stage, masks)

    def change(keys: jax.Array, image: jax.Array) -> tuple[jax.Array]:
        return (jax.vmap(partial(recolor, config))(keys, image, liver),)

    return _kept_apart(jnp.any(liver), change, keys, image)[0]


def _painted(
    config: AugmentConfig, stage: Stage, keys: jax.Array, image: jax.Array, masks: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Lesions in the examples that draw some; without liver there is nowhere to paint them."""
    liver = _liver(stage, masks)
    tumor = jnp.logical_and(masks[..., 1] > 0, stage is Stage.TUMOR)

    def paint(keys: jax.Array, image: jax.Array, tumor: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.vmap(partial(paint_lesions, config))(keys, image, liver, tumor)

    image, tumor = _kept_apart(jnp.any(liver), paint, keys, image, tumor)
    if stage is Stage.LIVER:
        return image, masks
    return image, jnp.stack([masks[..., 0], tumor.astype(masks.dtype)], axis=-1)


def _where_drawn(
    change: Callable[[jax.Array, jax.Array], jax.Array], draws: jax.Array, image: jax.Array
) -> jax.Array:
    """`change(draw, image)` of every example, where a draw of 1 changes nothing."""

    def changed(draws: jax.Array, image: jax.Array) -> tuple[jax.Array]:
        return (jax.vmap(change)(draws, image),)

    return _kept_apart(jnp.any(draws != 1), changed, draws, image)[0]


def _move(
    config: AugmentConfig, keys: jax.Array, image: jax.Array, masks: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """All geometric transforms of a batch, whose examples have a key each."""
    draws = jax.vmap(partial(draw_move, config))(keys)

    def moved(draws: Move, image: jax.Array, masks: jax.Array) -> tuple[jax.Array, jax.Array]:
        rows, columns = jax.vmap(partial(source_positions, config, size=image.shape[1]))(draws)
        return jax.vmap(resample)(image, masks, rows, columns)

    return _kept_apart(jnp.any(draws.moved), moved, draws, image, masks)


def _kept_apart(happens: jax.Array, change: Callable[..., Any], draws: Any, *parts: Any) -> Any:
    """`change(draws, *parts)`, a tuple like `parts`, which stay where nothing `happens`.

    On a CPU it stands in a condition. That skips batches in which nothing happens; above all, XLA
    cannot fuse across it. Fused with the gathers of a resampling, what follows would not be
    vectorised, or would repeat them for every tap: blur takes 15 times as long. A GPU would have
    to ask the host which way to go.
    """

    def on_cpu(happens: jax.Array, draws: Any, *parts: Any) -> Any:
        """`change` behind a condition."""
        return jax.lax.cond(happens, change, lambda _, *same: same, draws, *parts)

    def elsewhere(_: jax.Array, draws: Any, *parts: Any) -> Any:
        """`change` in any case."""
        return change(draws, *parts)

    return jax.lax.platform_dependent(happens, draws, *parts, cpu=on_cpu, default=elsewhere)
