"""What `train` does: one stage, from a collection of patients to checkpoints."""

import dataclasses
import logging
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from liverjax.checkpoint import FOLDER
from liverjax.choices import Stage
from liverjax.config import ExperimentConfig, PretrainConfig
from liverjax.datasets.collection import Collection, SourceOptions
from liverjax.datasets.livers import Livers
from liverjax.datasets.order import Sampling
from liverjax.datasets.planned import PlannedSource
from liverjax.datasets.slices import check_annotated
from liverjax.datasets.splits import check_disjoint
from liverjax.errors import ConfigError, SplitError
from liverjax.training.devices import as_in_first_process, check_same_everywhere, share_of_batches
from liverjax.training.log import read_metrics
from liverjax.training.loop import fit
from liverjax.validation import validate
from liverjax.workflows.leaks import check_training_side
from liverjax.workflows.manifest import Subject, begin_run
from liverjax.workflows.prepared import open_prepared

_LOGGER = logging.getLogger(__name__)

# In a workdir: that of the epochs on a smaller input.
PRETRAINED = "pretrained"


def train_prepared(config: ExperimentConfig, data_dir: Path, run: Path) -> None:
    """`train` on the prepared dataset that the configuration names; `data_dir` holds it.

    Raises:
        InputError: the dataset is not prepared; or what `train` raises.
    """
    validate(config)
    train(config, open_prepared(config.dataset.name, data_dir), run)


def train(
    config: ExperimentConfig, collection: Collection, run: Path, livers: Livers | None = None
) -> None:
    """Trains one network, or goes on where an earlier call with the same `run` ended.

    Args:
        config: the experiment.
        collection: whom `config.dataset` chooses from.
        run: workdir of this network.
        livers: for the tumour stage, the livers to train within, by patient; by default those of
            the reference.

    Raises:
        ConfigError: an impossible value, or `run` belongs to another configuration.
        SplitError: a patient on two sides, one that shows the same as another on another side,
            one that the dataset does not hold, or one whose tumours were not annotated at the
            tumour stage.
        InputError: the dataset or the livers are others than `run` was begun with; or another
            process is training in `run`.
        TrainingError: the loss is not finite.
        CheckpointError: one cannot be written, or initial weights do not fit.
        StoppedError: the process was asked to stop; what was done is saved.
    """
    validate(config)
    dataset = config.dataset
    check_disjoint({"train": dataset.train, "validation": dataset.validation, "test": dataset.test})
    if not dataset.train:
        raise SplitError("config.dataset.train: names no patient; expected e.g. ('patient01',)")
    if livers is not None and config.stage is not Stage.TUMOR:
        raise ConfigError("config.stage: expected tumor where livers are given, found liver")
    if collection.name != dataset.name:
        raise ConfigError(f"config.dataset.name: expected {collection.name}, found {dataset.name}")
    if config.stage is Stage.TUMOR:
        learnt = (*dataset.train, *dataset.validation)
        check_annotated(collection.name, collection.summaries, learnt)
    seen = check_training_side(config, collection)
    subject = Subject.of(config, collection.fingerprint, livers)
    check_same_everywhere({"dataset": collection.fingerprint, "livers": subject.livers})

    material = _Material(collection, livers, seen, subject)
    initial = None
    if config.pretrain.epochs:
        initial = run / PRETRAINED
        # A run that has come to a checkpoint needs them no more: then they may be gone.
        if not as_in_first_process(any((run / FOLDER).glob("*"))):
            selected = dataset.validation
            shown = {name: content for name, content in seen.items() if name not in selected}
            _train_phase(pretraining(config), material._replace(seen=shown), initial)
    _train_phase(config, material, run, initial)


def pretraining(config: ExperimentConfig) -> ExperimentConfig:
    """What `config.pretrain` stands for: the experiment whose weights the run starts from."""
    phase = config.pretrain
    return dataclasses.replace(
        config,
        epochs=phase.epochs,
        evaluate_every=phase.epochs,
        patience=0,
        dataset=dataclasses.replace(config.dataset, validation=()),
        preprocess=dataclasses.replace(config.preprocess, size=phase.size),
        optimizer=dataclasses.replace(config.optimizer, learning_rate=phase.learning_rate),
        pretrain=PretrainConfig(),
    )


def read_epochs(run: Path) -> tuple[list[dict[str, float]], int]:
    """All epochs of a run so far, and how many of them, the first, were on a smaller input.

    The records are as `training.log.read_metrics` gives them, epochs and steps counted through.

    Args:
        run: workdir that `train` has made, or one without metrics, which has no epochs.
    """
    smaller = read_metrics(run / PRETRAINED)
    before = {name: smaller[-1][name] if smaller else 0 for name in ("epoch", "step")}
    after = [
        record | {name: record[name] + count for name, count in before.items()}
        for record in read_metrics(run)
    ]
    return smaller + after, len(smaller)


class _Material(NamedTuple):
    """What all epochs of a run are trained on, whatever the size of their input."""

    collection: Collection
    livers: Livers | None
    seen: dict[str, np.ndarray]
    subject: Subject


def _train_phase(
    config: ExperimentConfig, material: _Material, run: Path, initial: Path | None = None
) -> None:
    """Trains the epochs of one input size; the first from scratch, the others from `initial`."""
    size = config.preprocess.size
    _LOGGER.info("%s: %d epochs at %dx%d", config.stage.value, config.epochs, size, size)

    def source(patients: tuple[str, ...], options: SourceOptions) -> PlannedSource:
        return material.collection.source(patients, options, material.livers)

    usual = SourceOptions(
        config.batch_size,
        # The second stage has as a rule no use for slices without liver.
        liver_only=config.stage is Stage.TUMOR and not config.all_slices,
        neighbors=config.preprocess.neighbors,
        share=share_of_batches(),
    )
    training = usual._replace(
        sampling=Sampling(
            config.seed, config.tumor_share, config.liver_share, config.patient_balance
        ),
        copies=config.augment.copies,
    )
    validation = config.dataset.validation
    sides = (
        source(config.dataset.train, training),
        source(validation, usual) if validation else None,
    )
    subject = material.subject._replace(config=config)
    fit(config, *sides, run, partial(begin_run, run, subject, material.seen), initial)
