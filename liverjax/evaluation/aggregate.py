"""What all cases together come to: means with their intervals, and how many cases each covers.

What is not defined is None and never drops out unseen: every mean says over how many cases it is.
Intervals are of 95 %, by resampling cases, see `liverjax.evaluation.bootstrap`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from liverjax.errors import InputError
from liverjax.evaluation.bootstrap import LEVEL, mean_interval, ratio_interval
from liverjax.evaluation.case import METRICS, STRUCTURES, CaseScore, Lesion, StructureScore
from liverjax.evaluation.confusion import Confusion
from liverjax.evaluation.lesions import detection

IOU_LIMITS = (0.0, 0.5)
"""A lesion is detected where its intersection over union is larger than this: two conventions."""

_MeanInterval = Callable[[np.ndarray], list[float] | None]
_RatioInterval = Callable[[np.ndarray, np.ndarray], list[float] | None]


def aggregate(
    cases: Sequence[CaseScore], seen: Sequence[str] = (), *, resamples: int = 5000, seed: int = 0
) -> dict[str, Any]:
    """The figures of all cases, as plain numbers, lists and dicts for JSON.

    Args:
        cases: at least one.
        seen: names of cases that the networks were trained or selected on; normally none.
        resamples, seed: of the bootstrap.

    Returns:
        `cases` and `seen`: how many, and which; `bootstrap`: how intervals were made.
        `liver`, `tumor`: of every metric its mean, interval, median, sample standard deviation,
            and how many cases it covers and does not. `annotated`: in how many cases the structure
            was; the others are in no figure. `dice` is over the cases whose reference is not
            empty; `dice_challenge` is over all annotated, 1 where both are empty and 0 where one
            is; `dice_global` is 2 sum(I) / sum(P + R). `missed` counts the cases whose reference
            is not empty while the prediction is, `present` those whose reference is not empty.
        `reference_lesions`: how many there are, and into how many those that one prediction joins
            are `merged`, which is what detection counts.
        `lesions`: under `iou_over_0` and `iou_over_0.5` the detection, pooled over cases.
        `tumor_burden`: root mean square error of tumour over liver with its interval, and the
            largest absolute error.
        `tumor_free`: what is predicted in cases without tumour.

    Raises:
        InputError: there is no case.
    """
    if not cases:
        raise InputError("expected the scores of at least one case, found none")
    # By name, so that the same cases in another order are resampled alike.
    cases = sorted(cases, key=lambda case: case.case)
    annotated = [case for case in cases if case.tumor is not None]
    means = partial(mean_interval, resamples=resamples, seed=seed)
    ratios = partial(ratio_interval, resamples=resamples, seed=seed)
    return {
        "cases": len(cases),
        "seen": seen_among(cases, seen),
        "bootstrap": {"level": LEVEL, "over": "cases", "resamples": resamples, "seed": seed},
        **{
            name: _structure([case.structure(name) for case in cases], means, ratios)
            for name in STRUCTURES
        },
        "reference_lesions": _reference_lesions(annotated),
        "lesions": {
            f"iou_over_{limit:g}": _lesions(annotated, limit, ratios) for limit in IOU_LIMITS
        },
        "tumor_burden": _burden(cases, means),
        "tumor_free": _tumor_free(annotated, means),
    }


def seen_among(cases: Sequence[CaseScore], seen: Sequence[str]) -> list[str]:
    """Those of the cases that the networks were trained or selected on."""
    return [case.case for case in cases if case.case in seen]


def is_detected(lesion: Lesion, min_iou: float) -> bool:
    """Whether the lesion is of the reference and was found; see `lesions.detection`."""
    return detection([lesion], min_iou)[0] > 0


def challenge_dice(confusion: Confusion) -> float:
    """Dice in the challenge's convention: 1 where both masks are empty, 0 where one is."""
    return float(confusion.predicted == 0) if confusion.dice is None else confusion.dice


