"""A U-Net on crops of the liver in 3D-IRCADb-01, stage two: the tumours."""

from configs.liver_resunet import patients
from liverjax.choices import Network, Stage
from liverjax.config import ExperimentConfig, ModelConfig, OptimizerConfig, PreprocessConfig


def get_config() -> ExperimentConfig:
    return ExperimentConfig(
        stage=Stage.TUMOR,
        epochs=60,
        batch_size=8,
        dataset=patients(),
        preprocess=PreprocessConfig(size=256, window_low=-120.0, window_high=120.0, relative=True),
        model=ModelConfig(Network.UNET, features=(16, 32, 64, 128, 256)),
        optimizer=OptimizerConfig(clip_norm=1.0),
    )
