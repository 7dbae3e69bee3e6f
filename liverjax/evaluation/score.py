"""Scores one case; docs/METRICS.md says what each figure is and where it is not defined."""

import numpy as np

from liverjax.evaluation.case import CaseScore, StructureScore
from liverjax.evaluation.confusion import count
from liverjax.evaluation.lesions import match_lesions
from liverjax.evaluation.surface import SurfaceDistances, surface_distances
from liverjax.volume import Geometry, Segmentation, check_same_grid


def score_case(
    case: str, prediction: Segmentation, reference: Segmentation, *, tumors_known: bool = True
) -> CaseScore:
    """All figures of one case; see `CaseScore`.

    Args:
        case: the name that it goes by in tables.
        prediction, reference: on one grid.
        tumors_known: whether tumours were annotated in the reference; else none are scored.

    Raises:
        InputError: the two lie on different grids; names the case.
    """
    check_same_grid(prediction, reference, (f"{case}: prediction", "reference"))
    geometry = reference.geometry
    return CaseScore(
        case=case,
        liver=_score(prediction.liver, reference.liver, geometry),
        tumor=_score(prediction.tumor, reference.tumor, geometry) if tumors_known else None,
        lesions=(
            match_lesions(prediction.tumor, reference.tumor, geometry.voxel_ml)
            if tumors_known
            else ()
        ),
        voxel_ml=geometry.voxel_ml,
    )


def _score(prediction: np.ndarray, reference: np.ndarray, geometry: Geometry) -> StructureScore:
    found = count(prediction, reference)
    distances: SurfaceDistances | None = None
    # Where the reference is empty there is nothing to be far from or close to.
    nsd2 = None
    if geometry.spacing is not None and found.reference:
        distances = surface_distances(prediction, reference, geometry.spacing)
        nsd2 = distances.nsd2 if distances else 0.0
    voxel_ml = geometry.voxel_ml
    return StructureScore(
        confusion=found,
        dice=found.dice,
        voe=found.voe,
        rvd=found.rvd,
        assd=distances.assd if distances else None,
        rmsd=distances.rmsd if distances else None,
        msd=distances.msd if distances else None,
        hd95=distances.hd95 if distances else None,
        nsd2=nsd2,
        volume_error_ml=(
            None if voxel_ml is None else (found.predicted - found.reference) * voxel_ml
        ),
        false_positive_ml=None if voxel_ml is None else found.false_positive * voxel_ml,
    )
