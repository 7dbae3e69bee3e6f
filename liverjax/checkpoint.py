"""Checkpoints on disk: the only module that knows Orbax, and one that knows no network.

A run's folder holds `checkpoints/<step>/` with five items: `model` (what inference needs),
`training` (what a resumed run needs besides), `config`, `manifest` and `progress` (JSON). A seal
is written last: a checkpoint without one is incomplete.
"""

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils
from orbax.checkpoint import v1 as ocp

from liverjax.errors import CheckpointError, InputError
from liverjax.io import seal
from liverjax.io.atomic import make_folder
from liverjax.io.failures import cause, outlasting_threads, silence

FOLDER = "checkpoints"
_SCORE = "score"


class Saved(NamedTuple):
    """The items of one checkpoint.

    Attributes:
        model: tree of arrays, the network's variables as evaluated.
        training: tree of arrays, the rest of the training state.
        config: JSON-ready, rebuilds the network and its preprocessing.
        manifest: JSON-ready, how the run came about.
        progress: JSON-ready, what the run has logged so far.
    """

    model: Any
    training: Any
    config: dict[str, Any]
    manifest: dict[str, Any]
    progress: dict[str, Any]


class LoadedModel(NamedTuple):
    """What inference reads of a checkpoint.

    Attributes:
        variables: tree of NumPy arrays.
        config, manifest: see `Saved`.
        step: number of updates behind it.
        fingerprint: equal for equal checkpoints.
    """

    variables: Any
    config: dict[str, Any]
    manifest: dict[str, Any]
    step: int
    fingerprint: str


class Checkpoints:
    """The checkpoints of one run, open for writing; keeps the best and the latest two.

    The last but one is there for when the latest is found to be damaged.
    """

    def __init__(self, checkpointer: ocp.training.Checkpointer) -> None:
        self._checkpointer = checkpointer
        self._folder = Path(checkpointer.directory)

    @property
    def latest_step(self) -> int | None:
        """Step of the newest checkpoint; None where there is none yet."""
        latest = self._checkpointer.latest
        return None if latest is None else latest.step

    @property
    def best_step(self) -> int | None:
        """Step with the highest score, else the newest; None where there is none yet."""
        return _best(self._checkpointer.checkpoints, self._folder)

    def save(self, step: int, saved: Saved, score: float | None) -> None:
        """Writes a checkpoint; returns when it is complete on disk.

        Args:
            step: number of updates that the state has behind it.
            saved: the items.
            score: higher is better; None where nothing was validated.
        """
        metrics = None if score is None else {_SCORE: score}
        try:
            with silence(), _context(), outlasting_threads():
                self._checkpointer.save_checkpointables(step, saved._asdict(), metrics=metrics)
            if jax.process_index() == 0:
                seal.seal(self._folder / str(step))
        except Exception as error:
            raise CheckpointError(
                f"{self._folder}: the checkpoint of step {step} cannot be written "
                f"({cause(error)}); those before it are intact. Make room and start the same "
                "command again"
            ) from error

    def read_facts(self, step: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """The configuration that the checkpoint of `step` was written under, and its progress."""
        found = self._load(step, {"config": None, "progress": None})
        return found["config"], found["progress"]

    def restore(self, step: int, model: Any, training: Any) -> tuple[Any, Any]:
        """Model and training items of `step`; arrays shaped as the trees given, in NumPy.

        Raises:
            CheckpointError: what is stored has another structure or other shapes.
        """
        arrays = jax.tree.map(
            lambda leaf: np.empty(leaf.shape, leaf.dtype), {"model": model, "training": training}
        )
        found = self._load(step, arrays)
        return found["model"], found["training"]

    def _load(self, step: int, items: dict[str, Any]) -> dict[str, Any]:
        path = self._folder / str(step)
        with _reading(path), _context():
            return ocp.load_checkpointables(path, items)


@contextlib.contextmanager
def open_checkpoints(run: Path) -> Iterator[Checkpoints]:
    """Opens (or creates) the checkpoints of the run in folder `run`, as far as they are whole.

    Raises:
        CheckpointError: they cannot be read.
        InputError: what is not whole cannot be put out of the way.
    """
    policies = ocp.training.preservation_policies
    keep = policies.AnyPreservationPolicy(
        [
            policies.LatestN(2),
            policies.BestN(get_metric_fn=_score, n=1, keep_checkpoints_without_metrics=False),
        ]
    )
    # Every save that the loop asks for is wanted; Orbax would by default decide by itself.
    folder = make_folder(_folder(run))
    if jax.process_index() == 0:
        seal.drop_incomplete(folder)
        seal.set_damaged_aside(folder)
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("incomplete checkpoints dropped")
    with _reading(folder), _context():
        checkpointer = ocp.training.Checkpointer(folder, preservation_policy=keep)
    try:
        yield Checkpoints(checkpointer)
    except BaseException:
        # A write that failed would fail again on closing, and hide what was said of it.
        with silence(), _context(), contextlib.suppress(Exception), outlasting_threads():
            checkpointer.close()
        if jax.process_index() == 0:
            # The error on its way says more than one of this.
            with contextlib.suppress(OSError, InputError):
                seal.drop_incomplete(folder)
        raise
    with _context():
        checkpointer.close()


def load_model(run: Path, step: int | None = None) -> LoadedModel:
    """Reads a run's model for inference, on any device.

    Args:
        run: folder of the run, or its `checkpoints` folder.
        step: which one; by default the best.

    Raises:
        CheckpointError: there is no such checkpoint, or it is incomplete.
    """
    folder = _folder(run)
    if not folder.is_dir():
        missing = f"no {FOLDER} folder here" if run.exists() else "does not exist"
        raise CheckpointError(f"{run}: {missing}; give the workdir of a training run")
    with _reading(folder), _context(), ocp.training.Checkpointer(folder) as checkpointer:
        # One that is being written at this moment has no seal yet.
        complete = [
            checkpoint
            for checkpoint in checkpointer.checkpoints
            if seal.is_sealed(folder / str(checkpoint.step))
        ]
    steps = [checkpoint.step for checkpoint in complete]
    step = _best(complete, folder) if step is None else step
    if step is None or step not in steps:
        wanted = "(any)" if step is None else step
        raise CheckpointError(f"{run}: expected checkpoint {wanted}, found {steps}")
    path = folder / str(step)
    _check(path)
    with _reading(path), _context():
        stored = ocp.checkpointables_metadata(path).metadata["model"]
        # As NumPy arrays the weights can be read where there is no device of the kind that they
        # were saved from.
        arrays = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), stored)
        found = ocp.load_checkpointables(path, {"model": arrays, "config": None, "manifest": None})
    return LoadedModel(
        found["model"], found["config"], found["manifest"], step, seal.fingerprint(path)
    )


