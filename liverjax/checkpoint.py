"""Checkpoints on disk: the only module that knows Orbax, and one that knows no network.

A run's folder holds `checkpoints/<step>/` with four items: `model` (what inference needs),
`training` (what a resumed run needs besides), `config` and `manifest` (JSON).
"""

import contextlib
import json
import logging
import math
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from liverjax.errors import CheckpointError

FOLDER = "checkpoints"
_SCORE = "score"
_SEAL = "contents.json"


class Saved(NamedTuple):
    """The items of one checkpoint.

    Attributes:
        model: tree of arrays, the network's variables as evaluated.
        training: tree of arrays, the rest of the training state.
        config: JSON-ready, rebuilds the network and its preprocessing.
        manifest: JSON-ready, how the run came about.
    """

    model: Any
    training: Any
    config: dict[str, Any]
    manifest: dict[str, Any]


class LoadedModel(NamedTuple):
    """What inference reads of a checkpoint; `variables` is a tree of NumPy arrays."""

    variables: Any
    config: dict[str, Any]
    manifest: dict[str, Any]
    step: int


class Checkpoints:
    """The checkpoints of one run, open for writing; keeps the best and the latest."""

    def __init__(self, checkpointer: ocp.training.Checkpointer) -> None:
        self._checkpointer = checkpointer

    @property
    def latest_step(self) -> int | None:
        """Step of the newest checkpoint; None where there is none yet."""
        latest = self._checkpointer.latest
        return None if latest is None else latest.step

    @property
    def best_step(self) -> int | None:
        """Step with the highest score, else the newest; None where there is none yet."""
        return _best(self._checkpointer)

    def save(self, step: int, saved: Saved, score: float | None) -> None:
        """Writes a checkpoint; returns when it is complete on disk.

        Args:
            step: number of updates that the state has behind it.
            saved: the items.
            score: higher is better; None where nothing was validated.
        """
        metrics = None if score is None else {_SCORE: score}
        with _context():
            self._checkpointer.save_checkpointables(step, saved._asdict(), metrics=metrics)
        _seal(Path(self._checkpointer.directory) / str(step))

    def restore_training(self, step: int, model: Any, training: Any) -> tuple[Any, Any]:
        """Model and training items of `step`, shaped as the trees given.

        Raises:
            CheckpointError: what is stored has another structure or other shapes.
        """
        path = Path(self._checkpointer.directory) / str(step)
        _check_seal(path)
        wanted = jax.tree.map(np.asarray, {"model": model, "training": training})
        with _reading(path), _context():
            found = ocp.load_checkpointables(path, wanted)
        return found["model"], found["training"]


@contextlib.contextmanager
def open_checkpoints(run: Path) -> Iterator[Checkpoints]:
    """Opens (or creates) the checkpoints of the run in folder `run`."""
    policies = ocp.training.preservation_policies
    keep = policies.AnyPreservationPolicy(
        [
            policies.LatestN(1),
            policies.BestN(get_metric_fn=_score, n=1, keep_checkpoints_without_metrics=False),
        ]
    )
    # Every save that the loop asks for is wanted; Orbax would by default decide by itself.
    folder = _folder(run)
    with _reading(folder), _context():
        checkpointer = ocp.training.Checkpointer(folder, preservation_policy=keep)
    with _context(), checkpointer:
        yield Checkpoints(checkpointer)


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
        raise CheckpointError(f"{run}: no {FOLDER} folder here; give the workdir of a training run")
    with _reading(folder), _context(), ocp.training.Checkpointer(folder) as checkpointer:
        steps = [checkpoint.step for checkpoint in checkpointer.checkpoints]
        step = _best(checkpointer) if step is None else step
    if step is None or step not in steps:
        wanted = "(any)" if step is None else step
        raise CheckpointError(f"{run}: expected checkpoint {wanted}, found {steps}")
    path = folder / str(step)
    _check_seal(path)
    with _reading(path), _context():
        stored = ocp.checkpointables_metadata(path).metadata["model"]
        # As NumPy arrays the weights can be read where there is no device of the kind that they
        # were saved from.
        arrays = jax.tree.map(lambda leaf: np.empty(leaf.shape, leaf.dtype), stored)
        found = ocp.load_checkpointables(path, {"model": arrays, "config": None, "manifest": None})
    return LoadedModel(found["model"], found["config"], found["manifest"], step)


def _seal(path: Path) -> None:
    """Notes size and checksum of every file of a checkpoint that is complete."""
    contents = {
        str(file.relative_to(path)): [file.stat().st_size, zlib.crc32(file.read_bytes())]
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.name != _SEAL
    }
    temporary = path / f".{_SEAL}"
    temporary.write_text(json.dumps(contents))
    temporary.replace(path / _SEAL)


def _check_seal(path: Path) -> None:
    """Refuses a checkpoint whose files are not those that were sealed.

    Orbax would notice too, but only in the midst of reading in parallel, with a trace for each of
    its reads. A checkpoint without a seal, cut off before it was written, is left to Orbax.
    """
    if not (path / _SEAL).exists():
        return
    with _reading(path):
        contents = json.loads((path / _SEAL).read_text())
    for name, (size, checksum) in contents.items():
        file = path / name
        found = file.read_bytes() if file.is_file() else None
        if found is None or len(found) != size or zlib.crc32(found) != checksum:
            state = "missing" if found is None else f"damaged ({len(found)} of {size} bytes)"
            raise CheckpointError(
                f"{path}: {name} is {state}; copy the run anew, or delete this checkpoint to use "
                "an earlier one"
            )


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Says of whatever goes wrong on reading that `path` is damaged.

    Orbax has no common class for what damaged files raise, and logs and warns pages of each.
    """
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Exception as error:
        raise CheckpointError(
            f"{path}: damaged, incomplete or of another network ({type(error).__name__}); copy "
            "the run anew, or delete this checkpoint to use an earlier one"
        ) from error
    finally:
        logging.disable(disabled)


def _folder(run: Path) -> Path:
    run = run.absolute()
    return run if run.name == FOLDER else run / FOLDER


def _score(metrics: Any) -> float:
    return metrics[_SCORE]


def _best(checkpointer: ocp.training.Checkpointer) -> int | None:
    def rank(checkpoint: Any) -> tuple[float, int]:
        score = _score(checkpoint.metrics) if checkpoint.metrics else -math.inf
        return score, checkpoint.step

    return max(checkpointer.checkpoints, key=rank).step if checkpointer.checkpoints else None


def _context() -> ocp.Context:
    """JSON items as readable files; Orbax would store their numbers as arrays."""
    registry = ocp.handlers.local_registry()
    for name in ("config", "manifest"):
        registry.add(ocp.handlers.JsonHandler, checkpointable_name=name)
    context = ocp.Context()
    context.checkpointables.registry = registry
    return context
