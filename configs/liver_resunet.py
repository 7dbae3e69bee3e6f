"""The thesis' residual U-Net on 3D-IRCADb-01, stage one: the liver."""

from liverjax.choices import Network, Stage
from liverjax.config import DatasetConfig, ExperimentConfig, ModelConfig, OptimizerConfig
from liverjax.datasets.splits import hold_out


def get_config() -> ExperimentConfig:
    return ExperimentConfig(
        stage=Stage.LIVER,
        epochs=60,
        batch_size=8,
        dataset=patients(),
        model=ModelConfig(Network.RESUNET, features=(16, 32, 64, 128, 256)),
        optimizer=OptimizerConfig(clip_norm=1.0),
    )


def patients() -> DatasetConfig:
    """Both stages share one division, or one network would be judged on the other's patients."""
    sides = hold_out(range(1, 21), validation=(8, 14, 19), test=(4, 5, 12, 17))
    return DatasetConfig(name="ircadb", **sides)
