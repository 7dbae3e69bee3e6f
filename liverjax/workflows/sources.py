"""How scores came about: the networks, what was chosen for them, the dataset and the code."""

from collections.abc import Mapping, Sequence
from typing import Any

from liverjax.choices import Stage
from liverjax.config_json import to_dict
from liverjax.datasets.collection import Collection
from liverjax.errors import InputError
from liverjax.inference.load import LoadedNetwork
from liverjax.workflows.circumstances import software

_NETWORK = ("checkpoint", "step", "commit", "recipe", "postprocess", "chosen_on")
_FIELDS = {
    "liverjax": ("version", "commit"),
    "dataset": ("name", "fingerprint"),
    **{stage.value: _NETWORK for stage in Stage},
}


def describe_source(
    cases: Sequence[str],
    networks: Mapping[Stage, LoadedNetwork] | None = None,
    collection: Collection | None = None,
) -> dict[str, Any]:
    """How the scores of some cases came about, JSON-ready; names no path and no machine.

    Args:
        cases: their names.
        networks: both that were judged; None where the segmentations are somebody else's.
        collection: the dataset that the cases are of.

    Returns:
        `cases`; `liverjax`: its `version` and `commit`; with a collection `dataset`: its `name`
        and `fingerprint`; with networks `liver` and `tumor`: fingerprint of the `checkpoint`, its
        `step`, the `commit` that it was trained at, its `recipe` and `postprocess`, on whom that
        was chosen (`chosen_on`, nobody where it is the default), whom it has seen (`trained_on`:
        `dataset`, `train` and `validation`), and the `version` and `sha256` of the bundle's
        `weights`, None where it was loaded from a run.
    """
    source: dict[str, Any] = {"cases": list(cases), "liverjax": software()}
    if collection is not None:
        source["dataset"] = {"name": collection.name, "fingerprint": collection.fingerprint}
    for stage, network in (networks or {}).items():
        chosen = network.calibration
        source[stage.value] = {
            "checkpoint": network.fingerprint,
            "step": network.step,
            "commit": network.manifest.get("commit"),
            "recipe": network.config.preprocess.recipe.value,
            "postprocess": to_dict(network.postprocess),
            "chosen_on": list(chosen.patients) if chosen else [],
            "trained_on": {
                "dataset": network.config.dataset.name,
                "train": list(network.config.dataset.train),
                "validation": list(network.config.dataset.validation),
            },
            "weights": network.shipped._asdict() if network.shipped else None,
        }
    return source


def check_sources(sources: Any, where: str) -> None:
    """Refuses what `describe_source` did not write.

    Raises:
        InputError: names `where` they were read, and what is missing.
    """
    if not isinstance(sources, list):
        raise InputError(f"{where}: expected a list, found {sources!r:.60}")
    for number, source in enumerate(sources):
        _check_fields(source, ("cases", "liverjax"), f"{where}: [{number}]")
        for name, fields in _FIELDS.items():
            if name in source:
                _check_fields(source[name], fields, f"{where}: [{number}].{name}")


def _check_fields(value: Any, fields: Sequence[str], where: str) -> None:
    for field in fields:
        if not isinstance(value, dict) or field not in value:
            raise InputError(f"{where}.{field}: missing")
