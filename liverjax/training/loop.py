"""A training run on the host: begun, or gone on with where it ended."""

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from liverjax.checkpoint import open_checkpoints
from liverjax.config import ExperimentConfig
from liverjax.config_json import to_dict
from liverjax.errors import ConfigError
from liverjax.io.atomic import make_folder
from liverjax.io.lock import only_user
from liverjax.training.devices import (
    all_devices,
    check_devices,
    check_same_everywhere,
    is_first_process,
)
from liverjax.training.epochs import Session, is_finished, run_epochs
from liverjax.training.feed import choose_feed, open_feed
from liverjax.training.interrupt import stop_requests
from liverjax.training.log import open_log, restore_metrics
from liverjax.training.program import build_program
from liverjax.training.resume import Progress, restore, start_from
from liverjax.training.sources import BatchSource, check_sources
from liverjax.training.state import TrainState
from liverjax.validation import validate

_LOGGER = logging.getLogger(__name__)

# Gives a run's manifest, see `fit`.
Begin = Callable[[int | None, bool], dict[str, Any]]


def fit(
    config: ExperimentConfig,
    train: BatchSource,
    validation: BatchSource | None,
    run: Path,
    manifest: dict[str, Any] | Begin,
    initial: Path | None = None,
) -> TrainState:
    """Trains, or goes on training, until `config.epochs` are done or patience is at its end.

    Args:
        config: the experiment; a run that was begun with another is refused.
        train: batches to learn from.
        validation: batches to select the best checkpoint by (Dice over all their pixels);
            without it the latest counts as the best.
        run: folder for `checkpoints/`, `metrics.jsonl` and `events/`.
        manifest: JSON-ready facts that are kept beside the weights; or what gives them, once no
            other process can write to `run`, for the step that the run goes on from (None for a
            new one) and whether nothing is left to do.
        initial: workdir of a run on the same patients, for a new run to start from its weights and
            not from those of `config.init_from`.

    Returns:
        The state after the last update.

    Raises:
        ConfigError: an impossible value, `run` belongs to another configuration, or a source does.
        InputError: another process is training in `run`.
        CheckpointError: a checkpoint cannot be written, or initial weights do not fit.
        TrainingError: the loss or a weight is not finite; names the step.
        StoppedError: the process was asked to stop; what was done is saved.
    """
    validate(config)
    check_devices(config)
    check_sources(config, train, validation)
    steps = train.steps_per_epoch
    check_same_everywhere({"configuration": to_dict(config), "steps per epoch": steps})
    make_folder(run)
    devices = all_devices()
    program = build_program(config, steps * config.epochs, devices.everywhere)
    with _alone(run), open_checkpoints(run) as checkpoints, stop_requests() as asked:
        resumed = restore(config, program.state, checkpoints, run, devices)
        state, progress = resumed or (
            program.state,
            Progress(choose_feed(config, train, validation)),
        )
        finished = is_finished(config, progress.records)
        if callable(manifest):
            manifest = manifest(int(state.step) if resumed else None, finished)
        if config.pretrain.epochs and not (initial or resumed):
            raise ConfigError(
                f"config.pretrain.epochs: {config.pretrain.epochs}, but there are no weights of "
                "such epochs to start from; train them first, or set it to 0"
            )
        if initial and not resumed:
            state = start_from(initial, None, state, devices)
        elif config.init_from and not resumed:
            earlier = manifest.get("initial") or {}
            state = start_from(Path(config.init_from), earlier.get("step"), state, devices)
        if finished:
            _LOGGER.info("%s: nothing left to do", config.stage.value)
            if is_first_process():
                restore_metrics(run, progress.records)
            return state
        _LOGGER.info("%s: %s slices", config.stage.value, progress.feed.value)
        feed = open_feed(progress.feed, config, program, train, validation, devices)
        with open_log(run, progress.records, int(state.step)) as log:
            session = Session(config, program, feed, checkpoints, log, manifest, asked)
            return run_epochs(session, state, progress, steps)


def _alone(run: Path) -> contextlib.AbstractContextManager[None]:
    """Keeps other runs out of the folder; the first process does it for all of its run."""
    return only_user(run) if is_first_process() else contextlib.nullcontext()
