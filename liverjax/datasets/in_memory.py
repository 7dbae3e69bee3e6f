"""Batches and patients from arrays: what training needs where there is no prepared dataset."""

from collections.abc import Iterator

import numpy as np

from liverjax.batch import HostBatch
from liverjax.datasets.copies import list_copies
from liverjax.datasets.order import AS_THEY_COME, Sampling, Shown
from liverjax.datasets.planned import PlannedSource
from liverjax.errors import ConfigError, InputError
from liverjax.labels import liver_mask, tumor_mask


class InMemorySource(PlannedSource):
    """Batches from arrays, in the order in which an epoch on the device would go.

    Args:
        images: int16 [N, H, W, K], HU.
        labels: uint8 [N, H, W, 1].
        spacing: float32 [N, 2], mm; None where unknown.
        patients: int [N], a number for the patient of each slice; by default all are one's.
        batch_size, sampling, copies, share: see `PlannedSource`.
        rows: with `copies`, numbers of slices and of copies, int [M] each, where not all shall
            be used.

    Raises:
        InputError: the arrays do not belong together.
        ConfigError: a batch cannot be divided by `share`, or patients are to be balanced that
            are not told apart.
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        spacing: np.ndarray | None = None,
        *,
        patients: np.ndarray | None = None,
        batch_size: int,
        sampling: Sampling = AS_THEY_COME,
        copies: bool = False,
        share: tuple[int, int] = (0, 1),
        rows: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        if images.ndim != 4 or (*images.shape[:3], 1) != labels.shape:
            raise InputError(
                "expected images [N, H, W, K] and labels [N, H, W, 1], found "
                f"{images.shape}, {labels.shape}"
            )
        if sampling.patient_balance and patients is None:
            raise ConfigError(
                f"config.patient_balance: {sampling.patient_balance}, but the source was not told "
                "whose slices these are; give `patients`"
            )
        super().__init__(
            batch_size=batch_size,
            sampling=sampling,
            copies=copies,
            share=share,
        )
        unknown = np.zeros((len(images), 2), np.float32)
        self._images, self._labels = images, labels
        self._spacing = unknown if spacing is None else np.asarray(spacing, np.float32)
        liver, tumor = (np.any(mask(labels), axis=(1, 2, 3)) for mask in (liver_mask, tumor_mask))
        whose = np.zeros(len(images), int) if patients is None else np.asarray(patients)
        self._slices, self._copy = np.arange(len(images)), np.zeros(len(images), np.int32)
        if copies:
            self._slices, self._copy = rows or list_copies(tumor)
        self._facts = Shown(*(each[self._slices] for each in (liver, tumor, whose)))

    @property
    def num_slices(self) -> int:
        """Number of the arrays' slices and their copies."""
        return len(self._slices)

    def _shown(self) -> Shown:
        return self._facts

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
