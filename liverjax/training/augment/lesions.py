"""Synthetic tumours painted into the liver, so that few annotated ones are not all there is.

In the manner of Hu et al., Label-free liver tumor segmentation, CVPR 2023, reduced to what a batch
of slices can do on the device: a blob of wobbly outline takes the place of the parenchyma, darker
or, rarely, brighter than it, at times with a rim. The tumour stage seeks it; to the liver stage it
is liver that does not look like it.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from liverjax.augment_config import AugmentConfig
from liverjax.preprocess.window import TISSUE_HU
from liverjax.training.augment.draws import is_on, uniform
from liverjax.training.augment.spline import smooth_field

# Radii as fractions of the image side: from what a slice hardly shows to half of a liver.
_SMALLEST, _LARGEST = 0.015, 0.25
# HU of a tumour less those of its liver; most are darker than it in the portal venous phase.
_DARKEST, _LEAST, _BRIGHTEST = -80.0, 12.0, 40.0
_BRIGHT_SHARE = 0.05
_RIM_SHARE, _RIM_HU = 0.3, 40.0
_WOBBLE = 1.0
_TEXTURE_HU = 25.0
# Share that remains of the tissue's own deviation from the liver's mean: noise, not vessels.
_GRAIN = 0.6
# Distance of the control points of outline and texture, as a fraction of the image side.
_CELL = 0.2


def paints(config: AugmentConfig) -> bool:
    """Whether lesions are painted."""
    return is_on(config.lesions, config.lesions_probability)


class _Blob(NamedTuple):
    """One lesion: where it lies and what it looks like; all float32.

    Attributes:
        share: [S, S, K], 1 inside, 0 outside, smooth between.
        hu: [S, S, K], its level and texture above the liver's mean, rim included.
    """

    share: jax.Array
    hu: jax.Array


def paint_lesions(
    config: AugmentConfig, key: jax.Array, image: jax.Array, liver: jax.Array, tumor: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Paints up to `config.lesions` lesions into the liver of one example.

    Args:
        config: how many, and in which share of the examples.
        key: of this example.
        image: float32 [S, S, K] in HU.
        liver: bool [S, S], with its tumours. An example without liver is left as it is.
        tumor: bool [S, S], the tumours that are known.

    Returns:
        The image, and `tumor` with what was painted.
    """
    chance, draw = jax.random.split(key)
    numbers = uniform(chance, (2,))
    middle = image[..., image.shape[-1] // 2]
    tissue = liver & ~tumor & (middle > TISSUE_HU[0]) & (middle < TISSUE_HU[1])
    count = jnp.sum(tissue)
    level = jnp.sum(jnp.where(tissue, middle, 0.0)) / jnp.maximum(count, 1)
    wanted = jnp.ceil(numbers[1] * config.lesions)
    on = (numbers[0] < config.lesions_probability) & (count > 0)
    for number in range(int(config.lesions)):
        blob = _draw_blob(jax.random.fold_in(draw, number), tissue, image.shape[-1])
        share = jnp.where(on & (number < wanted), blob.share, 0.0) * liver[..., None]
        painted = level + blob.hu + _GRAIN * (image - level)
        image = image + share * (painted - image)
        tumor = tumor | (share[..., image.shape[-1] // 2] > 0.5)
    return image, tumor


def _draw_blob(key: jax.Array, tissue: jax.Array, slices: int) -> _Blob:
    """A lesion around a random pixel of `tissue`, bool [S, S]."""
    size = tissue.shape[0]
    place, scalars, wobble, texture = jax.random.split(key, 4)
    lots = uniform(place, tissue.shape)
    row, column = jnp.divmod(jnp.argmax(jnp.where(tissue, lots, -1.0)), size)
    n = uniform(scalars, (9,))
    radius = size * _SMALLEST * (_LARGEST / _SMALLEST) ** n[0]
    angle, stretch = jnp.pi * n[1], jnp.exp(0.5 * (n[2] - 0.5))
    coordinates = jnp.arange(size, dtype=jnp.float32)
    down, right = (coordinates - row)[:, None], (coordinates - column)[None]
    along = (jnp.cos(angle) * down + jnp.sin(angle) * right) * stretch
    across = (jnp.cos(angle) * right - jnp.sin(angle) * down) / stretch
    distance = jnp.sqrt(along**2 + across**2) / radius
    distance = distance + _WOBBLE * n[3] * smooth_field(wobble, size, _CELL)
    # Neighbouring slices cut the lesion where it is wider or narrower.
    steps = jnp.arange(slices, dtype=jnp.float32) - slices // 2
    distance = distance[..., None] + 0.3 * (2 * n[4] - 1.0) * steps[None, None]
    edge = (0.5 + 2.0 * n[5]) / radius
    share = jax.nn.sigmoid((1.0 - distance) / edge * 2.0)
    dark = _DARKEST + n[6] * (-_LEAST - _DARKEST)
    bright = _LEAST + n[6] * (_BRIGHTEST - _LEAST)
    level = jnp.where(n[7] < _BRIGHT_SHARE, bright, dark)
    ring = jnp.exp(-(((distance - 0.95) / 0.15) ** 2))
    rim = jnp.where(n[8] < _RIM_SHARE, _RIM_HU * n[8] / _RIM_SHARE, 0.0)
    grain = _TEXTURE_HU * smooth_field(texture, size, _CELL)[..., None]
    return _Blob(share, level + grain + rim * ring)
