"""Five folds of 3D-IRCADb-01, the ResUNet and the tumour U-Net in each."""

from configs import liver_resunet, tumor_unet
from liverjax.protocol import CrossValidationConfig, without_patients


def get_config() -> CrossValidationConfig:
    return CrossValidationConfig(
        liver=without_patients(liver_resunet.get_config()),
        tumor=without_patients(tumor_unet.get_config()),
    )
