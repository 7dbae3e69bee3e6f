"""What stands between HU slices and each network: one place for training and inference."""

from functools import partial

import jax.numpy as jnp

from liverjax.batch import DeviceBatch
from liverjax.choices import Recipe, Stage
from liverjax.config import PreprocessConfig
from liverjax.labels import liver_mask, tumor_mask
from liverjax.preprocess import resize
from liverjax.preprocess.grid import Example, GridRecipe, Preprocess
from liverjax.preprocess.thesis import thesis_recipe
from liverjax.preprocess.window import window_recipe


def build_preprocess(config: PreprocessConfig, stage: Stage) -> Preprocess:
    """The functions for `stage`, to be traced inside the jitted step."""
    recipes = {Recipe.WINDOW: window_recipe, Recipe.THESIS: thesis_recipe}
    recipe = recipes[config.recipe](config, stage)
    return Preprocess(
        to_grid=recipe.to_grid,
        to_example=partial(_to_example, recipe, stage),
        to_input=recipe.to_input,
        to_slices=resize.restore,
    )


def _to_example(recipe: GridRecipe, stage: Stage, batch: DeviceBatch) -> Example:
    """See `Preprocess`."""
    sought = {Stage.LIVER: liver_mask, Stage.TUMOR: tumor_mask}[stage]
    grid, label = recipe.to_grid(batch), batch["label"]
    target = recipe.mask_to_grid(sought(label), grid.view)
    masks = jnp.concatenate([grid.region, target], axis=-1)
    return Example(grid.image, masks)
