"""Batches in the order of `liverjax.datasets.order`, whoever gives their pixels."""

import abc
from collections.abc import Iterator

import numpy as np

from liverjax.batch import HostBatch
from liverjax.datasets.order import Sampling, Shown, epoch_plan, eval_plan, own_rows
from liverjax.errors import ConfigError


class PlannedSource(abc.ABC):
    """Slices in batches, the same at every call with the same arguments.

    Args:
        batch_size: slices per batch, over all processes.
        sampling: which slices are seen how often, and in what order.
        copies: whether slices with tumour come with those of `liverjax.datasets.copies`.
        share: number of this process and how many there are; each gives its own
            batch_size / count rows of every batch.

    Raises:
        ConfigError: a batch cannot be divided by the processes.
    """

    def __init__(
        self,
        *,
        batch_size: int,
        sampling: Sampling,
        copies: bool,
        share: tuple[int, int],
    ) -> None:
        own_rows(np.empty((0, batch_size)), share)
        self.batch_size = batch_size
        self.sampling = sampling
        self.copies = copies
        self._share = share

    @property
    @abc.abstractmethod
    def num_slices(self) -> int:
        """Slices in an epoch of evaluation, copies among them, over all processes."""

    @abc.abstractmethod
    def _shown(self) -> Shown:
        """Of `num_slices` slices."""

    @abc.abstractmethod
    def _batches(self, plan: np.ndarray) -> Iterator[HostBatch]:
        """The batches of int [steps, rows], numbers of slices; -1 is padding of weight 0."""

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch of training.

        Raises:
            ConfigError: there are fewer slices than one batch.
        """
        if self.num_slices < self.batch_size:
            raise ConfigError(
                f"config.batch_size: {self._supply()}, fewer than one batch of {self.batch_size}; "
                "lower it or add patients"
            )
        return self.num_slices // self.batch_size

    def _supply(self) -> str:
        """What there is of slices, for a message."""
        return f"there are {self.num_slices} slices"

    def plan(self, epoch: int) -> np.ndarray:
        """The slices of every batch of an epoch, of all processes; see `order.epoch_plan`.

        It follows from `sampling`, the epoch and what the slices show alone.
        """
        return epoch_plan(
            self.sampling,
            epoch,
            self._shown(),
            steps=self.steps_per_epoch,
            batch_size=self.batch_size,
        )

    def train_batches(self, epoch: int, start: int = 0) -> Iterator[HostBatch]:
        """The batches of `plan`.

        Args:
            epoch: from 0.
            start: batches to leave out at the beginning; they cost nothing.
        """
        yield from self._batches(own_rows(self.plan(epoch)[start:], self._share))

    def eval_batches(self) -> Iterator[HostBatch]:
        """All slices in order; the last batch is padded."""
        plan = eval_plan(np.arange(self.num_slices), self.batch_size)
        yield from self._batches(own_rows(plan, self._share))
