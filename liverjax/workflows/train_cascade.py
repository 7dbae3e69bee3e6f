"""Both networks trained, the second within livers that the first would find."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from liverjax.choices import Stage
from liverjax.config import DatasetConfig, ExperimentConfig
from liverjax.datasets.collection import Collection
from liverjax.datasets.content import check_contents_disjoint
from liverjax.datasets.folds import Fold, stratified_folds
from liverjax.datasets.slices import PatientSummary, annotated, select_patients
from liverjax.errors import ConfigError, SplitError
from liverjax.inference.load import LoadedNetwork, load_network
from liverjax.inference.postprocess import find_liver
from liverjax.inference.predict import predict_volume
from liverjax.io.atomic import make_folder
from liverjax.io.lock import only_user
from liverjax.io.masks import read_mask, write_mask
from liverjax.protocol import CrossValidationConfig
from liverjax.validation import validate_protocol
from liverjax.workflows.train import train

_LOGGER = logging.getLogger(__name__)


def train_cascade(
    config: CrossValidationConfig, collection: Collection, workdir: Path
) -> dict[Stage, Path]:
    """Trains both networks on all patients, for use and not to be judged.

    Nobody is held back: how good such networks are is what `cross_validate` tells of the same
    configuration, and thresholds are the defaults. A call that was cut off goes on.

    Args:
        config: both stages and `inner_folds`; what concerns folds is not used.
        collection: the dataset.
        workdir: see `train_stages`.

    Returns:
        The workdirs of the two networks.

    Raises:
        SplitError: the patients are too few, have no tumours that were annotated, or one is there
            under two names.
        LiverjaxError: what training raises; another process is working in `workdir`.
    """
    validate_protocol(config)
    if config.liver.dataset.name != collection.name:
        found = config.liver.dataset.name
        raise ConfigError(f"config.liver.dataset.name: expected {collection.name}, found {found}")
    held = collection.summaries
    chosen = select_patients(collection.name, held, config.patients or tuple(held))
    everybody = Fold(tuple(chosen), (), ())
    check_fold(config, everybody, held)
    with only_user(make_folder(workdir)):
        return train_stages(config, collection, everybody, workdir)


def check_fold(
    config: CrossValidationConfig, fold: Fold, held: Mapping[str, PatientSummary]
) -> None:
    """Refuses sides that both stages cannot be trained and calibrated on.

    Raises:
        SplitError: says what is missing.
    """
    if len(fold.train) < config.inner_folds:
        raise SplitError(
            f"expected at least inner_folds ({config.inner_folds}) patients to train on, found "
            f"{len(fold.train)}"
        )
    for side in ("train", "validation"):
        members = getattr(fold, side)
        if members and not annotated(held, members):
            raise SplitError(
                f"{side}: expected a patient whose tumours were annotated, found "
                f"{', '.join(members)}"
            )
    if config.tumor.tumor_share and not any(held[name].tumor_voxels for name in fold.train):
        raise SplitError(
            f"config.tumor.tumor_share: {config.tumor.tumor_share}, but none of "
            f"{', '.join(fold.train)} has a tumour; set it to 0, or are their labels others?"
        )


def train_stages(
    config: CrossValidationConfig, collection: Collection, fold: Fold, folder: Path
) -> dict[Stage, Path]:
    """Trains both networks on `fold.train`, or goes on where an earlier call ended.

    Everything is made from `fold.train` and `fold.validation`: also the networks that predict the
    livers of `fold.train` for the tumour stage, each trained on a part of `fold.train` and
    predicting the rest; without `config.inner_folds` these livers are those of the reference. The
    livers of `fold.validation` are those of the liver network that the tumour network will work
    with. Patients whose tumours were not annotated are for the liver networks alone.

    Args:
        config: both stages and `inner_folds`.
        collection: the dataset.
        fold: its patients.
        folder: `liver/`, `tumor/`, `inner0/`..., and `livers/` are written there; the last two
            where livers are predicted.

    Returns:
        The workdirs of the two networks.
    """
    runs = {Stage.LIVER: folder / "liver", Stage.TUMOR: folder / "tumor"}
    liver, tumor = runs.values()
    inner = _inner_folds(config, collection, fold)
    train(_with_fold(config.liver, fold), collection, liver)
    livers = _livers(config, collection, fold, inner, folder)
    train(_with_fold(config.tumor, _annotated(fold, collection)), collection, tumor, livers)
    return runs


def tumor_burden(summary: PatientSummary) -> float | None:
    """Tumour over liver with tumours, by which folds are made alike; 0 without a liver.

    None where tumours were not annotated.
    """
    if not summary.tumors_known:
        return None
    return summary.tumor_voxels / summary.liver_voxels if summary.liver_voxels else 0.0


def _annotated(fold: Fold, collection: Collection) -> Fold:
    """The fold of the tumour stage; whom the cascade is tested on stays."""
    train, validation = (annotated(collection.summaries, fold[side]) for side in (0, 1))
    return fold._replace(train=train, validation=validation)


def _with_fold(config: ExperimentConfig, fold: Fold) -> ExperimentConfig:
    dataset: DatasetConfig = dataclasses.replace(config.dataset, **fold._asdict())
    return dataclasses.replace(config, dataset=dataset)


def _inner_folds(config: CrossValidationConfig, collection: Collection, fold: Fold) -> list[Fold]:
    """The parts of `fold.train` that predict each other's livers; none where nobody's are.

    Raises:
        SplitError: a patient is in two of them under two names; found here rather than once the
            liver network is trained.
    """
    if not config.inner_folds:
        return []
    burden = {name: tumor_burden(collection.summaries[name]) for name in fold.train}
    inner = stratified_folds(burden, folds=config.inner_folds, validation=0, seed=config.seed)
    parts = {f"inner fold {n}": collection.contents(part.test) for n, part in enumerate(inner)}
    check_contents_disjoint(parts)
    return inner


def _livers(
    config: CrossValidationConfig,
    collection: Collection,
    fold: Fold,
    inner: Sequence[Fold],
    folder: Path,
) -> dict[str, np.ndarray]:
    """The livers that the tumour stage sees: of the reference, or by a network new to them."""
    store = folder / "livers"
    for number, part in enumerate(inner):
        run = folder / f"inner{number}"
        missing = _missing(store, annotated(collection.summaries, part.test))
        if missing:
            _LOGGER.info("Livers of %s, by a network that has not seen them", ", ".join(missing))
            sides = part._replace(validation=fold.validation)
            train(_with_fold(config.liver, sides), collection, run)
            _write_livers(load_network(run, Stage.LIVER), collection, missing, store)
    with_tumors = _annotated(fold, collection)
    missing = _missing(store, with_tumors.validation)
    if missing:
        network = load_network(folder / "liver", Stage.LIVER)
        _write_livers(network, collection, missing, store)
    predicted = [*(with_tumors.train if inner else ()), *with_tumors.validation]
    livers = {patient: read_mask(_path(store, patient)) for patient in predicted}
    others = set(with_tumors.train) - set(predicted)
    return livers | {patient: collection.read(patient)[1].liver for patient in others}


def _missing(store: Path, patients: Sequence[str]) -> list[str]:
    return [patient for patient in patients if not _path(store, patient).is_file()]


def _path(store: Path, patient: str) -> Path:
    return store / f"{patient}.npz"


def _write_livers(
    network: LoadedNetwork, collection: Collection, patients: Sequence[str], store: Path
) -> None:
    recipe = network.config.preprocess.recipe
    make_folder(store)
    for patient in patients:
        volume, reference = collection.read(patient)
        probability = predict_volume(network, volume)
        found = find_liver(recipe, probability, network.postprocess, volume.geometry.voxel_ml)
        if not found.any():
            _LOGGER.warning(
                "%s: the network found no liver; that of the reference stands for it in training",
                patient,
            )
            found = reference.liver
        write_mask(_path(store, patient), found)
