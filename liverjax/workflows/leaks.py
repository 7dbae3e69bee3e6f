"""What keeps patients that a network has seen out of its test."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from liverjax.config import ExperimentConfig
from liverjax.datasets.collection import Collection
from liverjax.datasets.content import check_contents_disjoint, load_contents, shows_little
from liverjax.datasets.known_overlap import check_dataset_name, check_known_overlap
from liverjax.errors import InputError, SplitError
from liverjax.inference.load import LoadedNetwork
from liverjax.workflows.manifest import CONTENTS

_LOGGER = logging.getLogger(__name__)


def check_training_side(config: ExperimentConfig, collection: Collection) -> dict[str, np.ndarray]:
    """Refuses sides that show the same, or patients that lie in a dataset that is tested on.

    Args:
        config: of the run, with the patients of each side.
        collection: that they are chosen from.

    Returns:
        What those trained and selected on show, by patient; whom the initial weights have seen
        are among them.

    Raises:
        SplitError: names the patients and the sides.
        InputError: the record of the run that the initial weights are of is damaged.
    """
    dataset = config.dataset
    for tested in dataset.also_tested_on:
        check_dataset_name(tested)
        check_known_overlap(dataset.name, (*dataset.train, *dataset.validation), tested)
    sides = {
        side: collection.contents(patients) if patients else {}
        for side, patients in (
            ("train", dataset.train),
            ("validation", dataset.validation),
            ("test", dataset.test),
        )
    }
    check_contents_disjoint(sides)
    for contents in sides.values():
        warn_of_blank(contents)
    seen = sides["train"] | sides["validation"]
    record = Path(config.init_from).expanduser() / CONTENTS
    if config.init_from and record.is_file():
        # Under names of their own: the same may be somebody else there.
        initial = {f"{config.init_from}: {name}": c for name, c in load_contents(record).items()}
        check_contents_disjoint({"the initial weights": initial, "test": sides["test"]})
        seen |= initial
    return seen


def warn_of_blank(contents: Mapping[str, np.ndarray]) -> None:
    """Says of whom most slices show too little for them to be known again."""
    blank = [patient for patient, content in contents.items() if shows_little(content)]
    if blank:
        _LOGGER.warning(
            "%s: most slices show too little between -100 and 200 HU to be known again under "
            "another name; are these HU?",
            ", ".join(blank),
        )


def seen_in_training(networks: Iterable[LoadedNetwork]) -> set[str]:
    """Whom the initial weights of the networks have seen, of the same dataset."""
    seen: set[str] = set()
    for network in networks:
        initial = network.manifest.get("initial")
        if initial and initial["dataset"]["name"] == network.config.dataset.name:
            seen |= set(initial["patients"])
    return seen


def find_seen(
    patients: Sequence[str], networks: Sequence[LoadedNetwork], collection: Collection
) -> dict[str, str]:
    """Who of the patients a network was trained or selected on, by name or by content.

    Args:
        patients: who is to be scored, of `collection`.
        networks: those to be judged.
        collection: that the patients belong to; another than that of a network is compared with
            by content. Where only its name is that of the network's, as with one's own files, a
            name that both have is refused as well: it may be the same patient's.

    Returns:
        By patient, how it was seen.
    """
    reasons: dict[str, str] = {}
    for network in networks:
        stage, side = network.config.stage.value, network.config.dataset
        if side.name == collection.name:
            warn_of_import(network)
            someone = "it" if same_files(network, collection) else "a patient of this name"
            for name, members in (("trained", side.train), ("selected", side.validation)):
                for patient in set(patients) & set(members):
                    reasons.setdefault(patient, f"the {stage} network was {name} on {someone}")
            for patient in set(patients) & seen_in_training([network]):
                reasons.setdefault(patient, f"the {stage} network's initial weights have seen it")
        else:
            reasons |= _known_overlap(
                side.name, (*side.train, *side.validation), patients, collection
            )
        initial = network.manifest.get("initial")
        if initial:
            reasons |= _known_overlap(
                initial["dataset"]["name"], initial["patients"], patients, collection
            )
    unnamed = [patient for patient in patients if patient not in reasons]
    return reasons | _seen_by_content(unnamed, networks, collection)


def _known_overlap(
    trained: str, members: Sequence[str], patients: Sequence[str], collection: Collection
) -> dict[str, str]:
    """Who of the patients is known to be among `members` of another dataset, and why."""
    reasons = {}
    for patient in patients:
        try:
            check_known_overlap(trained, members, collection.name, [patient])
        except SplitError as error:
            reasons[patient] = str(error)
    return reasons


def _seen_by_content(
    patients: Sequence[str], networks: Sequence[LoadedNetwork], collection: Collection
) -> dict[str, str]:
    """Who of the patients shows the same as one that a network has seen under another name."""
    reasons: dict[str, str] = {}
    records = {}
    for network in networks:
        path = None if network.run is None else network.run / CONTENTS
        if path is not None and path.is_file():
            records[network.config.stage.value] = load_contents(path)
        elif network.manifest["dataset"]["fingerprint"] is not None:
            reason = f"the {network.config.stage.value} network keeps no record of whom it has seen"
            reasons |= dict.fromkeys(patients, reason)
        else:
            _LOGGER.warning(
                "the %s network was imported and keeps no record of what its patients show, so "
                "that only their names can be compared",
                network.config.stage.value,
            )
    shown = collection.contents(patients) if records and patients else {}
    warn_of_blank(shown)
    for stage, seen in records.items():
        for patient, content in shown.items():
            try:
                check_contents_disjoint({"evaluation": {patient: content}, stage: seen})
            except SplitError as error:
                reasons.setdefault(patient, str(error))
    return reasons


def check_same_dataset(networks: Sequence[LoadedNetwork], collection: Collection) -> None:
    """Refuses to judge networks on other files than those they were divided on.

    Raises:
        InputError: names the stage and both fingerprints.
    """
    for network in networks:
        if not same_files(network, collection):
            trained = network.manifest["dataset"]["fingerprint"]
            raise InputError(
                f"the {network.config.stage.value} network was trained on a dataset of "
                f"fingerprint {trained[:12]}, this one has {collection.fingerprint[:12]}; give "
                "the files that both networks were divided on"
            )


def same_files(network: LoadedNetwork, collection: Collection) -> bool:
    """Whether a dataset of the name of the network's holds what that was divided on, or may."""
    return network.manifest["dataset"]["fingerprint"] in (None, collection.fingerprint)


def warn_of_import(network: LoadedNetwork) -> None:
    """Says that an imported network may have been divided on other files of the same name."""
    if network.manifest["dataset"]["fingerprint"] is None:
        _LOGGER.warning(
            "the %s network was imported and does not tell which files it was trained on; "
            "its patients are taken to be those of the same names in data_dir",
            network.config.stage.value,
        )
