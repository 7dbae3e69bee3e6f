"""Overlap of two segmentations of one patient, with every empty case given a meaning."""

import dataclasses

import numpy as np

from liverjax.evaluation.confusion import Confusion, count
from liverjax.volume import Segmentation, check_same_grid


@dataclasses.dataclass(frozen=True)
class PatientScore:
    """Agreement of one patient's prediction with the reference.

    Attributes:
        patient: the name the patient goes by in tables.
        liver_dice: of the liver with its tumours; None where the reference has no liver.
        tumor_dice: None where the reference has no tumour.
        tumor_false_positive_ml: predicted tumour outside the reference tumour in mL, given for
            every patient, so that what is found in a healthy liver is not lost with its Dice;
            None only where the voxel size is not known.
        liver_confusion: counts over all voxels of the volume, for the liver with its tumours.
        tumor_confusion: counts over all voxels of the volume as well, not of the liver alone: what
            is wrongly taken for tumour outside the true liver counts, too.
    """

    patient: str
    liver_dice: float | None
    tumor_dice: float | None
    tumor_false_positive_ml: float | None
    liver_confusion: Confusion
    tumor_confusion: Confusion


def dice(prediction: np.ndarray, reference: np.ndarray) -> float | None:
    """Dice coefficient `2 |P & R| / (|P| + |R|)` (Dice 1945) of two boolean masks of one shape.

    The empty cases:
        reference empty (whatever the prediction): None. There is nothing to overlap with, and
            neither 1 nor 0 would be a measurement; see `PatientScore.tumor_false_positive_ml`.
        only the prediction empty: 0.0, the structure was missed.

    Raises:
        InputError: the masks differ in shape.
    """
    return count(prediction, reference).dice


def score_patient(patient: str, prediction: Segmentation, reference: Segmentation) -> PatientScore:
    """Scores one patient's prediction; see `PatientScore` and `dice` for the empty cases.

    Raises:
        InputError: the two lie on different grids; names the patient.
    """
    check_same_grid(prediction, reference, (f"{patient}: prediction", "reference"))
    liver = count(prediction.liver, reference.liver)
    tumor = count(prediction.tumor, reference.tumor)
    voxel_ml = reference.geometry.voxel_ml
    return PatientScore(
        patient=patient,
        liver_dice=liver.dice,
        tumor_dice=tumor.dice,
        tumor_false_positive_ml=None if voxel_ml is None else tumor.false_positive * voxel_ml,
        liver_confusion=liver,
        tumor_confusion=tumor,
    )
