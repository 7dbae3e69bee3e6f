"""What a reader must know beside the tables of an evaluation, in sentences."""

from collections.abc import Sequence
from typing import Any

from liverjax.evaluation.case import STRUCTURES, CaseScore
from liverjax.wording import counted, listed

_NOUNS = {"liver": "liver", "tumor": "tumours"}
_FEW = 10  # cases; below, intervals by resampling are known to be too narrow


def seen_notice(seen: Sequence[str]) -> str | None:
    """What is to be said first where networks were judged on what they have seen; else None.

    Args:
        seen: names of the cases that they were trained or selected on.
    """
    if not seen:
        return None
    return (
        "These are not held-out figures: the networks were trained or selected on "
        f"{', '.join(seen)}."
    )


def score_notes(cases: Sequence[CaseScore], summary: dict[str, Any]) -> list[str]:
    """What explains the tables: where cells are empty, and what was left out or counted as one.

    Args:
        cases: those scored.
        summary: their aggregate.
    """
    notes = [
        f"Intervals are of 95 %, by {summary['bootstrap']['resamples']} resamples of cases. A dash "
        "is not defined, and means say over how many cases they are; docs/METRICS.md of liverjax "
        "defines every figure."
    ]
    if len(cases) == 1:
        notes.append("Of a single case there are no intervals.")
    elif len(cases) < _FEW:
        notes.append(
            f"With {counted(len(cases), 'case')} the intervals are a rough guide: resamples of so "
            "few vary less than new cases would."
        )
    unknown = [case.case for case in cases if case.voxel_ml is None]
    if unknown:
        notes.append(
            f"The voxel size is not known of {listed(unknown)}, so there are no figures in mm or "
            "mL of them."
        )
    for name in STRUCTURES:
        scores = {case.case: case.structure(name) for case in cases}
        found = {case: each.confusion for case, each in scores.items() if each is not None}
        unknown = [case for case, each in scores.items() if each is None]
        if unknown:
            notes.append(
                f"The {_NOUNS[name]} were not annotated in {listed(unknown)}: no figure of theirs "
                "is there, and they are not among the cases without any."
            )
        absent = [case for case, each in found.items() if not each.reference]
        missed = [case for case, each in found.items() if each.reference and not each.predicted]
        if absent:
            notes.append(f"The reference has no {_NOUNS[name]} in {listed(absent)}.")
        if missed:
            notes.append(
                f"Nothing is predicted of the {_NOUNS[name]} in {listed(missed)}: Dice is 0, NSD "
                "too where the voxel size is known, and there is no distance."
            )
    pieces = summary["reference_lesions"]
    if pieces["merged"] < pieces["pieces"]:
        notes.append(
            f"Predictions join some of the {pieces['pieces']} lesions of the reference, so that "
            f"they count as {pieces['merged']}, as in the LiTS challenge."
        )
    return notes
