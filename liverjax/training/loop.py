"""The host loop: epochs of steps, evaluation, metrics and checkpoints, resumed where it ended."""

import logging
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from tqdm import tqdm

from liverjax import config as config_lib
from liverjax.checkpoint import Checkpoints, Saved, load_model, open_checkpoints
from liverjax.config import ExperimentConfig
from liverjax.errors import ConfigError, TrainingError
from liverjax.io.atomic import make_folder
from liverjax.models.build import build
from liverjax.preprocess.stages import build_preprocess
from liverjax.training import metrics, step
from liverjax.training.augment.build import build_augment
from liverjax.training.log import MetricLog
from liverjax.training.losses import build_loss
from liverjax.training.optimizer import build_optimizer, build_schedule
from liverjax.training.prefetch import prefetch_to_device
from liverjax.training.sources import BatchSource, HostBatch
from liverjax.training.state import TrainState, create_state
from liverjax.validation import validate

_LOGGER = logging.getLogger(__name__)


class Program(NamedTuple):
    """An experiment's jitted functions and its first state."""

    train_step: Callable[[TrainState, HostBatch], tuple[TrainState, metrics.Sums]]
    eval_step: Callable[[TrainState, HostBatch], metrics.Sums]
    schedule: optax.Schedule
    state: TrainState


def build_program(config: ExperimentConfig, steps: int) -> Program:
    """Binds what `config` asks for to the pure steps, for a run of `steps` updates."""
    model = build(config.model)
    optimizer = build_optimizer(config.optimizer, steps)
    loss_fn = build_loss(config.loss)
    preprocess = build_preprocess(config.preprocess, config.stage)
    train = partial(
        step.train_step,
        model=model,
        optimizer=optimizer,
        loss_fn=loss_fn,
        augment_fn=build_augment(config.augment),
        preprocess=preprocess,
    )
    evaluate = partial(step.eval_step, model=model, loss_fn=loss_fn, preprocess=preprocess)
    return Program(
        train_step=jax.jit(train, donate_argnums=0),
        eval_step=jax.jit(evaluate),
        schedule=build_schedule(config.optimizer, steps),
        state=create_state(
            model,
            optimizer,
            seed=config.seed,
            size=config.preprocess.size,
            channels=config.preprocess.channels,
        ),
    )


def fit(
    config: ExperimentConfig,
    train: BatchSource,
    validation: BatchSource | None,
    run: Path,
    manifest: dict[str, Any],
) -> TrainState:
    """Trains, or goes on training, until `config.epochs` are done.

    Args:
        config: the experiment; a run that was begun with another is refused.
        train: batches to learn from.
        validation: batches to select the best checkpoint by (Dice over all their pixels);
            without it the latest counts as the best.
        run: folder for `checkpoints/`, `metrics.jsonl` and `events/`.
        manifest: JSON-ready facts that are kept beside the weights.

    Returns:
        The state after the last update.

    Raises:
        ConfigError: an impossible value, or `run` belongs to another configuration.
        TrainingError: the loss is not finite; names the step.
    """
    validate(config)
    make_folder(run)
    program = build_program(config, train.steps_per_epoch * config.epochs)
    with open_checkpoints(run) as checkpoints:
        state = _resume(config, program.state, checkpoints, run)
        done = int(state.step)
        first = done // train.steps_per_epoch
        if first >= config.epochs:
            return state
        bar = tqdm(
            total=config.epochs * train.steps_per_epoch,
            initial=done,
            unit="step",
            desc=config.stage.value,
            disable=None,
        )
        with MetricLog(run, done) as log, bar:
            for epoch in range(first, config.epochs):
                started = time.monotonic()
                state, record = _train_epoch(program, state, train.train_batches(epoch), bar)
                if validation is not None:
                    record |= _evaluate(program, state, validation)
                _check_state(state, record)
                record |= {"epoch": epoch + 1, "seconds": time.monotonic() - started}
                log.write(record)
                checkpoints.save(
                    int(state.step),
                    _to_saved(config, state, manifest),
                    record.get("validation_dice"),
                )
                _tell(config, record, bar)
    return state


