"""A small tumour U-Net: learns phantoms in minutes on two cores."""

from configs.quickstart_liver import phantoms
from liverjax.choices import Network, Stage
from liverjax.config import ExperimentConfig, ModelConfig, OptimizerConfig, PreprocessConfig


def get_config() -> ExperimentConfig:
    return ExperimentConfig(
        stage=Stage.TUMOR,
        epochs=28,
        batch_size=8,
        dataset=phantoms(),
        preprocess=PreprocessConfig(size=96, window_low=-80.0, window_high=80.0, relative=True),
        model=ModelConfig(Network.UNET, features=(8, 16, 32, 64)),
        optimizer=OptimizerConfig(learning_rate=3e-3, clip_norm=1.0),
    )
