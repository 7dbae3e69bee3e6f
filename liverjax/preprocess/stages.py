"""What stands between HU slices and each network: one place for training and inference."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from liverjax.batch import DeviceBatch
from liverjax.config import PreprocessConfig, Stage
from liverjax.labels import liver_mask, tumor_mask
from liverjax.preprocess import resize, roi
from liverjax.preprocess.window import AIR_HU, window

# Fat and gas at the liver's border and bone beside it must not shift its mean.
_TISSUE_HU = (0.0, 200.0)


class Grid(NamedTuple):
    """A batch on the network's pixel grid, still in HU, so that augmentation can act on it.

    Attributes:
        image: int16 [B, S, S, K], HU of K neighbouring slices, the segmented one in the middle.
            Whole HU in 2 bytes let an epoch stay on a device; CT noise is ten times the rounding.
        region: uint8 [B, S, S, 1], 1 where the network may look, 0 elsewhere.
        view: where the grid lies in the slices.
    """

    image: jax.Array
    region: jax.Array
    view: resize.View


class Example(NamedTuple):
    """A batch to learn from, on the network's pixel grid.

    Attributes:
        image: int16 [B, S, S, K], see `Grid`.
        masks: uint8 [B, S, S, 2] of 0 and 1: where the network may look, and what it shall find.
        shows_tumor: bool [B], whether the slice holds tumour, however little, at either stage.
    """

    image: jax.Array
    masks: jax.Array
    shows_tumor: jax.Array


class Preprocess(NamedTuple):
    """The pure functions of one stage.

    Attributes:
        to_grid: batch -> Grid. The batch (see `liverjax.batch`) holds `image`; for the tumour
            stage the mask that it works within, `liver` or else `label`; for a fixed pixel size
            `spacing`, without which the slices are fitted into the grid.
        to_example: batch with `label` -> Example.
        to_input: (image int16 or float32 [B, S, S, K] in HU, region [B, S, S, 1] of 0 and 1) ->
            network input float32 [B, S, S, channels * K] in 0..1.
        to_slices: (values [B, S, S, 1], view, height, width) -> values on the slices, 0 outside
            the view.
    """

    to_grid: Callable[[DeviceBatch], Grid]
    to_example: Callable[[DeviceBatch], Example]
    to_input: Callable[[jax.Array, jax.Array], jax.Array]
    to_slices: Callable[[jax.Array, resize.View, int, int], jax.Array]


def build_preprocess(config: PreprocessConfig, stage: Stage) -> Preprocess:
    """The functions for `stage`, to be traced inside the jitted step."""
    stage_grid, sought = {
        Stage.LIVER: (_liver_grid, liver_mask),
        Stage.TUMOR: (_tumor_grid, tumor_mask),
    }[stage]
    to_grid = partial(stage_grid, config)

    def to_example(batch: DeviceBatch) -> Example:
        """See `Preprocess`."""
        grid, label = to_grid(batch), batch["label"]
        target = _shown(sought(label), grid.view, config.size)
        masks = jnp.concatenate([grid.region, target], axis=-1)
        return Example(grid.image, masks, jnp.any(tumor_mask(label), axis=(1, 2, 3)))

    return Preprocess(
        to_grid=to_grid,
        to_example=to_example,
        to_input=partial(_to_input, config),
        to_slices=resize.restore,
    )


def _liver_grid(config: PreprocessConfig, batch: DeviceBatch) -> Grid:
    image = batch["image"]
    view = resize.whole_view(*image.shape[:3])
    if config.pixel_mm and "spacing" in batch:
        side_mm = jnp.full((image.shape[0],), config.size * config.pixel_mm, jnp.float32)
        view = resize.at_scale(view, batch["spacing"], side_mm)
    grid = _hu(image, view, config.size)
    return Grid(grid, jnp.ones((*grid.shape[:3], 1), jnp.uint8), view)


def _tumor_grid(config: PreprocessConfig, batch: DeviceBatch) -> Grid:
    liver = batch["liver"] if "liver" in batch else liver_mask(batch["label"])
    box = roi.liver_box(liver)
    longest = max(liver.shape[1:3])
    view = roi.liver_view(box, longest, config.roi_margin, config.roi_min_side)
    if config.pixel_mm and "spacing" in batch:
        least = config.size * config.pixel_mm
        side_mm = roi.side_in_mm(box, batch["spacing"], least, config.roi_margin)
        view = resize.at_scale(view, batch["spacing"], side_mm)
    region = roi.dilate(_shown(liver > 0, view, config.size), config.roi_dilation)
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
        image = image - _region_level(image[..., middle : middle + 1], region)
    values = window(image, config.window_low, config.window_high) * region
    return jnp.tile(values, (1, 1, 1, config.channels))


def _region_level(image: jax.Array, region: jax.Array) -> jax.Array:
    """Mean HU of the soft tissue in each slice's region: float32 [B, 1, 1, 1]."""
    tissue = region * (image > _TISSUE_HU[0]) * (image < _TISSUE_HU[1])
    total = jnp.sum(image * tissue, axis=(1, 2, 3), keepdims=True)
    return total / jnp.maximum(jnp.sum(tissue, axis=(1, 2, 3), keepdims=True), 1.0)
