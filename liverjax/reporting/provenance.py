"""By what segmentations and scores were made: networks, what was chosen for them, code, dataset."""

from collections.abc import Mapping, Sequence
from typing import Any

from liverjax.choices import Recipe
from liverjax.reporting.table import UNDEFINED, Table
from liverjax.wording import listed

_DIGEST = 12  # characters of a fingerprint or a commit that are shown
_STAGES = {"liver": "liver network", "tumor": "tumour network"}
_TRAINING = ("step", "trained at commit")
_SETTINGS = (
    *("threshold", "mirrored slices", "smallest liver", "certain part of a small liver"),
    *("smallest tumour", "chosen on"),
)


def made_by_table(source: Mapping[str, Any]) -> Table:
    """By what one segmentation was made: a column per network.

    Args:
        source: see `liverjax.workflows.sources.describe_source`.
    """
    stages = [name for name in _STAGES if name in source]
    version = ("liverjax", _version(source["liverjax"]))
    if not stages:
        return Table("Made by", ("", "software"), [version], prose=True)
    names = ("checkpoint", "weights", *_TRAINING, "recipe", *_SETTINGS)
    columns = [
        (
            source[stage]["checkpoint"],
            _weights(source[stage]),
            *_training(source[stage]),
            source[stage]["recipe"],
            *_settings(stage, source[stage]),
        )
        for stage in stages
    ]
    rows = list(zip(names, *columns, strict=True))
    rows.append((*version, *[""] * (len(stages) - 1)))
    return Table("Made by", ("", *(_STAGES[stage] for stage in stages)), rows, prose=True)


def network_table(sources: Sequence[Mapping[str, Any]]) -> Table | None:
    """The networks that were judged, a row each; None where there are none.

    Args:
        sources: see `liverjax.workflows.sources.describe_source`.
    """
    rows = [
        (
            listed(source["cases"]),
            stage,
            short_digest(source[stage]["checkpoint"]),
            *_training(source[stage]),
            *_settings(stage, source[stage]),
        )
        for source in sources
        for stage in _STAGES
        if stage in source
    ]
    header = ("cases", "network", "checkpoint", *_TRAINING, *_SETTINGS)
    return Table("Networks", header, rows) if rows else None


def source_notes(sources: Sequence[Mapping[str, Any]]) -> list[str]:
    """By which code and on which dataset scores were made.

    Args:
        sources: see `liverjax.workflows.sources.describe_source`.
    """
    lines = []
    for source in sources:
        line = f"Scored by liverjax {_version(source['liverjax'])}"
        dataset = source.get("dataset")
        if dataset:
            line += (
                f", on the dataset {dataset['name']} of fingerprint "
                f"{short_digest(dataset['fingerprint'])}"
            )
        lines.append(f"{line}.")
    return list(dict.fromkeys(lines))


def short_digest(text: str | None) -> str:
    """The beginning of a fingerprint or commit, which tells it from others; a dash for none."""
    if text is None:
        return UNDEFINED
    digest, dash, rest = text.partition("-")
    return digest[:_DIGEST] + dash + rest


def _version(code: Mapping[str, Any]) -> str:
    version = code["version"] or "(not installed)"
    return f"{version} at commit {short_digest(code['commit'])}" if code["commit"] else version


def _weights(network: Mapping[str, Any]) -> str:
    weights = network["weights"]
    return "of a training run" if weights is None else f"version {weights['version']}"


def _training(network: Mapping[str, Any]) -> tuple[str, str]:
    """What `_TRAINING` name, of one network."""
    step = network["step"]
    return UNDEFINED if step is None else str(step), short_digest(network["commit"])


def _settings(stage: str, network: Mapping[str, Any]) -> tuple[str, ...]:
    """What `_SETTINGS` name, of one network; a dash where its stage has no such thing."""
    if network["recipe"] == Recipe.THESIS.value:
        return ("fixed", "no", UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED)
    post = network["postprocess"]
    if stage == "liver":
        # Evaluations that were stored before there were such things do not tell them.
        pieces = (
            f"{post['min_liver_ml']:g} mL" if "min_liver_ml" in post else UNDEFINED,
            f"{post['min_certain']:.0%} at least" if "min_certain" in post else UNDEFINED,
            UNDEFINED,
        )
    else:
        smallest = f"{post['min_voxels']} voxels, {post['min_ml']:g} mL"
        pieces = (UNDEFINED, UNDEFINED, smallest)
    return (
        f"{post['threshold']:g}",
        "yes" if post["flips"] else "no",
        *pieces,
        ", ".join(network["chosen_on"]) or "nobody (defaults)",
    )
