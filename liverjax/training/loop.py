"""The host loop: epochs of steps, evaluation, metrics and checkpoints, resumed where it ended."""

import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from liverjax.checkpoint import Checkpoints, open_checkpoints
from liverjax.config import ExperimentConfig
from liverjax.config_json import to_dict
from liverjax.errors import ConfigError, StoppedError, TrainingError
from liverjax.io.atomic import make_folder
from liverjax.io.lock import only_user
from liverjax.training import metrics
from liverjax.training.devices import (
    all_devices,
    anywhere,
    anywhere_after,
    check_devices,
    check_same_everywhere,
    is_first_process,
)
from liverjax.training.feed import TrainFeed, choose_feed, open_feed
from liverjax.training.interrupt import stop_requests
from liverjax.training.log import MetricLog, open_log, restore_metrics
from liverjax.training.program import Program, build_program
from liverjax.training.resume import Progress, restore, start_from, to_saved
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
        TrainingError: the loss is not finite; names the step.
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
            session = _Session(config, program, feed, checkpoints, log, manifest, asked)
            return _run_epochs(session, state, progress, steps)


def _alone(run: Path) -> contextlib.AbstractContextManager[None]:
    """Keeps other runs out of the folder; the first process does it for all of its run."""
    return only_user(run) if is_first_process() else contextlib.nullcontext()


def is_finished(config: ExperimentConfig, records: list[dict[str, float]]) -> bool:
    """Whether a run with these records has nothing left to do."""
    if len(records) >= config.epochs:
        return True
    scores = [record["validation_dice"] for record in records if "validation_dice" in record]
    return bool(config.patience) and len(scores) - _best(scores) >= config.patience


def _best(scores: list[float]) -> int:
    """Number of scores up to the best, itself included; the first of equals."""
    return int(np.argmax(scores)) + 1 if scores else 0


class _Session(NamedTuple):
    """What a run works with."""

    config: ExperimentConfig
    program: Program
    feed: TrainFeed
    checkpoints: Checkpoints
    log: MetricLog | None
    manifest: dict[str, Any]
    asked_to_stop: Callable[[], bool]


def _run_epochs(session: _Session, state: TrainState, progress: Progress, steps: int) -> TrainState:
    """The epochs of `steps` updates that are left, each ending in a record."""
    config = session.config
    bar = tqdm(
        total=config.epochs * steps,
        initial=int(state.step),
        unit="step",
        desc=config.stage.value,
        disable=None if is_first_process() else True,
    )
    with bar:
        while not is_finished(config, progress.records):
            started = time.monotonic()
            state = _train_epoch(session, state, progress, steps, bar)
            if int(state.step) < (len(progress.records) + 1) * steps:
                _save(session, state, progress, None)
                raise _stopped(config, state)
            record = _epoch_record(session, state, progress)
            record["seconds"] = time.monotonic() - started
            progress.records.append(record)
            progress.totals = np.zeros_like(progress.totals)
            asked = anywhere(session.asked_to_stop())
            if _is_evaluated(config, len(progress.records)) or asked:
                _save(session, state, progress, record.get("validation_dice"))
            if session.log is not None:
                session.log.write(record)
            _tell(config, record, bar)
            if asked and not is_finished(config, progress.records):
                raise _stopped(config, state)
    if len(progress.records) < config.epochs:
        _LOGGER.info(
            "%s: ended, no better validation Dice in %d evaluations",
            config.stage.value,
            config.patience,
        )
    return state


def _stopped(config: ExperimentConfig, state: TrainState) -> StoppedError:
    return StoppedError(
        f"{config.stage.value}: asked to stop, saved after step {int(state.step)}; the same "
        "command goes on from there"
    )


def _train_epoch(
    session: _Session, state: TrainState, progress: Progress, steps: int, bar: tqdm
) -> TrainState:
    """The updates left of the current epoch, or those up to a request to stop.

    Their sums go to `progress.totals`; those of a group are read while the next group runs.
    """
    epoch = len(progress.records)
    done = int(state.step)
    pending: metrics.Sums | None = None
    groups = session.feed.train(state, epoch, done - epoch * steps)
    for number, (after, sums) in enumerate(groups, start=1):
        state = after
        if pending is not None:
            done = _count(progress, pending, done)
        pending = sums
        bar.update(len(sums.loss))
        if anywhere_after(number, session.asked_to_stop()):
            break
    if pending is not None:
        _count(progress, pending, done)
    return state


def _count(progress: Progress, sums: metrics.Sums, done: int) -> int:
    """Adds a group of steps to the epoch's totals; gives back the number of updates so far.

    Raises:
        TrainingError: the loss of one of them is not finite.
    """
    for offset, loss in enumerate(np.asarray(sums.loss)):
        if not np.isfinite(loss):
            raise TrainingError(
                f"step {done + offset + 1}: the loss is {loss}. The checkpoints before it are "
                "intact; try a lower optimizer.learning_rate or look at the batch's HU"
            )
    progress.totals = metrics.accumulate(progress.totals, sums)
    return done + len(sums.loss)


def _is_evaluated(config: ExperimentConfig, epoch: int) -> bool:
    """Whether the networks are judged and kept after `epoch` (from 1)."""
    return epoch % config.evaluate_every == 0 or epoch == config.epochs


def _epoch_record(session: _Session, state: TrainState, progress: Progress) -> dict[str, float]:
    """The figures of the epoch that has just ended."""
    epoch, done = len(progress.records) + 1, int(state.step)
    record = {
        "step": done,
        "epoch": epoch,
        "learning_rate": float(session.program.schedule(done - 1)),
        **{f"train_{name}": value for name, value in metrics.summarize(progress.totals).items()},
    }
    if _is_evaluated(session.config, epoch):
        totals = np.zeros_like(progress.totals)
        for sums in session.feed.evaluate(state):
            totals = metrics.accumulate(totals, sums)
        if totals.any():
            summary = metrics.summarize(totals)
            record |= {f"validation_{name}": value for name, value in summary.items()}
    return record


def _save(session: _Session, state: TrainState, progress: Progress, score: float | None) -> None:
    """Keeps a state, unless no run could go on from it: the last update may have broken it."""
    figures = progress.records[-1] if progress.records else {}
    broken = [name for name, value in figures.items() if not np.isfinite(value)]
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params)):
        broken.append("a parameter")
    if broken:
        raise TrainingError(
            f"step {int(state.step)}: {broken[0]} is not finite. The checkpoints before it are "
            "intact; try a lower optimizer.learning_rate"
        )
    saved = to_saved(session.config, state, progress, session.manifest)
    session.checkpoints.save(int(state.step), saved, score)


def _tell(config: ExperimentConfig, record: dict[str, float], bar: tqdm) -> None:
    if not is_first_process():
        return
    names = ("train_loss", "train_dice", "validation_dice")
    shown = ", ".join(f"{name} {record[name]:.4f}" for name in names if name in record)
    bar.set_postfix_str(shown)
    _LOGGER.info("%s epoch %d/%d: %s", config.stage.value, record["epoch"], config.epochs, shown)
