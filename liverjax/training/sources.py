"""Where batches come from: the interface that the loop needs, and what it expects of a source."""

from collections.abc import Iterator
from typing import Any, Protocol

from liverjax.batch import HostBatch
from liverjax.config import ExperimentConfig
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
    def seed(self) -> int:
        """What decides the order of every epoch of training."""
        ...

    @property
    def tumor_share(self) -> float:
        """See `liverjax.datasets.order`."""
        ...

    @property
    def liver_share(self) -> float:
        """See `liverjax.datasets.order`."""
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

    Where the slices are kept on the device, their order and batches follow from the configuration
    alone: a source that says otherwise would be disregarded there, or some of its slices lost.

    Raises:
        ConfigError: names the field, its value and what was found.
    """
    if config.patience and validation is None:
        raise ConfigError("config.patience: expected 0 without validation patients")
    asked = {
        "batch_size": config.batch_size,
        "seed": config.seed,
        "tumor_share": config.tumor_share,
        "liver_share": config.liver_share,
        "augment.copies": config.augment.copies,
    }
    for name, wanted in asked.items():
        _check_source(name, wanted, "training", train)
    if validation is not None:  # its order is that of the slices
        _check_source("batch_size", config.batch_size, "validation", validation)
        if validation.copies:
            raise ConfigError(
                "config.augment.copies: the validation source was made with copies; a network is "
                "judged on slices as they are"
            )


def _check_source(name: str, wanted: Any, side: str, source: BatchSource) -> None:
    """Refuses a source that was made with another value of a field than `wanted`."""
    found = getattr(source, name.rpartition(".")[2])
    if found != wanted:
        raise ConfigError(
            f"config.{name}: {wanted}, but the {side} source was made with {found}; give both "
            "the same"
        )
