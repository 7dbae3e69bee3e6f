"""A small tumour U-Net: learns phantoms in minutes on two cores."""

from configs.quickstart_liver import phantoms
from liverjax.config import (
    ExperimentConfig,
    ModelConfig,
    Network,
    OptimizerConfig,
    PreprocessConfig,
    Stage,
)


def get_config() -> ExperimentConfig:
    return ExperimentConfig(
        stage=Stage.TUMOR,
        epochs=10,
        batch_size=8,
        dataset=phantoms(),
        preprocess=PreprocessConfig(size=128, window_low=0.0, window_high=220.0),
        model=ModelConfig(Network.UNET, features=(8, 16, 32, 64)),
        optimizer=OptimizerConfig(learning_rate=3e-3),
    )
