"""What `train` does: one stage, from a prepared dataset to checkpoints."""

import json
from pathlib import Path

from liverjax import config as config_lib
from liverjax.config import ExperimentConfig, Stage
from liverjax.datasets.splits import check_disjoint
from liverjax.errors import InputError, SplitError
from liverjax.training.loop import MANIFEST, fit
from liverjax.workflows.manifest import build_manifest


def train(config: ExperimentConfig, data_dir: Path, run: Path) -> None:
    """Trains one network, or goes on where an earlier call with the same `run` ended.

    Args:
        config: the experiment.
        data_dir: where the prepared dataset lies.
        run: workdir of this network.

    Raises:
        ConfigError: an impossible value, or `run` belongs to another configuration.
        SplitError: a patient on two sides, or one that the dataset does not hold.
        InputError: the dataset is not prepared, or is another one than `run` was begun with.
        TrainingError: the loss is not finite.
    """
    from liverjax import input_pipeline  # here, so that importing workflows needs no TensorFlow

    config_lib.validate(config)
    dataset = config.dataset
    check_disjoint({"train": dataset.train, "validation": dataset.validation, "test": dataset.test})
    if not dataset.train:
        raise SplitError("config.dataset.train: names no patient; expected e.g. ('patient01',)")
    builder = input_pipeline.open_dataset(dataset.name, data_dir)
    fingerprint = input_pipeline.dataset_fingerprint(builder)
    _check_same_dataset(run, fingerprint)

    def source(patients: tuple[str, ...]) -> input_pipeline.SliceSource:
        return input_pipeline.SliceSource(
            builder,
            patients,
            batch_size=config.batch_size,
            seed=config.seed,
            liver_only=config.stage is Stage.TUMOR,
        )

    fit(
        config,
        source(dataset.train),
        source(dataset.validation) if dataset.validation else None,
        run,
        build_manifest(config, fingerprint),
    )


def _check_same_dataset(run: Path, fingerprint: str) -> None:
    """Refuses to go on with other data than a run was begun with."""
    path = run / MANIFEST
    if not path.exists():
        return
    begun = json.loads(path.read_text())["dataset"]["fingerprint"]
    if begun != fingerprint:
        raise InputError(
            f"{run}: begun with a dataset of fingerprint {begun[:12]}, found {fingerprint[:12]}; "
            "prepare the earlier dataset again, or give another workdir"
        )
