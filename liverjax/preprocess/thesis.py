"""The recipe of the thesis: whole slices, their histograms equalised, all but the liver blanked.

Per slice: values above 1200 HU become 0, what is left is clipped to -100..400, stretched to 0..1
by its own extremes, cut to 256 levels, equalised and stretched again. At the tumour stage the
liver mask multiplies the result at full resolution. Only then does the slice shrink.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from liverjax.batch import DeviceBatch
from liverjax.choices import Stage
from liverjax.config import PreprocessConfig
from liverjax.preprocess.equalize import LEVELS, count, equalized_levels
from liverjax.preprocess.grid import Grid, GridRecipe, given_liver
from liverjax.preprocess.pil_resize import offset, pil_resize
from liverjax.preprocess.resize import View

LOW_HU, HIGH_HU = -100, 400
_METAL_HU = 1200
_VALUES = HIGH_HU - LOW_HU + 1

# Straight edges give exact halves, and their rounding must not decide.
_HALF = 0.5 - 1e-4

# Of `Grid.image`: 2 bytes hold the equalised values with what BICUBIC overshoots, -0.28 to 1.28.
STEP = 2.0**-14


def thesis_recipe(config: PreprocessConfig, stage: Stage) -> GridRecipe:
    """See `GridRecipe`; `Grid.image` holds equalised values in units of `STEP`."""
    to_grid = {Stage.LIVER: _liver_grid, Stage.TUMOR: _tumor_grid}[stage]
    return GridRecipe(
        to_grid=partial(to_grid, config),
        to_input=partial(_to_input, config),
        mask_to_grid=partial(_shrunk, config),
    )


def normalize(images: jax.Array) -> jax.Array:
    """HU slices [B, H, W, K] (integers) -> equalised values float32 0..1; 0 for a constant slice.

    Each slice is treated by itself, neighbours included. As a slice holds at most 501 different
    values, all steps but the last act on a table of these.
    """
    b, h, w, k = images.shape
    slices = jnp.moveaxis(images, -1, 1).reshape(b * k, h, w)
    values = jax.vmap(_normalize_slice)(slices)
    return jnp.moveaxis(values.reshape(b, k, h, w), 1, -1)


def _normalize_slice(hu: jax.Array) -> jax.Array:
    """One slice [H, W]; see `normalize`."""
    hu = hu.astype(jnp.int32)
    hu = jnp.clip(jnp.where(hu > _METAL_HU, 0, hu), LOW_HU, HIGH_HU)
    low, high = jnp.min(hu), jnp.max(hu)
    levels = jnp.asarray(_stretched())[high - low].astype(jnp.int32)
    counts = jnp.zeros(LEVELS, jnp.int32).at[levels].add(count(hu - low, _VALUES))
    # Equalised, the lowest level is 0 and the highest 255, so that stretching is a division.
    # A single level is level 0 and stays 0.
    table = equalized_levels(counts)[levels].astype(jnp.float32) / (LEVELS - 1)
    return table[hu - low]


def _stretched() -> np.ndarray:
    """The level of each value above the lowest, for each range: uint8 [range, value].

    Made in float64: where the quotient falls on a whole number, its rounding decides between two
    levels, and equalisation may set these far apart.
    """
    ranges = np.arange(_VALUES, dtype=np.float64)[:, None]
    share = np.arange(_VALUES) / np.maximum(ranges, 1.0)
    return (np.minimum(share, 1.0) * (LEVELS - 1)).astype(np.uint8)


def _liver_grid(config: PreprocessConfig, batch: DeviceBatch) -> Grid:
    return _grid(config, normalize(batch["image"]))


def _tumor_grid(config: PreprocessConfig, batch: DeviceBatch) -> Grid:
    return _grid(config, normalize(batch["image"]) * given_liver(batch))


def _grid(config: PreprocessConfig, values: jax.Array) -> Grid:
    """Whole slices, float32 [B, H, W, K], on the grid; each axis shrinks by itself."""
    batch, height, width, _ = values.shape
    image = pil_resize(values, config.size, config.resize_filter)
    middle = [
        side / 2 + offset(side, config.size, config.resize_filter) for side in (height, width)
    ]
    view = View(
        center=jnp.tile(jnp.array([middle], jnp.float32), (batch, 1)),
        side=jnp.tile(jnp.array([[height, width]], jnp.float32), (batch, 1)),
    )
    region = jnp.ones((batch, config.size, config.size, 1), jnp.uint8)
    return Grid(jnp.round(image / STEP).astype(jnp.int16), region, view)


def _shrunk(config: PreprocessConfig, mask: jax.Array, view: View) -> jax.Array:
    """A mask on the grid; see `GridRecipe`. BICUBIC leaves fractions, which the thesis kept."""
    del view  # always the whole slice
    shrunk = pil_resize(mask.astype(jnp.float32), config.size, config.resize_filter)
    return (shrunk >= _HALF).astype(jnp.uint8)


def _to_input(config: PreprocessConfig, image: jax.Array, region: jax.Array) -> jax.Array:
    """See `Preprocess`."""
    del region  # the liver was applied before the slice shrank
    values = image.astype(jnp.float32) * STEP
    return jnp.tile(values, (1, 1, 1, config.channels))