def _check(path: Path) -> None:
    """Refuses a checkpoint whose files are not those that were sealed.

    Orbax would notice too, but only in the midst of reading in parallel, with a trace for each of
    its reads.
    """
    found = seal.damage(path)
    if found:
        raise CheckpointError(
            f"{path}: {found}; copy the run anew, or delete this checkpoint to use an earlier one"
        )


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Says of whatever goes wrong on reading that `path` is damaged.

    Orbax has no common class for what damaged files raise.
    """
    try:
        with silence(), outlasting_threads():
            yield
    except Exception as error:
        raise CheckpointError(
            f"{path}: damaged, incomplete or of another network ({type(error).__name__}); copy "
            "the run anew, or delete this checkpoint to use an earlier one"
        ) from error


def _folder(run: Path) -> Path:
    run = run.absolute()
    return run if run.name == FOLDER else run / FOLDER


def _score(metrics: Any) -> float:
    return metrics[_SCORE]


def _best(checkpoints: Sequence[Any], folder: Path) -> int | None:
    """Step with the highest score, of equal ones the latest; those without one come last."""

    def rank(checkpoint: Any) -> tuple[float, int]:
        """Its score and step; a score that is not a number is the lowest."""
        try:
            score = float(_score(checkpoint.metrics)) if checkpoint.metrics else -math.inf
        except (LookupError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{folder / str(checkpoint.step)}: {_SCORE}: expected a number, found "
                f"{checkpoint.metrics!r:.80}; copy the run anew, or delete this checkpoint"
            ) from error
        return -math.inf if math.isnan(score) else score, checkpoint.step

    return max(checkpoints, key=rank).step if checkpoints else None


def _context() -> ocp.Context:
    """JSON items as readable files; Orbax would store their numbers as arrays."""
    registry = ocp.handlers.local_registry()
    for name in ("config", "manifest", "progress"):
        registry.add(ocp.handlers.JsonHandler, checkpointable_name=name)
    context = ocp.Context()
    context.checkpointables.registry = registry
    return context
