"""Where batches come from: the interface that the loop needs, and a source held in memory."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from liverjax.batch import HostBatch
from liverjax.errors import InputError


class BatchSource(Protocol):
    """Batches of HU slices, the same at every call with the same arguments.

    See `liverjax.batch`.
    """

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in `train_batches`."""
        ...

    def train_batches(self, epoch: int) -> Iterator[HostBatch]:
        """Shuffled anew for each epoch; full batches only."""
        ...

    def eval_batches(self) -> Iterator[HostBatch]:
        """Every slice once, in order; the last batch is padded."""
        ...


class InMemorySource:
    """A `BatchSource` over arrays.

    Args:
        images: int16 [N, H, W, 1], HU.
        labels: uint8 [N, H, W, 1].
        batch_size: slices per batch.
        seed: decides the order of every epoch.

    Raises:
        InputError: the arrays do not belong together, or are fewer than one batch.
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, *, batch_size: int, seed: int
    ) -> None:
        if images.ndim != 4 or images.shape != labels.shape:
            raise InputError(
                f"expected images and labels [N, H, W, 1], found {images.shape}, {labels.shape}"
            )
        if len(images) < batch_size:
            raise InputError(f"{len(images)} slices do not fill one batch of {batch_size}")
        self._images, self._labels = images, labels
        self._batch_size, self._seed = batch_size, seed

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in the arrays."""
        return len(self._images) // self._batch_size

    def train_batches(self, epoch: int) -> Iterator[HostBatch]:
        """See `BatchSource`."""
        order = np.random.default_rng((self._seed, epoch)).permutation(len(self._images))
        for step in range(self.steps_per_epoch):
            yield self._batch(order[step * self._batch_size : (step + 1) * self._batch_size])

    def eval_batches(self) -> Iterator[HostBatch]:
        """See `BatchSource`."""
        for start in range(0, len(self._images), self._batch_size):
            yield self._batch(np.arange(start, min(start + self._batch_size, len(self._images))))

    def _batch(self, indices: np.ndarray) -> HostBatch:
        missing = self._batch_size - len(indices)
        padded = np.pad(indices, (0, missing), mode="edge")
        weight = np.pad(np.ones(len(indices), np.float32), (0, missing))
        return {"image": self._images[padded], "label": self._labels[padded], "weight": weight}