def _structure(
    scores: Sequence[StructureScore | None], means: _MeanInterval, ratios: _RatioInterval
) -> dict[str, Any]:
    """Figures of one structure; None stands for a case in which it was not annotated."""
    found = [score.confusion for score in scores if score is not None]
    challenge = [None if each is None else challenge_dice(each.confusion) for each in scores]
    shared = np.array([2.0 * each.true_positive for each in found])
    total = np.array([float(each.predicted + each.reference) for each in found])
    return {
        "annotated": len(found),
        **{
            name: _mean([None if s is None else getattr(s, name) for s in scores], means)
            for name in METRICS
        },
        "dice_challenge": _mean(challenge, means),
        "dice_global": _ratio(shared, total, ratios),
        "present": sum(each.reference > 0 for each in found),
        "missed": sum(each.reference > 0 and not each.predicted for each in found),
    }


def _mean(values: Sequence[float | None], interval: _MeanInterval) -> dict[str, Any]:
    """A mean with what it covers, all of it None where nothing is defined."""
    defined = np.array([value for value in values if value is not None], np.float64)
    return {
        "mean": float(defined.mean()) if defined.size else None,
        "interval": interval(defined),
        "median": float(np.median(defined)) if defined.size else None,
        "standard_deviation": float(defined.std(ddof=1)) if defined.size > 1 else None,
        "cases": int(defined.size),
        "undefined": len(values) - int(defined.size),
    }


def _ratio(above: np.ndarray, below: np.ndarray, interval: _RatioInterval) -> dict[str, Any]:
    """Sum over sum; None where there is nothing to divide by."""
    total = float(below.sum())
    return {
        "value": float(above.sum()) / total if total else None,
        "interval": interval(above, below),
    }


def _lesions(
    cases: Sequence[CaseScore], min_iou: float, interval: _RatioInterval
) -> dict[str, Any]:
    """Detection over all cases, every lesion weighing the same."""
    counts = [detection(case.lesions, min_iou) for case in cases]
    tp, fp, fn = np.array(counts, np.float64).reshape(-1, 3).T
    dice = [
        sum(lesion.dice for lesion in case.lesions if is_detected(lesion, min_iou))
        for case in cases
    ]
    segmented = _ratio(np.array(dice, np.float64), tp, interval)
    return {
        "true_positives": int(tp.sum()),
        "false_positives": int(fp.sum()),
        "false_negatives": int(fn.sum()),
        "precision": _ratio(tp, tp + fp, interval),
        "recall": _ratio(tp, tp + fn, interval),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn, interval),
        "detected_dice": {
            "mean": segmented["value"],
            "interval": segmented["interval"],
            "lesions": int(tp.sum()),
        },
    }


def _reference_lesions(cases: Sequence[CaseScore]) -> dict[str, int]:
    pieces = [lesion.reference_components for case in cases for lesion in case.lesions]
    return {"pieces": sum(pieces), "merged": sum(count > 0 for count in pieces)}


def _burden(cases: Sequence[CaseScore], means: _MeanInterval) -> dict[str, Any]:
    """Predicted less true burden, over the cases in which both have a liver."""
    errors = np.array(
        [
            case.predicted_burden - case.burden
            for case in cases
            if case.predicted_burden is not None and case.burden is not None
        ],
        np.float64,
    )
    squared = means(errors**2)  # its root is that of the root mean square error: roots keep order
    return {
        "rmse": float(np.sqrt(np.mean(errors**2))) if errors.size else None,
        "rmse_interval": None if squared is None else np.sqrt(squared).tolist(),
        "largest_absolute_error": float(np.abs(errors).max()) if errors.size else None,
        "cases": int(errors.size),
        "undefined": len(cases) - int(errors.size),
    }


def _tumor_free(cases: Sequence[CaseScore], means: _MeanInterval) -> dict[str, Any]:
    """Of cases whose tumours were annotated."""
    scores = [(case, case.tumor) for case in cases if case.tumor is not None]
    free = [(case, tumor) for case, tumor in scores if not tumor.confusion.reference]
    return {
        "cases": len(free),
        "with_false_positives": sum(tumor.confusion.predicted > 0 for _, tumor in free),
        "false_lesions": sum(detection(case.lesions, 0.0)[1] for case, _ in free),
        "false_positive_ml": _mean([tumor.false_positive_ml for _, tumor in free], means),
    }
