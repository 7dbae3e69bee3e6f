"""The recipe of windows: HU that count from 0 to 1, on whole slices or on crops of the liver."""

from functools import partial

import jax
import jax.numpy as jnp

from liverjax.batch import DeviceBatch
from liverjax.choices import Stage
from liverjax.config import PreprocessConfig
from liverjax.preprocess import resize, roi
from liverjax.preprocess.grid import Grid, GridRecipe, given_liver

AIR_HU = -1024.0

TISSUE_HU = (0.0, 200.0)
"""Fat and gas at the liver's border and bone beside it must not shift its level."""


def window_recipe(config: PreprocessConfig, stage: Stage) -> GridRecipe:
    """See `GridRecipe`; `Grid.image` holds whole HU."""
    to_grid = {Stage.LIVER: _liver_grid, Stage.TUMOR: _tumor_grid}[stage]
    return GridRecipe(
        to_grid=partial(to_grid, config),
        to_input=partial(_to_input, config),
        mask_to_grid=partial(_shown, size=config.size),
    )


def window(hu: jax.Array, low: float, high: float) -> jax.Array:
    """Maps `low`..`high` HU to 0..1 and clips what lies outside; any shape, float32."""
    return jnp.clip((hu - low) / (high - low), 0.0, 1.0)


def _liver_grid(config: PreprocessConfig, batch: DeviceBatch) -> Grid:
    image = batch["image"]
    view = resize.whole_view(*image.shape[:3])
    if config.pixel_mm and "spacing" in batch:
        side_mm = jnp.full((image.shape[0],), config.size * config.pixel_mm, jnp.float32)
        view = resize.at_scale(view, batch["spacing"], side_mm)
    grid = _hu(image, view, config.size)
    return Grid(grid, jnp.ones((*grid.shape[:3], 1), jnp.uint8), view)


def _tumor_grid(config: PreprocessConfig, batch: DeviceBatch) -> Grid:
    liver = given_liver(batch)
    box = roi.liver_box(liver)
    longest = max(liver.shape[1:3])
    view = roi.liver_view(box, longest, config.roi_margin, config.roi_min_side)
    if config.pixel_mm and "spacing" in batch:
        least = config.size * config.pixel_mm
        side_mm = roi.side_in_mm(box, batch["spacing"], least, config.roi_margin)
        view = resize.at_scale(view, batch["spacing"], side_mm)
    region = roi.dilate(_shown(liver, view, config.size), config.roi_dilation)
    return Grid(_hu(batch["image"], view, config.size), region, view)


def _hu(image: jax.Array, view: resize.View, size: int) -> jax.Array:
    """What the view shows in whole HU: int16 [B, size, size, K]."""
    return jnp.round(resize.sample(image, view, size, AIR_HU)).astype(jnp.int16)


def _shown(mask: jax.Array, view: resize.View, size: int) -> jax.Array:
    """A boolean mask on the grid, uint8: 1 where it fills at least half of a pixel, else 0."""
    return (resize.sample(mask, view, size) >= 0.5).astype(jnp.uint8)


def _to_input(config: PreprocessConfig, image: jax.Array, region: jax.Array) -> jax.Array:
    """See `Preprocess`; neighbours share the level and the region of the middle slice."""
    image, region = image.astype(jnp.float32), region.astype(jnp.float32)
    if config.relative:
        middle = image.shape[-1] // 2
        image = image - _region_level(
            image[..., middle : middle + 1], region, config.relative_quantile
        )
    values = window(image, config.window_low, config.window_high) * region
    return jnp.tile(values, (1, 1, 1, config.channels))


def _region_level(image: jax.Array, region: jax.Array, quantile: float) -> jax.Array:
    """HU to count from, of the soft tissue in each slice's region: float32 [B, 1, 1, 1].

    See `PreprocessConfig.relative_quantile`; 0 where there is no such tissue.
    """
    tissue = region * (image > TISSUE_HU[0]) * (image < TISSUE_HU[1])
    count = jnp.sum(tissue, axis=(1, 2, 3), keepdims=True)
    if not quantile:
        return jnp.sum(image * tissue, axis=(1, 2, 3), keepdims=True) / jnp.maximum(count, 1.0)
    ordered = jnp.sort(jnp.where(tissue > 0, image, jnp.inf).reshape(len(image), -1), axis=1)
    place = jnp.floor(count[:, :, 0, 0] * quantile).astype(jnp.int32)
    level = jnp.take_along_axis(ordered, place, axis=1)[:, :, None, None]
    return jnp.where(count > 0, level, 0.0)
