"""What a leak is worth: the same networks on the same data under two protocols.

The thesis' way: slices with tumour are copied 36 times, slices and copies of all patients are
shuffled together, a part of them is held out, and the tumour network works in the true liver.
Nearly every slice that is tested on then has its neighbours and its own turned copies among those
that were trained on. Ours: whole patients are held out, and the tumour network works in the liver
that the first network finds.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from liverjax.choices import Stage
from liverjax.config import DatasetConfig, ExperimentConfig
from liverjax.datasets.collection import VolumeCollection
from liverjax.datasets.copies import list_copies
from liverjax.datasets.in_memory import InMemorySource
from liverjax.datasets.order import Sampling
from liverjax.datasets.slices import check_annotated
from liverjax.errors import ConfigError
from liverjax.evaluation.case import CaseScore
from liverjax.evaluation.confusion import count
from liverjax.inference.load import load_network
from liverjax.inference.predict import predict_volume
from liverjax.protocol import CrossValidationConfig
from liverjax.training.loop import fit
from liverjax.validation import validate_protocol
from liverjax.workflows.cross_validate import cross_validate
from liverjax.workflows.manifest import Subject, begin_run

_LOGGER = logging.getLogger(__name__)

TEST_SHARE = 0.2
"""Of the slices and copies, in the thesis' way."""


@dataclasses.dataclass(frozen=True)
class Leakage:
    """Dice of one patient under both protocols; None where the reference is empty.

    Attributes:
        case: the patient.
        slices_liver, slices_tumor: over its slices that were held out, copies left out.
        patients_liver, patients_tumor: over its whole volume, end to end.
    """

    case: str
    slices_liver: float | None
    slices_tumor: float | None
    patients_liver: float | None
    patients_tumor: float | None


class _Side(NamedTuple):
    """Numbers of slices, over all patients, and of copies."""

    slices: np.ndarray
    copies: np.ndarray


def compare_protocols(
    config: CrossValidationConfig, collection: VolumeCollection, workdir: Path
) -> list[Leakage]:
    """Trains and judges under both protocols; goes on where an earlier call ended.

    Args:
        config: networks and folds. Both stages make the thesis' copies, under both protocols.
        collection: the patients, all with slices of one size.
        workdir: `slices/` holds the networks of the thesis' way, `patients/` the
            cross-validation.

    Returns:
        One entry per patient that is tested on in both.

    Raises:
        ConfigError: a stage without copies, with neighbouring slices or patience, or an
            impossible value.
        SplitError: a patient whose tumours were not annotated.
        LiverjaxError: whatever training and evaluation raise.
    """
    check_annotated(collection.name, collection.summaries, tuple(collection.summaries))
    config = _on(config, collection.name)
    validate_protocol(config)
    for stage in Stage:
        for field, found, wanted in (
            ("augment.copies", getattr(config, stage.value).augment.copies, True),
            ("preprocess.neighbors", getattr(config, stage.value).preprocess.neighbors, 0),
            ("patience", getattr(config, stage.value).patience, 0),
        ):
            if found != wanted:
                raise ConfigError(f"config.{stage.value}.{field}: expected {wanted}, found {found}")
    cases = cross_validate(config, collection, workdir / "patients")
    assert cases is not None  # all folds were asked for
    patients = sorted(case.case for case in cases)
    train, test = shuffled_slices(collection, patients, config.seed)
    runs = {stage: workdir / "slices" / stage.value for stage in Stage}
    for stage, run in runs.items():
        _train_on_slices(getattr(config, stage.value), collection, patients, train, run)
    shown = _score_slices(runs, collection, patients, test)
    ends = {case.case: (case.liver.dice, _tumor_dice(case)) for case in cases}
    return [Leakage(name, *shown[name], *ends[name]) for name in patients]


def _tumor_dice(case: CaseScore) -> float | None:
    return None if case.tumor is None else case.tumor.dice


def _on(config: CrossValidationConfig, dataset: str) -> CrossValidationConfig:
    """`config` for the patients of another dataset."""
    stages = {
        stage.value: dataclasses.replace(
            getattr(config, stage.value), dataset=DatasetConfig(dataset)
        )
        for stage in Stage
    }
    return dataclasses.replace(config, **stages)


def shuffled_slices(
    collection: VolumeCollection, patients: Sequence[str], seed: int
) -> tuple[_Side, _Side]:
    """The thesis' division: slices and copies of all patients, shuffled and cut in two."""
    references = [collection.read(name)[1] for name in patients]
    shows_tumor = np.concatenate([each.tumor.any(axis=(1, 2)) for each in references])
    slices, copies = list_copies(shows_tumor)
    order = np.random.default_rng(seed).permutation(len(slices))
    held = round(TEST_SHARE * len(order))
    return (
        _Side(slices[order[held:]], copies[order[held:]]),
        _Side(slices[order[:held]], copies[order[:held]]),
    )


def _train_on_slices(
    config: ExperimentConfig,
    collection: VolumeCollection,
    patients: Sequence[str],
    side: _Side,
    run: Path,
) -> None:
    volumes = [collection.read(name) for name in patients]
    labels = np.concatenate([reference.labels for _, reference in volumes])[..., None]
    rows = side.slices, side.copies
    if config.stage is Stage.TUMOR and not config.all_slices:
        with_liver = labels[rows[0]].any(axis=(1, 2, 3))
        rows = rows[0][with_liver], rows[1][with_liver]
    pixels = [(v.geometry.spacing or (0, 0, 0))[1:] for v, _ in volumes]
    source = InMemorySource(
        np.concatenate([volume.hu for volume, _ in volumes])[..., None],
        labels,
        np.repeat(np.array(pixels, np.float32), [len(v.hu) for v, _ in volumes], axis=0),
        batch_size=config.batch_size,
        sampling=Sampling(config.seed),
        copies=True,
        rows=rows,
    )
    # All patients have been seen, and the record of the run says so.
    sides = dataclasses.replace(config.dataset, train=tuple(patients))
    subject = Subject(dataclasses.replace(config, dataset=sides), collection.fingerprint)
    seen = collection.contents(patients)
    fit(subject.config, source, None, run, partial(begin_run, run, subject, seen))


def _score_slices(
    runs: Mapping[Stage, Path],
    collection: VolumeCollection,
    patients: Sequence[str],
    test: _Side,
) -> dict[str, tuple[float | None, float | None]]:
    """Dice of liver and tumour over each patient's held-out slices, as the thesis has it."""
    liver, tumor = (load_network(runs[stage], stage) for stage in Stage)
    held = np.sort(test.slices[test.copies == 0])
    scores, first = {}, 0
    for name in patients:
        volume, reference = collection.read(name)
        last = first + len(volume.hu)
        mine = held[(held >= first) & (held < last)] - first
        found = predict_volume(liver, volume)[mine] >= 0.5
        inside = reference.liver
        within = np.logical_and(predict_volume(tumor, volume, inside) >= 0.5, inside)[mine]
        pairs = (count(found, inside[mine]), count(within, reference.tumor[mine]))
        scores[name] = (pairs[0].dice, pairs[1].dice)
        first = last
    return scores


def dice_pairs(rows: Sequence[Leakage]) -> dict[str, list[tuple[float | None, float | None]]]:
    """Dice of every patient under the thesis' protocol and under ours, by structure."""
    return {
        "liver": [(row.slices_liver, row.patients_liver) for row in rows],
        "tumour": [(row.slices_tumor, row.patients_tumor) for row in rows],
    }
