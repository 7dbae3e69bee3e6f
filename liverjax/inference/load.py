"""From a checkpoint to a function on slices."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
from flax import linen as nn

from liverjax.checkpoint import load_model
from liverjax.config import ExperimentConfig, Stage, from_dict
from liverjax.errors import CheckpointError
from liverjax.models.build import build, logits_of
from liverjax.preprocess.stages import Preprocess, build_preprocess


class LoadedNetwork(NamedTuple):
    """One stage, ready to predict.

    Attributes:
        config: of the training run.
        manifest: of the training run, with the patients it was trained and selected on.
        probability: batch (see `Preprocess.to_grid`) -> float32 [B, H, W, 1] on the slices;
            jitted, so compiled once per shape.
    """

    config: ExperimentConfig
    manifest: dict[str, Any]
    probability: Callable[[Mapping[str, Any]], jax.Array]


def load_network(run: Path, stage: Stage, step: int | None = None) -> LoadedNetwork:
    """Loads the best checkpoint (or that of `step`) of the training run in `run`.

    Raises:
        CheckpointError: there is none, or it belongs to the other stage.
    """
    loaded = load_model(run, step)
    config = from_dict(ExperimentConfig, loaded.config, f"{run}: config")
    if config.stage is not stage:
        raise CheckpointError(
            f"{run}: expected a network of stage {stage.value}, found {config.stage.value}"
        )
    function = partial(
        _probability,
        model=build(config.model),
        preprocess=build_preprocess(config.preprocess, stage),
    )
    variables = jax.device_put(loaded.variables)
    return LoadedNetwork(config, loaded.manifest, partial(jax.jit(function), variables))


def _probability(
    variables: Any, batch: Mapping[str, jax.Array], *, model: nn.Module, preprocess: Preprocess
) -> jax.Array:
    grid = preprocess.to_grid(batch)
    logits = logits_of(model, variables, preprocess.to_input(grid))
    height, width = batch["image"].shape[1:3]
    return preprocess.to_slices(jax.nn.sigmoid(logits), grid.view, height, width)
