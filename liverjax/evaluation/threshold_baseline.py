"""What a single HU threshold achieves: the figure that a network has to beat to mean anything."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from liverjax.choices import Stage
from liverjax.components import bounding_box
from liverjax.errors import InputError
from liverjax.evaluation.confusion import count
from liverjax.inference.postprocess import largest_component
from liverjax.labels import liver_mask, tumor_mask

THRESHOLDS: tuple[float, ...] = tuple(float(hu) for hu in range(-50, 255, 5))
"""HU that are tried by default."""

_SEARCH_STRIDE = 2
_FINALISTS = 6

_View = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class ThresholdBaseline:
    """The best threshold and what it scores.

    Attributes:
        threshold: HU.
        above: whether voxels above or below it are taken.
        mean_dice: over the cases that have the structure.
        case_dice: per case; None where it has not.
    """

    threshold: float
    above: bool
    mean_dice: float
    case_dice: tuple[float | None, ...]


def threshold_baseline(
    cases: Sequence[tuple[np.ndarray, np.ndarray]],
    stage: Stage,
    thresholds: Sequence[float] = THRESHOLDS,
) -> ThresholdBaseline:
    """Best single HU threshold, one for all cases, followed by the largest component.

    All choices favour the baseline: threshold and direction are those of the highest mean Dice on
    the very same cases, and tumours are sought inside the reference liver only. Candidates are
    ranked on every second row and column; the best few are then scored at full resolution.

    Args:
        cases: (HU [D, H, W], labels uint8 [D, H, W]) per patient.
        stage: LIVER for the liver with its tumours, TUMOR for the tumours.
        thresholds: candidates in HU.

    Raises:
        InputError: no case holds the structure.
    """
    views = [_view(hu, labels, stage) for hu, labels in cases]
    if not any(target.any() for _, _, target in views):
        raise InputError(
            f"no case holds any {stage.value}: the threshold baseline needs at least one that does"
        )
    coarse = slice(None), slice(None, None, _SEARCH_STRIDE), slice(None, None, _SEARCH_STRIDE)
    small = [(hu[coarse], region[coarse], target[coarse]) for hu, region, target in views]
    candidates = [(float(hu), above) for hu in thresholds for above in (True, False)]
    candidates.sort(key=lambda candidate: -_mean(_score(small, *candidate)))
    finalists = [(*candidate, _score(views, *candidate)) for candidate in candidates[:_FINALISTS]]
    threshold, above, scores = max(finalists, key=lambda finalist: _mean(finalist[2]))
    return ThresholdBaseline(threshold, above, _mean(scores), scores)


def _view(hu: np.ndarray, labels: np.ndarray, stage: Stage) -> _View:
    """HU, where the baseline may look, and what it should find; cut to where it may look."""
    if stage is Stage.LIVER:
        return hu, np.ones(hu.shape, dtype=bool), liver_mask(labels)
    liver = liver_mask(labels)
    box = bounding_box(liver)
    if box is None:
        return hu, liver, liver
    return hu[box], liver[box], tumor_mask(labels[box])


def _score(views: Sequence[_View], threshold: float, above: bool) -> tuple[float | None, ...]:
    """Dice per view of the largest component beyond the threshold; None where nothing is sought."""
    scores: list[float | None] = []
    for hu, region, target in views:
        if not target.any():
            scores.append(None)
            continue
        beyond = hu > threshold if above else hu < threshold
        scores.append(count(largest_component(beyond & region), target).dice)
    return tuple(scores)


def _mean(scores: Sequence[float | None]) -> float:
    """Mean of the scores that are there; 0 where none is."""
    found = [score for score in scores if score is not None]
    return sum(found) / len(found) if found else 0.0
