"""One fold of a cross-validation: both networks trained, and judged on whom neither has seen."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from liverjax.choices import Stage
from liverjax.config import DatasetConfig, ExperimentConfig
from liverjax.datasets.collection import Collection
from liverjax.datasets.folds import Fold, stratified_folds
from liverjax.datasets.slices import PatientSummary
from liverjax.inference.load import LoadedNetwork, load_network, load_networks
from liverjax.inference.postprocess import find_liver
from liverjax.inference.predict import predict_volume
from liverjax.io.atomic import make_folder
from liverjax.io.lock import only_user
from liverjax.io.masks import read_mask, write_mask
from liverjax.protocol import CrossValidationConfig
from liverjax.workflows.calibrate import calibrate
from liverjax.workflows.figures import evaluate_and_draw
from liverjax.workflows.report import EVALUATION
from liverjax.workflows.train import train

_LOGGER = logging.getLogger(__name__)


def run_fold(
    config: CrossValidationConfig, collection: Collection, fold: Fold, folder: Path
) -> None:
    """Trains both stages of a fold and evaluates the cascade on its test patients.

    A fold that was cut off goes on where it ended, and one that is done is left alone.

    Everything is made from `fold.train` and `fold.validation`: also the networks that predict the
    livers of `fold.train` for the tumour stage, each trained on a part of `fold.train` and
    predicting the rest. The livers of `fold.validation` are those of the fold's own liver
    network, which the tumour network will work with.

    Args:
        config: of the cross-validation.
        collection: the dataset.
        fold: its patients.
        folder: of this fold; `liver/`, `tumor/`, `inner0/`..., `livers/` and the evaluation are
            written there.

    Raises:
        LiverjaxError: what training, calibration and evaluation raise; another process is working
            in `folder`.
    """
    with only_user(make_folder(folder)):
        if (folder / EVALUATION).is_file():
            return
        runs = {Stage.LIVER: folder / "liver", Stage.TUMOR: folder / "tumor"}
        train(_with_fold(config.liver, fold), collection, runs[Stage.LIVER])
        livers = _predict_livers(config, collection, fold, folder)
        train(_with_fold(config.tumor, fold), collection, runs[Stage.TUMOR], livers)
        networks = load_networks(runs, calibrated=False)
        if config.calibrate:
            networks = calibrate(networks, collection)
        evaluate_and_draw(networks, collection, folder, fold.test)


def tumor_burden(summary: PatientSummary) -> float:
    """Tumour over liver with tumours, by which folds are made alike; 0 without a liver."""
    return summary.tumor_voxels / summary.liver_voxels if summary.liver_voxels else 0.0


def _with_fold(config: ExperimentConfig, fold: Fold) -> ExperimentConfig:
    dataset: DatasetConfig = dataclasses.replace(config.dataset, **fold._asdict())
    return dataclasses.replace(config, dataset=dataset)


def _predict_livers(
    config: CrossValidationConfig, collection: Collection, fold: Fold, folder: Path
) -> dict[str, np.ndarray]:
    """The liver of everybody whom the tumour stage sees, by a network not trained on them."""
    store = make_folder(folder / "livers")
    burden = {name: tumor_burden(collection.summaries[name]) for name in fold.train}
    inner = stratified_folds(burden, folds=config.inner_folds, validation=0, seed=config.seed)
    for number, part in enumerate(inner):
        run = folder / f"inner{number}"
        missing = _missing(store, part.test)
        if missing:
            _LOGGER.info("Livers of %s, by a network that has not seen them", ", ".join(missing))
            sides = part._replace(validation=fold.validation)
            train(_with_fold(config.liver, sides), collection, run)
            _write_livers(load_network(run, Stage.LIVER), collection, missing, store)
    missing = _missing(store, fold.validation)
    if missing:
        network = load_network(folder / "liver", Stage.LIVER)
        _write_livers(network, collection, missing, store)
    seen = (*fold.train, *fold.validation)
    return {patient: read_mask(_path(store, patient)) for patient in seen}


def _missing(store: Path, patients: Sequence[str]) -> list[str]:
    return [patient for patient in patients if not _path(store, patient).is_file()]


def _path(store: Path, patient: str) -> Path:
    return store / f"{patient}.npz"


def _write_livers(
    network: LoadedNetwork, collection: Collection, patients: Sequence[str], store: Path
) -> None:
    recipe = network.config.preprocess.recipe
    for patient in patients:
        volume, reference = collection.read(patient)
        found = find_liver(recipe, predict_volume(network, volume), network.postprocess)
        if not found.any():
            _LOGGER.warning(
                "%s: the network found no liver; that of the reference stands for it in training",
                patient,
            )
            found = reference.liver
        write_mask(_path(store, patient), found)
