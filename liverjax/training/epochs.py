"""The epochs of a run: updates, evaluation, a record of metrics, a checkpoint, until the last."""

import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from liverjax.checkpoint import Checkpoints
from liverjax.config import ExperimentConfig
from liverjax.errors import StoppedError, TrainingError
from liverjax.training import metrics
from liverjax.training.devices import anywhere, anywhere_after, is_first_process
from liverjax.training.feed import TrainFeed
from liverjax.training.log import MetricLog
from liverjax.training.program import Program
from liverjax.training.resume import Progress, to_saved
from liverjax.training.state import TrainState

_LOGGER = logging.getLogger(__name__)


def is_finished(config: ExperimentConfig, records: list[dict[str, float]]) -> bool:
    """Whether a run with these records has nothing left to do."""
    if len(records) >= config.epochs:
        return True
    scores = [record["validation_dice"] for record in records if "validation_dice" in record]
    return bool(config.patience) and len(scores) - _best(scores) >= config.patience


def _best(scores: list[float]) -> int:
    """Number of scores up to the best, itself included; the first of equals."""
    return int(np.argmax(scores)) + 1 if scores else 0


class Session(NamedTuple):
    """What a run works with.

    Attributes:
        config: the experiment.
        program: what is compiled of it.
        feed: where the batches of an epoch come from.
        checkpoints: of the run, open.
        log: of its metrics; None for all processes but the first.
        manifest: JSON-ready facts that are kept beside the weights.
        asked_to_stop: whether somebody has asked this process to stop.
    """

    config: ExperimentConfig
    program: Program
    feed: TrainFeed
    checkpoints: Checkpoints
    log: MetricLog | None
    manifest: dict[str, Any]
    asked_to_stop: Callable[[], bool]


def run_epochs(session: Session, state: TrainState, progress: Progress, steps: int) -> TrainState:
    """Does the epochs of `steps` updates that are left, each ending in a record.

    Args:
        session: what the run works with.
        state: after the last update so far.
        progress: up to there; grows with the run.
        steps: updates per epoch.

    Returns:
        The state after the last update.

    Raises:
        CheckpointError: a checkpoint cannot be written.
        TrainingError: the loss or a weight is not finite; names the step.
        StoppedError: the process was asked to stop; what was done is saved.
    """
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
    session: Session, state: TrainState, progress: Progress, steps: int, bar: tqdm
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


def _epoch_record(session: Session, state: TrainState, progress: Progress) -> dict[str, float]:
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


def _save(session: Session, state: TrainState, progress: Progress, score: float | None) -> None:
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
