"""Both networks that come with the package, for `train_cascade` and `cross_validate`."""

from configs import shipped_liver, shipped_tumor
from liverjax.protocol import CrossValidationConfig


def get_config() -> CrossValidationConfig:
    return CrossValidationConfig(
        liver=shipped_liver.get_config(),
        tumor=shipped_tumor.get_config(),
        folds=3,
        validation=0,
        calibrate=False,
    )
