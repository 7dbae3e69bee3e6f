"""What stands between HU slices and each network: one place for training and inference."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from liverjax.config import PreprocessConfig, Stage
from liverjax.labels import Label
from liverjax.preprocess import resize, roi
from liverjax.preprocess.window import AIR_HU, window


class Grid(NamedTuple):
    """A batch on the network's pixel grid, still in HU, so that augmentation can act on it.

    Attributes:
        image: float32 [B, S, S, 1], HU.
        region: float32 [B, S, S, 1], 1 where the network may look, 0 elsewhere.
        target: float32 [B, S, S, 1], 1 on what it shall find; None at inference.
        view: where the grid lies in the slices.
    """

    image: jax.Array
    region: jax.Array
    target: jax.Array | None
    view: resize.View


class Preprocess(NamedTuple):
    """The three pure functions of one stage.

    Attributes:
        to_grid: batch -> Grid. The batch holds `image` [B, H, W, 1] in HU; for training
            `label` [B, H, W, 1]; for the tumour stage `liver` [B, H, W, 1], the mask that it
            works within (by default the label's liver).
        to_input: Grid -> network input float32 [B, S, S, channels] in 0..1.
        to_slices: (values [B, S, S, 1], view, height, width) -> values on the slices.
    """

    to_grid: Callable[[Mapping[str, jax.Array]], Grid]
    to_input: Callable[[Grid], jax.Array]
    to_slices: Callable[[jax.Array, resize.View, int, int], jax.Array]


def build_preprocess(config: PreprocessConfig, stage: Stage) -> Preprocess:
    """The functions for `stage`, to be traced inside the jitted step."""
    to_grid = _liver_grid if stage is Stage.LIVER else _tumor_grid
    return Preprocess(
        to_grid=partial(to_grid, config),
        to_input=partial(_to_input, config),
        to_slices=resize.restore,
    )


def _liver_grid(config: PreprocessConfig, batch: Mapping[str, jax.Array]) -> Grid:
    image = batch["image"]
    view = resize.whole_view(*image.shape[:3])
    grid = resize.sample(image, view, config.size, AIR_HU)
    target = None
    if "label" in batch:
        target = _shown(batch["label"] >= Label.LIVER, view, config.size)
    return Grid(grid, jnp.ones_like(grid), target, view)


def _tumor_grid(config: PreprocessConfig, batch: Mapping[str, jax.Array]) -> Grid:
    liver = batch["liver"] if "liver" in batch else batch["label"] >= Label.LIVER
    view = roi.liver_view(liver, config.roi_margin, config.roi_min_side)
    grid = resize.sample(batch["image"], view, config.size, AIR_HU)
    region = roi.dilate(_shown(liver > 0, view, config.size), config.roi_dilation)
    target = None
    if "label" in batch:
        target = _shown(batch["label"] == Label.TUMOR, view, config.size)
    return Grid(grid, region, target, view)


def _shown(mask: jax.Array, view: resize.View, size: int) -> jax.Array:
    """A boolean mask on the grid: 1 where it fills at least half of a pixel, else 0."""
    return (resize.sample(mask, view, size) >= 0.5).astype(jnp.float32)


def _to_input(config: PreprocessConfig, grid: Grid) -> jax.Array:
    values = window(grid.image, config.window_low, config.window_high) * grid.region
    return jnp.tile(values, (1, 1, 1, config.channels))
