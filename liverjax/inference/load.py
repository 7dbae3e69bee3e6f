"""From a checkpoint to a function on slices."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
from flax import linen as nn

from liverjax.checkpoint import FOLDER, LoadedModel, load_model
from liverjax.choices import Stage
from liverjax.config import ExperimentConfig
from liverjax.config_json import from_dict
from liverjax.errors import CheckpointError, ConfigError
from liverjax.inference.calibration import Calibration, find_calibration
from liverjax.inference.postprocess import Postprocess
from liverjax.models.build import build, logits_of
from liverjax.preprocess.grid import Preprocess
from liverjax.preprocess.stages import build_preprocess
from liverjax.trees import mismatches
from liverjax.validation import validate


class Shipped(NamedTuple):
    """Which weights of a bundle a network has; see `liverjax.inference.bundle`.

    Attributes:
        version: of the bundle.
        sha256: of the file that holds the weights, in hex.
    """

    version: str
    sha256: str


class LoadedNetwork(NamedTuple):
    """One stage, ready to predict.

    Attributes:
        config: of the training run.
        manifest: of the training run, with the patients it was trained and selected on.
        probability: batch (see `Preprocess.to_grid`) -> float32 [B, H, W, 1] on the slices;
            jitted, so compiled once per shape.
        postprocess: what was chosen for this checkpoint, or the defaults.
        run: the workdir that it was loaded from, or its folder in a bundle; None where there is
            none.
        step: of the checkpoint; None where it was not loaded from one.
        fingerprint: of the checkpoint, likewise; in a bundle of the one that was shipped.
        calibration: where `postprocess` was chosen, how; None where it is the default.
        shipped: where it was loaded from a bundle, from which.
    """

    config: ExperimentConfig
    manifest: dict[str, Any]
    probability: Callable[[Mapping[str, Any]], jax.Array]
    postprocess: Postprocess = Postprocess()
    run: Path | None = None
    step: int | None = None
    fingerprint: str | None = None
    calibration: Calibration | None = None
    shipped: Shipped | None = None


def load_network(
    run: Path, stage: Stage, step: int | None = None, *, calibrated: bool = True
) -> LoadedNetwork:
    """Loads the best checkpoint (or that of `step`) of the training run in `run`.

    With `calibrated`, it comes with what `experiments.calibrate` chose for it.

    Raises:
        CheckpointError: there is none, it is damaged, or it belongs to the other stage.
    """
    loaded = load_model(run, step)
    workdir = run.parent if run.name == FOLDER else run
    network = rebuild_network(run, loaded, stage)._replace(run=workdir)
    return with_calibration(
        network, find_calibration(workdir, loaded.fingerprint) if calibrated else None
    )


def rebuild_network(where: Path, loaded: LoadedModel, stage: Stage) -> LoadedNetwork:
    """The network that stored weights are of, uncalibrated.

    Args:
        where: they were read, for messages.
        loaded: weights and configuration.
        stage: that is expected.

    Raises:
        CheckpointError: the configuration is damaged, of the other stage, or of other weights.
    """
    try:
        config = from_dict(ExperimentConfig, loaded.config)
        validate(config)
    except ConfigError as error:
        raise CheckpointError(f"{where}: its stored configuration is damaged: {error}") from error
    if config.stage is not stage:
        raise CheckpointError(
            f"{where}: expected a network of stage {stage.value}, found {config.stage.value}"
        )
    model = build(config.model)
    _check_shapes(where, model, config, loaded.variables)
    bound = bind_network(config, loaded.manifest, model, loaded.variables)
    return bound._replace(step=loaded.step, fingerprint=loaded.fingerprint)


def with_calibration(network: LoadedNetwork, chosen: Calibration | None) -> LoadedNetwork:
    """A network with what was chosen for it; with the defaults where nothing was."""
    postprocess = chosen.chosen if chosen else Postprocess()
    return network._replace(postprocess=postprocess, calibration=chosen)


def load_networks(
    runs: Mapping[Stage, Path], *, calibrated: bool = True
) -> dict[Stage, LoadedNetwork]:
    """Both networks from their workdirs; see `load_network`."""
    return {stage: load_network(run, stage, calibrated=calibrated) for stage, run in runs.items()}


def bind_network(
    config: ExperimentConfig, manifest: dict[str, Any], model: nn.Module, variables: Any
) -> LoadedNetwork:
    """A network that predicts with these weights; see `LoadedNetwork`."""
    preprocess = build_preprocess(config.preprocess, config.stage)
    function = jax.jit(partial(_probability, model=model, preprocess=preprocess))
    return LoadedNetwork(config, manifest, partial(function, jax.device_put(variables)))


def _check_shapes(
    where: Path, model: nn.Module, config: ExperimentConfig, variables: Mapping[str, Any]
) -> None:
    """Refuses weights that are not those of the network that their configuration names."""
    size, channels = config.preprocess.size, config.preprocess.input_channels
    images = jax.ShapeDtypeStruct((1, size, size, channels), "float32")
    # Training uses every part of a network, inference may not.
    init = partial(model.init, train=True)
    expected = jax.eval_shape(init, jax.random.key(0), images)
    lines = mismatches(expected, {name: tree for name, tree in variables.items() if tree})
    if lines:
        raise CheckpointError(f"{where}: not the weights of its stored configuration: {lines[0]}")


def _probability(
    variables: Any, batch: Mapping[str, jax.Array], *, model: nn.Module, preprocess: Preprocess
) -> jax.Array:
    grid = preprocess.to_grid(batch)
    logits = logits_of(model, variables, preprocess.to_input(grid.image, grid.region))
    height, width = batch["image"].shape[1:3]
    return preprocess.to_slices(jax.nn.sigmoid(logits), grid.view, height, width)
