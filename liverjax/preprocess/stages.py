"""What stands between HU slices and each network: one place for training and inference."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from liverjax.config import PreprocessConfig, Stage
from liverjax.labels import liver_mask, tumor_mask
from liverjax.preprocess import resize, roi
from liverjax.preprocess.window import AIR_HU, window

# Fat and gas at the liver's border and bone beside it must not shift its mean.
_TISSUE_HU = (0.0, 200.0)


class Grid(NamedTuple):
    """A batch on the network's pixel grid, still in HU, so that augmentation can act on it.

    Attributes:
        image: float32 [B, S, S, 1], HU.
        region: float32 [B, S, S, 1], 1 where the network may look, 0 elsewhere.
        view: where the grid lies in the slices.
    """

    image: jax.Array
    region: jax.Array
    view: resize.View


class Preprocess(NamedTuple):
    """The pure functions of one stage.

    Attributes:
        to_grid: batch -> Grid. The batch holds `image` [B, H, W, 1] in HU and, for the tumour
            stage, the mask that it works within: `liver` [B, H, W, 1], or else `label`.
        to_target: (label [B, H, W, 1], view) -> float32 [B, S, S, 1], 1 on what the network
            shall find.
        to_input: Grid -> network input float32 [B, S, S, channels] in 0..1.
        to_slices: (values [B, S, S, 1], view, height, width) -> values on the slices.
    """

    to_grid: Callable[[Mapping[str, jax.Array]], Grid]
    to_target: Callable[[jax.Array, resize.View], jax.Array]
    to_input: Callable[[Grid], jax.Array]
    to_slices: Callable[[jax.Array, resize.View, int, int], jax.Array]


def build_preprocess(config: PreprocessConfig, stage: Stage) -> Preprocess:
    """The functions for `stage`, to be traced inside the jitted step."""
    to_grid, sought = {
        Stage.LIVER: (_liver_grid, liver_mask),
        Stage.TUMOR: (_tumor_grid, tumor_mask),
    }[stage]
    return Preprocess(
        to_grid=partial(to_grid, config),
        to_target=lambda label, view: _shown(sought(label), view, config.size),
        to_input=partial(_to_input, config),
        to_slices=resize.restore,
    )


def _liver_grid(config: PreprocessConfig, batch: Mapping[str, jax.Array]) -> Grid:
    image = batch["image"]
    view = resize.whole_view(*image.shape[:3])
    grid = resize.sample(image, view, config.size, AIR_HU)
    return Grid(grid, jnp.ones_like(grid), view)


def _tumor_grid(config: PreprocessConfig, batch: Mapping[str, jax.Array]) -> Grid:
    liver = batch["liver"] if "liver" in batch else liver_mask(batch["label"])
    view = roi.liver_view(liver, config.roi_margin, config.roi_min_side)
    grid = resize.sample(batch["image"], view, config.size, AIR_HU)
    region = roi.dilate(_shown(liver > 0, view, config.size), config.roi_dilation)
    return Grid(grid, region, view)


def _shown(mask: jax.Array, view: resize.View, size: int) -> jax.Array:
    """A boolean mask on the grid: 1 where it fills at least half of a pixel, else 0."""
    return (resize.sample(mask, view, size) >= 0.5).astype(jnp.float32)


def _to_input(config: PreprocessConfig, grid: Grid) -> jax.Array:
    image = grid.image - _region_level(grid) if config.relative else grid.image
    values = window(image, config.window_low, config.window_high) * grid.region
    return jnp.tile(values, (1, 1, 1, config.channels))


def _region_level(grid: Grid) -> jax.Array:
    """Mean HU of the soft tissue in each slice's region: float32 [B, 1, 1, 1]."""
    tissue = grid.region * (grid.image > _TISSUE_HU[0]) * (grid.image < _TISSUE_HU[1])
    total = jnp.sum(grid.image * tissue, axis=(1, 2, 3), keepdims=True)
    return total / jnp.maximum(jnp.sum(tissue, axis=(1, 2, 3), keepdims=True), 1.0)
