"""The thesis' residual U-Net on 3D-IRCADb-01, stage one: the liver."""

from liverjax.config import DatasetConfig, ExperimentConfig, ModelConfig, Network, Stage


def get_config() -> ExperimentConfig:
    return ExperimentConfig(
        stage=Stage.LIVER,
        epochs=60,
        batch_size=8,
        dataset=patients(),
        model=ModelConfig(Network.RESUNET, features=(16, 32, 64, 128, 256)),
    )


def patients() -> DatasetConfig:
    """Both stages share one division, or one network would be judged on the other's patients."""
    test = (4, 5, 12, 17)
    validation = (8, 14, 19)
    return DatasetConfig(
        name="ircadb",
        train=tuple(
            f"patient{number:02d}" for number in range(1, 21) if number not in test + validation
        ),
        validation=tuple(f"patient{number:02d}" for number in validation),
        test=tuple(f"patient{number:02d}" for number in test),
    )
