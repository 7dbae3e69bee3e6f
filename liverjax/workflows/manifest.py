"""How a run came about: enough to repeat it, and to see on what its weights may be judged."""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from liverjax import config_json
from liverjax.checkpoint import load_model
from liverjax.config import ExperimentConfig
from liverjax.datasets.content import save_contents
from liverjax.datasets.livers import Livers
from liverjax.errors import CheckpointError, InputError, SplitError
from liverjax.io.atomic import make_folder, write_json
from liverjax.training.devices import is_first_process
from liverjax.workflows.circumstances import changes, circumstances

_LOGGER = logging.getLogger(__name__)

FILE_NAME = "manifest.json"
CONTENTS = "contents.npz"
"""What the patients show that a run has seen, see `datasets.content`."""


class Subject(NamedTuple):
    """What a run is trained on.

    Attributes:
        config: the experiment.
        dataset: fingerprint of the dataset; None where it is not known what the weights were
            trained on, as with imported ones.
        livers: SHA-256 of the livers that the tumour stage is trained within; None for those of
            the reference.
    """

    config: ExperimentConfig
    dataset: str | None
    livers: str | None = None

    @classmethod
    def of(cls, config: ExperimentConfig, dataset: str, livers: Livers | None) -> "Subject":
        """With the livers themselves in place of their hash."""
        if livers is None:
            return cls(config, dataset)
        digest = hashlib.sha256()
        for patient, mask in sorted(livers.items()):
            digest.update(f"{patient} {mask.shape}\n".encode())
            digest.update(np.packbits(mask).tobytes())
        return cls(config, dataset, digest.hexdigest())


def begin_run(
    run: Path,
    subject: Subject,
    seen: Mapping[str, np.ndarray],
    step: int | None,
    finished: bool,
) -> dict[str, Any]:
    """The run's manifest: a new one, or that of the run that is taken up again.

    To be called where no other process can write to the folder.

    Args:
        run: workdir; `manifest.json` in it is written, or gains an entry under "resumed".
        subject: what is trained on.
        seen: what the patients show that the run is trained and selected on, by name; written to
            `contents.npz`, see `datasets.content`.
        step: of the checkpoint that the run goes on from; None where it begins anew, as it does
            where it has not come to one.
        finished: whether nothing is left to do; then nothing is noted.

    Raises:
        InputError: the run was begun with another dataset, or its manifest is damaged.
        SplitError: initial weights have seen a patient that is held out for testing.
        CheckpointError: there are no initial weights, or they do not tell whom they have seen.
    """
    path = make_folder(run) / FILE_NAME
    if step is None or not path.exists():
        manifest = describe_run(subject)
        check_ancestor(subject.config.dataset.test, manifest)
        _warn_of_seen(subject.config.dataset.validation, manifest)
        if is_first_process():
            save_contents(run / CONTENTS, seen)
        _write(path, manifest)
        return manifest
    manifest = _read(path)
    for field, found, what in (
        ("fingerprint", subject.dataset, "a dataset"),
        ("livers", subject.livers, "livers"),
    ):
        earlier = manifest["dataset"].get(field)
        if earlier != found:
            raise InputError(
                f"{run}: begun with {what} of fingerprint {_short(earlier)}, found "
                f"{_short(found)}; prepare the earlier one again, or give another workdir"
            )
    if not finished:
        now = circumstances()
        for line in changes(manifest, now):
            _LOGGER.warning("%s: %s; the results may differ in their last bits", run, line)
        manifest["resumed"].append({"step": step} | now)
        _write(path, manifest)
    return manifest


def describe_run(subject: Subject) -> dict[str, Any]:
    """The manifest of a new run.

    Raises:
        CheckpointError: there are no initial weights, or they do not tell whom they have seen.
    """
    return circumstances() | _subject(subject) | {"resumed": []}


def check_ancestor(patients: Sequence[str], manifest: Mapping[str, Any]) -> None:
    """Refuses to judge a network on patients that its initial weights have seen.

    Raises:
        SplitError: names the patients.
    """
    seen = _seen(patients, manifest)
    if seen:
        raise SplitError(
            f"{', '.join(seen)}: among the patients of the run that config.init_from names, "
            "whose weights this network started from; hold out others"
        )


def _warn_of_seen(validation: Sequence[str], manifest: Mapping[str, Any]) -> None:
    """Selecting on patients that the initial weights have seen is no error, but worth knowing."""
    seen = _seen(validation, manifest)
    if seen:
        _LOGGER.warning(
            "config.dataset.validation: the initial weights have seen %s, so the validation score "
            "flatters",
            ", ".join(seen),
        )


def _seen(patients: Sequence[str], manifest: Mapping[str, Any]) -> list[str]:
    """Who of `patients` the initial weights of a run have seen."""
    initial = manifest.get("initial")
    if initial and initial["dataset"]["name"] == manifest["dataset"]["name"]:
        return sorted({*patients} & {*initial["patients"]})
    return []


def _write(path: Path, manifest: dict[str, Any]) -> None:
    """Where several processes train together, the first writes for all."""
    if is_first_process():
        write_json(path, manifest)


def _read(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text())
        missing = {"config", "dataset", "resumed"} - set(manifest)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: damaged ({error}); give another workdir") from error
    if missing:
        raise InputError(f"{path}: expected the fields {sorted(missing)}; give another workdir")
    return manifest


def _short(fingerprint: str | None) -> str:
    return "none" if fingerprint is None else fingerprint[:12]


def _subject(subject: Subject) -> dict[str, Any]:
    """What is trained, and on whom."""
    config = subject.config
    dataset = config.dataset
    return {
        "config": config_json.to_dict(config),
        "dataset": {
            "name": dataset.name,
            "fingerprint": subject.dataset,
            "livers": subject.livers,
        },
        "patients": {
            "train": list(dataset.train),
            "validation": list(dataset.validation),
            "test": list(dataset.test),
        },
        "initial": _ancestor(config.init_from) if config.init_from else None,
    }


def _ancestor(init_from: str) -> dict[str, Any]:
    """Whose weights a run starts from; the patients that they have seen count as its own."""
    loaded = load_model(Path(init_from).expanduser())
    if not {"patients", "dataset"} <= set(loaded.manifest):
        raise CheckpointError(
            f"config.init_from: {init_from} does not tell the patients that it was trained on, so "
            "none can be held out from them; name a run of `experiments.train`"
        )
    earlier = loaded.manifest["patients"]
    seen = {*earlier["train"], *earlier["validation"]}
    if loaded.manifest.get("initial"):
        seen |= set(loaded.manifest["initial"]["patients"])
    return {
        "step": loaded.step,
        "dataset": loaded.manifest["dataset"],
        "patients": sorted(seen),
    }
