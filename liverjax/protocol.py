"""Typed configuration of a cross-validation of both stages."""

import dataclasses

from liverjax.choices import Protocol, Stage
from liverjax.config import DatasetConfig, ExperimentConfig


@dataclasses.dataclass
class CrossValidationConfig:
    """Both networks, and on whom each pair of them is trained, selected and judged.

    Attributes:
        liver, tumor: the experiments; both leave the patients of `dataset` empty, since these
            differ from fold to fold.
        protocol: how the patients are divided.
        folds: how many, with Protocol.KFOLD.
        splits: the file of Protocol.FILE, such as nnU-Net's splits_final.json.
        patients: those that take part; by default all that the dataset holds.
        validation: patients of each fold's training side that checkpoints, thresholds and
            post-processing are chosen on.
        inner_folds: into how many parts the training side is divided to predict its livers, each
            by a network that was trained on the others: the tumour network is trained within
            livers like those that it will meet. 0 trains it within the livers of the reference.
        calibrate: whether thresholds and post-processing are chosen on the validation patients;
            else the defaults are taken.
        seed: of the division.
    """

    liver: ExperimentConfig = dataclasses.field(default_factory=ExperimentConfig)
    tumor: ExperimentConfig = dataclasses.field(
        default_factory=lambda: ExperimentConfig(stage=Stage.TUMOR)
    )
    protocol: Protocol = Protocol.KFOLD
    folds: int = 5
    splits: str = ""
    patients: tuple[str, ...] = ()
    validation: int = 2
    inner_folds: int = 2
    calibrate: bool = True
    seed: int = 0


def without_patients(config: ExperimentConfig) -> ExperimentConfig:
    """`config` for a cross-validation, which deals out the patients itself."""
    kept = DatasetConfig(config.dataset.name, also_tested_on=config.dataset.also_tested_on)
    return dataclasses.replace(config, dataset=kept)
