"""What a reader must know beside the tables of an evaluation, in sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from liverjax.choices import Recipe
from liverjax.evaluation.case import STRUCTURES, CaseScore
from liverjax.reporting.table import UNDEFINED, Table, number
from liverjax.wording import counted, listed

_NOUNS = {"liver": "liver", "tumor": "tumours"}
_FEW = 10  # cases; below, intervals by resampling are known to be too narrow
_DIGEST = 12  # characters of a fingerprint or a commit that are shown


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


def source_notes(sources: Sequence[Mapping[str, Any]]) -> list[str]:
    """By which code and on which dataset scores were made.

    Args:
        sources: see `liverjax.workflows.sources.describe_source`.
    """
    lines = []
    for source in sources:
        code = source["liverjax"]
        line = f"Scored by liverjax {code['version'] or '(not installed)'}"
        if code["commit"]:
            line += f" at commit {short_digest(code['commit'])}"
        dataset = source.get("dataset")
        if dataset:
            line += (
                f", on the dataset {dataset['name']} of fingerprint "
                f"{short_digest(dataset['fingerprint'])}"
            )
        lines.append(f"{line}.")
    return list(dict.fromkeys(lines))


def network_table(sources: Sequence[Mapping[str, Any]]) -> Table | None:
    """The networks that were judged, a row each; None where there are none.

    Args:
        sources: see `liverjax.workflows.sources.describe_source`.
    """
    rows = []
    for source in sources:
        for stage in (name for name in STRUCTURES if name in source):
            network = source[stage]
            rows.append(
                (
                    listed(source["cases"]),
                    stage,
                    short_digest(network["checkpoint"]),
                    UNDEFINED if network["step"] is None else str(network["step"]),
                    short_digest(network["commit"]),
                    *_settings(stage, network),
                )
            )
    header = (
        *("cases", "network", "checkpoint", "step", "trained at commit", "threshold"),
        *("smallest tumour", "mirrored slices", "chosen on"),
    )
    return Table("Networks", header, rows) if rows else None


def _settings(stage: str, network: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Threshold, smallest tumour, mirrored slices, and on whom they were chosen."""
    if network["recipe"] == Recipe.THESIS.value:
        return "fixed", UNDEFINED, "no", UNDEFINED
    post = network["postprocess"]
    return (
        number(post["threshold"], 2),
        f"{post['min_voxels']} voxels, {post['min_ml']:g} mL" if stage == "tumor" else UNDEFINED,
        "yes" if post["flips"] else "no",
        ", ".join(network["chosen_on"]) or "nobody (defaults)",
    )


def short_digest(text: str | None) -> str:
    """The beginning of a fingerprint or commit, which tells it from others; a dash for none."""
    if text is None:
        return UNDEFINED
    digest, dash, rest = text.partition("-")
    return digest[:_DIGEST] + dash + rest
