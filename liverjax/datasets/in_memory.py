"""Batches and patients from arrays: what training needs where there is no prepared dataset."""

from collections.abc import Iterator

import numpy as np

from liverjax.batch import HostBatch
from liverjax.datasets.copies import list_copies
from liverjax.datasets.planned import PlannedSource
from liverjax.errors import InputError
from liverjax.labels import liver_mask, tumor_mask


class InMemorySource(PlannedSource):
    """Batches from arrays, in the order in which an epoch on the device would go.

    Args:
        images: int16 [N, H, W, K], HU.
        labels: uint8 [N, H, W, 1].
        spacing: float32 [N, 2], mm; None where unknown.
        batch_size, seed, tumor_share, liver_share, copies, share: see `PlannedSource`.
        rows: with `copies`, numbers of slices and of copies, int [M] each, where not all shall
            be used.

    Raises:
        InputError: the arrays do not belong together.
        ConfigError: a batch cannot be divided by `share`.
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
        liver_share: float = 0.0,
        copies: bool = False,
        share: tuple[int, int] = (0, 1),
        rows: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> None:
        if images.ndim != 4 or (*images.shape[:3], 1) != labels.shape:
            raise InputError(
                "expected images [N, H, W, K] and labels [N, H, W, 1], found "
                f"{images.shape}, {labels.shape}"
            )
        super().__init__(
            batch_size=batch_size,
            seed=seed,
            tumor_share=tumor_share,
            liver_share=liver_share,
            copies=copies,
            share=share,
        )
        unknown = np.zeros((len(images), 2), np.float32)
        self._images, self._labels = images, labels
        self._spacing = unknown if spacing is None else np.asarray(spacing, np.float32)
        self._shown = {
            "tumor": np.any(tumor_mask(labels), axis=(1, 2, 3)),
            "liver": np.any(liver_mask(labels), axis=(1, 2, 3)),
        }
        self._slices, self._copy = np.arange(len(images)), np.zeros(len(images), np.int32)
        if copies:
            self._slices, self._copy = rows or list_copies(self._shown["tumor"])

    @property
    def num_slices(self) -> int:
        """Number of the arrays' slices and their copies."""
        return len(self._slices)

    def _shows(self, shown: str) -> np.ndarray:
        return self._shown[shown][self._slices]

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
