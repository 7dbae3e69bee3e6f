"""Where batches come from: the interface that the loop needs, and a source held in memory."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from liverjax.batch import HostBatch
from liverjax.config import ExperimentConfig
from liverjax.datasets.copies import list_copies
from liverjax.datasets.planned import PlannedSource
from liverjax.errors import ConfigError, InputError
from liverjax.labels import tumor_mask


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


class InMemorySource(PlannedSource):
    """A `BatchSource` over arrays, in the order in which an epoch on the device would go.

    Args:
        images: int16 [N, H, W, K], HU.
        labels: uint8 [N, H, W, 1].
        spacing: float32 [N, 2], mm; None where unknown.
        batch_size, seed, tumor_share, copies, share: see `PlannedSource`.

    Raises:
        InputError: the arrays do not belong together.
        ConfigError: they are fewer than one batch, or a batch cannot be divided by `share`.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        spacing: np.ndarray | None = None,
        *,
        batch_size: int,
        seed: int,
        tumor_share: float = 0.0,
        copies: bool = False,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        if images.ndim != 4 or (*images.shape[:3], 1) != labels.shape:
            raise InputError(
                "expected images [N, H, W, K] and labels [N, H, W, 1], found "
                f"{images.shape}, {labels.shape}"
            )
        super().__init__(
            batch_size=batch_size, seed=seed, tumor_share=tumor_share, copies=copies, share=share
        )
        unknown = np.zeros((len(images), 2), np.float32)
        self._images, self._labels = images, labels
        self._spacing = unknown if spacing is None else np.asarray(spacing, np.float32)
        self._tumors = np.any(tumor_mask(labels), axis=(1, 2, 3))
        self._slices, self._copy = np.arange(len(images)), np.zeros(len(images), np.int32)
        if copies:
            self._slices, self._copy = list_copies(self._tumors)
        if self.num_slices < batch_size:
            raise ConfigError(
                f"config.batch_size: expected at most {self.num_slices} (the slices there are), "
                f"found {batch_size}"
            )

    @property
    def num_slices(self) -> int:
        """Number of the arrays' slices and their copies."""
        return len(self._slices)

    def _shows_tumor(self) -> np.ndarray:
        return self._tumors[self._slices]

    def _batches(self, plan: np.ndarray) -> Iterator[HostBatch]:
        """See `PlannedSource`; padding is the last slice."""
        for rows in plan:
            chosen = self._slices[rows]
            batch = {
                "image": self._images[chosen],
                "label": self._labels[chosen],
                "spacing": self._spacing[chosen],
                "weight": (rows >= 0).astype(np.float32),
            }
            if self.copies:
                batch["copy"] = np.where(rows < 0, 0, self._copy[rows])
            yield batch
