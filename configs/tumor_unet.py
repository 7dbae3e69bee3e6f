"""A U-Net on crops of the liver in 3D-IRCADb-01, stage two: the tumours."""

from configs.liver_resunet import patients
from liverjax.config import (
    ExperimentConfig,
    ModelConfig,
    Network,
    PreprocessConfig,
    Stage,
)


def get_config() -> ExperimentConfig:
    return ExperimentConfig(
        stage=Stage.TUMOR,
        epochs=60,
        batch_size=8,
        dataset=patients(),
        # Tumours differ from liver by a few tens of HU: a narrow window spreads them.
        preprocess=PreprocessConfig(size=256, window_low=0.0, window_high=220.0),
        model=ModelConfig(Network.UNET, features=(16, 32, 64, 128, 256)),
    )
