"""What `evaluate` does: the cascade on patients that neither network has seen."""

import dataclasses
import logging
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from liverjax.config import DatasetConfig
from liverjax.datasets.splits import check_disjoint
from liverjax.errors import InputError, SplitError
from liverjax.evaluation.overlap import PatientScore, score_patient
from liverjax.inference.cascade import compose
from liverjax.inference.load import LoadedNetwork
from liverjax.io.atomic import make_folder, write_json
from liverjax.volume import Segmentation, Volume
from liverjax.workflows.manifest import check_ancestor

_LOGGER = logging.getLogger(__name__)

EVALUATION = "evaluation.json"


class Case(NamedTuple):
    """A patient as evaluated; all three lie on one grid."""

    patient: str
    volume: Volume
    prediction: Segmentation
    reference: Segmentation


def evaluate(
    liver: LoadedNetwork,
    tumor: LoadedNetwork,
    data_dir: Path,
    patients: Sequence[str] = (),
    on_case: Callable[[Case], None] | None = None,
) -> list[PatientScore]:
    """Scores the cascade, end to end: the tumour network works in the predicted liver.

    Args:
        liver, tumor: the two networks.
        data_dir: where the prepared dataset lies.
        patients: by default those that both networks hold back for testing.
        on_case: called with each patient once scored. Volumes are not kept, so what needs them,
            such as a picture, is to be made here.

    Raises:
        SplitError: a patient was used to train or to select one of the networks, or none is left.
        InputError: a network was trained on another dataset than the one in `data_dir`, where a
            patient of the same name may be somebody else.
    """
    from liverjax import input_pipeline  # here, so that importing workflows needs no TensorFlow

    sides = (liver.config.dataset, tumor.config.dataset)
    chosen = tuple(patients) or tuple(name for name in sides[0].test if name in sides[1].test)
    if not chosen:
        held = " and ".join(
            f"the {network.config.stage.value} network {', '.join(side.test) or 'nobody'}"
            for network, side in zip((liver, tumor), sides, strict=True)
        )
        raise SplitError(f"no patient to evaluate: expected one that both hold back, found {held}")
    check_held_out(chosen, sides)
    for network in (liver, tumor):
        check_ancestor(chosen, network.manifest)
    builder = input_pipeline.open_dataset(sides[0].name, data_dir)
    check_same_dataset((liver, tumor), input_pipeline.dataset_fingerprint(builder))
    cascade = compose(liver, tumor)
    scores = []
    for name in tqdm(chosen, desc="evaluate", unit="patient", disable=None):
        volume, reference = input_pipeline.read_volume(builder, name)
        prediction = cascade(volume)
        scores.append(score_patient(name, prediction, reference))
        if on_case is not None:
            on_case(Case(name, volume, prediction, reference))
    return scores


def check_held_out(patients: Sequence[str], sides: Sequence[DatasetConfig]) -> None:
    """Refuses to judge networks on patients that they were trained or selected on.

    Args:
        patients: who is to be scored.
        sides: what each network was trained with.

    Raises:
        SplitError: names the patient and the side.
    """
    for side in sides:
        check_disjoint({"evaluation": patients, "train": side.train, "validation": side.validation})


def check_same_dataset(networks: Sequence[LoadedNetwork], fingerprint: str) -> None:
    """Refuses to judge networks on another dataset than the one they were divided on.

    Raises:
        InputError: names the stage and both fingerprints.
    """
    for network in networks:
        trained = network.manifest["dataset"]["fingerprint"]
        if trained is None:
            _LOGGER.warning(
                "the %s network was imported and does not tell which files it was trained on; "
                "its patients are taken to be those of the same names in data_dir",
                network.config.stage.value,
            )
        elif trained != fingerprint:
            raise InputError(
                f"the {network.config.stage.value} network was trained on a dataset of "
                f"fingerprint {trained[:12]}, data_dir holds {fingerprint[:12]}; give the "
                "data_dir that both networks were trained from"
            )


def write_evaluation(folder: Path, scores: Sequence[PatientScore]) -> None:
    """Writes `evaluation.json`: `{"patients": [...]}`, one entry each; undefined is null."""
    path = make_folder(folder) / EVALUATION
    write_json(path, {"patients": [dataclasses.asdict(score) for score in scores]})


def mean(values: Sequence[float | None]) -> tuple[float | None, int]:
    """Mean over the values that are defined, and how many they are; None where there is none."""
    defined = [value for value in values if value is not None]
    return (statistics.fmean(defined) if defined else None), len(defined)


def format_scores(scores: Sequence[PatientScore]) -> str:
    """A table of the patients and their means, in plain text; a dash is undefined."""
    rows = [
        (score.patient, score.liver_dice, score.tumor_dice, score.tumor_false_positive_ml)
        for score in scores
    ]
    header = f"{'patient':<12}{'liver Dice':>12}{'tumour Dice':>13}{'false tumour mL':>17}"
    lines = [header, *(_row(*row) for row in rows)]
    columns = [mean(column) for column in zip(*(row[1:] for row in rows), strict=True)]
    lines.append(_row("mean", *(value for value, _ in columns)))
    counts = [f"{count}" for _, count in columns]
    lines.append(f"{'  over cases':<12}{counts[0]:>12}{counts[1]:>13}{counts[2]:>17}")
    return "\n".join(lines)


def _row(name: str, liver: float | None, tumor: float | None, false_positive: float | None) -> str:
    def cell(value: float | None, digits: int) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    return f"{name:<12}{cell(liver, 3):>12}{cell(tumor, 3):>13}{cell(false_positive, 2):>17}"
