"""What preprocessing gives: slices on a network's grid, and the functions that bring them there."""

from collections.abc import Callable
from typing import NamedTuple

import jax

from liverjax.batch import DeviceBatch
from liverjax.labels import liver_mask
from liverjax.preprocess.resize import View


class Grid(NamedTuple):
    """A batch on the network's pixel grid.

    Attributes:
        image: int16 [B, S, S, K] of K neighbouring slices, the segmented one in the middle. In
            Recipe.WINDOW whole HU, so that augmentation can act on them: 2 bytes let an epoch
            stay on a device, and CT noise is ten times the rounding. In Recipe.THESIS the
            equalised values in steps of `thesis.STEP`.
        region: uint8 [B, S, S, 1], 1 where the network may look, 0 elsewhere.
        view: where the grid lies in the slices.
    """

    image: jax.Array
    region: jax.Array
    view: View


class Example(NamedTuple):
    """A batch to learn from, on the network's pixel grid.

    Attributes:
        image: int16 [B, S, S, K], see `Grid`.
        masks: uint8 [B, S, S, 2] of 0 and 1: where the network may look, and what it shall find.
    """

    image: jax.Array
    masks: jax.Array


class Preprocess(NamedTuple):
    """The pure functions of one stage.

    Attributes:
        to_grid: batch -> Grid. The batch (see `liverjax.batch`) holds `image`; for the tumour
            stage the mask that it works within, `liver` or else `label`; for a fixed pixel size
            `spacing`, without which the slices are fitted into the grid.
        to_example: batch with `label` -> Example.
        to_input: (image int16 or float32 [B, S, S, K] as in `Grid`, region [B, S, S, 1] of 0 and
            1) -> network input float32 [B, S, S, channels * K] in 0..1; BICUBIC may overshoot.
        to_slices: (values [B, S, S, 1], view, height, width) -> values on the slices, 0 outside
            the view.
    """

    to_grid: Callable[[DeviceBatch], Grid]
    to_example: Callable[[DeviceBatch], Example]
    to_input: Callable[[jax.Array, jax.Array], jax.Array]
    to_slices: Callable[[jax.Array, View, int, int], jax.Array]


class GridRecipe(NamedTuple):
    """One way from slices to a network's input, at one stage.

    Attributes:
        to_grid, to_input: see `Preprocess`.
        mask_to_grid: (bool [B, H, W, 1], view) -> uint8 [B, S, S, 1]: 1 where the mask fills at
            least half of a pixel, else 0.
    """

    to_grid: Callable[[DeviceBatch], Grid]
    to_input: Callable[[jax.Array, jax.Array], jax.Array]
    mask_to_grid: Callable[[jax.Array, View], jax.Array]


def given_liver(batch: DeviceBatch) -> jax.Array:
    """The liver that the tumour stage works in, bool [B, H, W, 1]: a prediction, else the truth."""
    return batch["liver"] > 0 if "liver" in batch else liver_mask(batch["label"])
