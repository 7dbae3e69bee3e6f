"""Small networks for `experiments.leakage`: with the thesis' copies, an epoch sees much."""

import dataclasses

from configs import quickstart_liver, quickstart_tumor
from liverjax.config import ExperimentConfig
from liverjax.protocol import CrossValidationConfig, without_patients


def get_config() -> CrossValidationConfig:
    liver, tumor = (
        _with_copies(module.get_config(), epochs)
        for module, epochs in ((quickstart_liver, 1), (quickstart_tumor, 2))
    )
    return CrossValidationConfig(liver=liver, tumor=tumor, folds=3, validation=0, calibrate=False)


def _with_copies(config: ExperimentConfig, epochs: int) -> ExperimentConfig:
    augment = dataclasses.replace(config.augment, copies=True)
    return dataclasses.replace(without_patients(config), augment=augment, epochs=epochs)
