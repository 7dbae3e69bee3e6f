"""Where batches come from: the interface that the loop needs, and what it expects of a source."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from liverjax.batch import HostBatch
from liverjax.config import ExperimentConfig
from liverjax.datasets.order import Sampling
from liverjax.errors import ConfigError


class BatchSource(Protocol):
    """Batches of HU slices, the same at every call with the same arguments.

    What a batch holds is said in `liverjax.batch`. Where several processes train together, each
    source gives its share of every batch.
    """

    @property
    def batch_size(self) -> int:
        """Slices per batch, over all processes."""
        ...

    @property
    def sampling(self) -> Sampling:
        """What decides which slices an epoch of training sees, and in what order."""
        ...

    @property
    def copies(self) -> bool:
        """Whether slices with tumour come with copies, see `liverjax.datasets.copies`."""
        ...

    @property
    def num_slices(self) -> int:
        """Slices in an epoch of evaluation, copies among them, over all processes."""
        ...

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in `train_batches`."""
        ...

    def plan(self, epoch: int) -> np.ndarray:
        """int32 [steps_per_epoch, batch_size]: which slices `train_batches` brings.

        They are counted as `eval_batches` brings them, over all processes, and the same in each.
        """
        ...

    def train_batches(self, epoch: int, start: int = 0) -> Iterator[HostBatch]:
        """Shuffled anew for each epoch, full batches only; the first `start` are left out."""
        ...

    def eval_batches(self) -> Iterator[HostBatch]:
        """Every slice once, in order; the last batch is padded."""
        ...


def check_sources(
    config: ExperimentConfig, train: BatchSource, validation: BatchSource | None
) -> None:
    """Refuses sources that were made for another configuration, or that lack what it needs.

    The record of a run tells its configuration, and the run is to be what that says.

    Raises:
        ConfigError: names the field, its value and what was found.
    """
    if config.patience and validation is None:
        raise ConfigError("config.patience: expected 0 without validation patients")
    _check_source("batch_size", config.batch_size, "training", train.batch_size)
    for name, found in train.sampling._asdict().items():
        _check_source(name, getattr(config, name), "training", found)
    _check_source("augment.copies", config.augment.copies, "training", train.copies)
    if validation is not None:  # its order is that of the slices
        _check_source("batch_size", config.batch_size, "validation", validation.batch_size)
        if validation.copies:
            raise ConfigError(
                "config.augment.copies: the validation source was made with copies; a network is "
                "judged on slices as they are"
            )


def _check_source(name: str, wanted: Any, side: str, found: Any) -> None:
    """Refuses a source that was made with another value of a field than `wanted`."""
    if found != wanted:
        raise ConfigError(
            f"config.{name}: {wanted}, but the {side} source was made with {found}; give both "
            "the same"
        )
