"""Voxel counts of a prediction against the truth: the confusion matrix of two classes."""

import dataclasses
from collections.abc import Iterable

import numpy as np

from liverjax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Confusion:
    """How many voxels of one structure are found, missed, wrongly found and rightly left out.

    Every voxel of the masks is counted once. Over whole volumes nearly all of them are true
    negatives, so only shares of a true class and the Dice say how good a prediction is.

    Attributes:
        true_negative: neither predicted nor true.
        false_positive: predicted, but not true.
        false_negative: true, but not predicted.
        true_positive: predicted and true.
    """

    true_negative: int
    false_positive: int
    false_negative: int
    true_positive: int

    @property
    def reference(self) -> int:
        """Voxels that are true, the size of the structure."""
        return self.true_positive + self.false_negative

    @property
    def predicted(self) -> int:
        """Voxels that are predicted."""
        return self.true_positive + self.false_positive

    @property
    def dice(self) -> float | None:
        """Dice coefficient `2 TP / (2 TP + FP + FN)` (Dice 1945); None where nothing is true."""
        if not self.reference:
            return None
        return 2 * self.true_positive / (self.reference + self.predicted)

    @property
    def voe(self) -> float | None:
        """Volume overlap error, 1 - TP / (TP + FP + FN); None where nothing is true."""
        if not self.reference:
            return None
        return 1 - self.true_positive / (self.reference + self.false_positive)

    @property
    def rvd(self) -> float | None:
        """Relative volume difference, predicted less true over true; None where nothing is true."""
        if not self.reference:
            return None
        return (self.predicted - self.reference) / self.reference


def count(prediction: np.ndarray, reference: np.ndarray) -> Confusion:
    """Counts of two boolean masks of one shape.

    Raises:
        InputError: the masks differ in shape.
    """
    if prediction.shape != reference.shape:
        raise InputError(
            f"the prediction has shape {prediction.shape}, the reference {reference.shape}"
        )
    shared = int(np.count_nonzero(np.logical_and(prediction, reference)))
    false_positive = int(np.count_nonzero(prediction)) - shared
    false_negative = int(np.count_nonzero(reference)) - shared
    return Confusion(
        true_negative=reference.size - shared - false_positive - false_negative,
        false_positive=false_positive,
        false_negative=false_negative,
        true_positive=shared,
    )


def pool(counts: Iterable[Confusion]) -> Confusion:
    """Sums over cases: every voxel weighs the same, so large patients weigh more; 0 for none."""
    rows = [dataclasses.astuple(each) for each in (Confusion(0, 0, 0, 0), *counts)]
    return Confusion(*(sum(column) for column in zip(*rows, strict=True)))
