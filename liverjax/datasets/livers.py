"""Livers that stand for those of the references: what the tumour stage is trained within."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from liverjax.datasets.slices import PatientSummary
from liverjax.errors import InputError
from liverjax.labels import merge_masks, tumor_mask

Livers = Mapping[str, np.ndarray]
"""By patient, the liver that the tumour stage is to work in: bool [D, H, W]."""


def check_livers(
    livers: Livers, patients: Sequence[str], held: Mapping[str, PatientSummary]
) -> None:
    """Refuses livers that are not those of the patients.

    Raises:
        InputError: names the patient, and what was found and expected.
    """
    for patient in patients:
        summary = held[patient]
        expected = (summary.slices, summary.height, summary.width)
        found = livers[patient].shape if patient in livers else None
        if found != expected:
            raise InputError(
                f"the given liver of {patient}: expected a mask {expected}, found {found}"
            )


def within(labels: np.ndarray, liver: np.ndarray) -> np.ndarray:
    """`labels` with `liver` (bool, of the same shape) as their liver.

    Tumour outside of it is left out: the tumour stage sees nothing there and can find none.
    """
    return merge_masks(liver, tumor_mask(labels))


class PackedMasks:
    """Masks of many slices in an eighth of the memory; all of one size.

    Args:
        masks: bool [D, H, W] each; their slices are numbered through.
    """

    def __init__(self, masks: Sequence[np.ndarray]) -> None:
        self._size = masks[0].shape[1:]
        self._bits = np.concatenate(
            [np.packbits(mask.reshape(len(mask), -1), axis=1) for mask in masks]
        )
        self.pixels = np.concatenate([np.count_nonzero(mask, axis=(1, 2)) for mask in masks])
        """int [N], true pixels of every slice."""

    def __getitem__(self, number: int) -> np.ndarray:
        """bool [H, W], the mask of one slice."""
        count = self._size[0] * self._size[1]
        return np.unpackbits(self._bits[number], count=count).reshape(self._size).astype(bool)

    def restrict(self, numbers: np.ndarray, labels: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """See `within`, for the labels [H, W, 1] of the slices with these numbers."""
        for number, label in zip(numbers.tolist(), labels, strict=True):
            yield within(label, self[number][..., None])
