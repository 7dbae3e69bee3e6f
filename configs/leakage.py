"""Small networks for `experiments.leakage`: with the thesis' copies, an epoch sees much."""

import dataclasses

from configs import quickstart_liver, quickstart_tumor
from liverjax.config import ExperimentConfig
from liverjax.protocol import CrossValidationConfig, without_patients


def get_config() -> CrossValidationConfig:
    return CrossValidationConfig(
        liver=_small(quickstart_liver.get_config(), epochs=1),
        tumor=_small(quickstart_tumor.get_config(), epochs=2),
        folds=3,
        validation=0,
        calibrate=False,
    )


def _small(config: ExperimentConfig, epochs: int) -> ExperimentConfig:
    """`config` at 64x64 with the copies of slices with tumour."""
    return dataclasses.replace(
        without_patients(config),
        epochs=epochs,
        preprocess=dataclasses.replace(config.preprocess, size=64),
        model=dataclasses.replace(config.model, features=(8, 16, 32, 64)),
        augment=dataclasses.replace(config.augment, copies=True),
    )