def _train_epoch(
    program: Program, state: TrainState, batches: Iterator[HostBatch], bar: tqdm
) -> tuple[TrainState, dict[str, float]]:
    """One pass over the batches; the loss of a step is read while the next one runs."""
    sums: list[metrics.Sums] = []
    number = int(state.step)
    for batch in prefetch_to_device(batches):
        state, latest = program.train_step(state, batch)
        if sums:
            _check_finite(sums[-1], number + len(sums))
        sums.append(latest)
        bar.update()
    _check_finite(sums[-1], number + len(sums))
    summary = metrics.summarize(sums)
    done = int(state.step)
    return state, {
        "step": done,
        "learning_rate": float(program.schedule(done - 1)),
        **{f"train_{name}": value for name, value in summary.items()},
    }


def _evaluate(program: Program, state: TrainState, source: BatchSource) -> dict[str, float]:
    sums = [program.eval_step(state, batch) for batch in prefetch_to_device(source.eval_batches())]
    return {f"validation_{name}": value for name, value in metrics.summarize(sums).items()}


def _check_state(state: TrainState, record: dict[str, float]) -> None:
    """Refuses to keep a state that no run could go on from: the last update may have broken it."""
    broken = [name for name, value in record.items() if not np.isfinite(value)]
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params)):
        broken.append("a parameter")
    if broken:
        raise TrainingError(
            f"step {int(state.step)}: {broken[0]} is not finite. The checkpoints before it are "
            "intact; try a lower optimizer.learning_rate"
        )


def _check_finite(sums: metrics.Sums, number: int) -> None:
    loss = float(sums.loss)
    if not np.isfinite(loss):
        raise TrainingError(
            f"step {number}: the loss is {loss}. The checkpoints before it are intact; try a "
            "lower optimizer.learning_rate or look at the batch's HU"
        )


def _tell(config: ExperimentConfig, record: dict[str, float], bar: tqdm) -> None:
    names = ("train_loss", "train_dice", "validation_dice")
    shown = ", ".join(f"{name} {record[name]:.4f}" for name in names if name in record)
    bar.set_postfix_str(shown)
    _LOGGER.info("%s epoch %d/%d: %s", config.stage.value, record["epoch"], config.epochs, shown)


def _resume(
    config: ExperimentConfig, state: TrainState, checkpoints: Checkpoints, run: Path
) -> TrainState:
    """The newest checkpoint's state, or `state` where there is none."""
    latest = checkpoints.latest_step
    if latest is None:
        return state
    begun = config_lib.from_dict(ExperimentConfig, load_model(run, latest).config)
    refuse_other_config(run, begun, config)
    template = _to_saved(config, state, {})
    model, training = checkpoints.restore_training(latest, template.model, template.training)
    _LOGGER.info("%s: resumed after step %d", config.stage.value, latest)
    model, training = jax.tree.map(jax.numpy.asarray, (model, training))
    return TrainState(
        step=training["step"],
        params=model["params"],
        batch_stats=model["batch_stats"],
        opt_state=training["opt_state"],
        key=jax.random.wrap_key_data(training["key"]),
    )


def refuse_other_config(run: Path, begun: ExperimentConfig, config: ExperimentConfig) -> None:
    """Refuses to go on with a run under a configuration that it was not begun with.

    Raises:
        ConfigError: names the fields that differ.
    """
    changed = config_lib.differences(begun, config)
    if changed:
        raise ConfigError(
            f"{run} was begun with another configuration ({'; '.join(changed)}): "
            "give another workdir, or the first configuration"
        )


def _to_saved(config: ExperimentConfig, state: TrainState, manifest: dict[str, Any]) -> Saved:
    return Saved(
        model=state.variables,
        training={
            "step": state.step,
            "opt_state": state.opt_state,
            "key": jax.random.key_data(state.key),
        },
        config=config_lib.to_dict(config),
        manifest=manifest,
    )
