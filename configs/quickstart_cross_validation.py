"""The quickstart's networks in five folds of its twenty phantoms."""

from configs import quickstart_liver, quickstart_tumor
from liverjax.protocol import CrossValidationConfig, without_patients


def get_config() -> CrossValidationConfig:
    return CrossValidationConfig(
        liver=without_patients(quickstart_liver.get_config()),
        tumor=without_patients(quickstart_tumor.get_config()),
    )
