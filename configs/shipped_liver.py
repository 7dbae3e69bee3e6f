"""The liver network that comes with the package: a small ResUNet, for training on two cores.

Trained on LiTS and BTCV, which are stored through windows of -160..240 and -125..275 HU: the
network's own window lies inside both. Their voxel sizes are not known, so slices are fitted into
the input whole. Slice thickness is not varied, as the network sees single slices. Most is learnt
at 128x128; two epochs at 192x192 give the border its precision, at twice the arithmetic.
"""

from liverjax.augment_config import AugmentConfig
from liverjax.choices import Network, Stage
from liverjax.config import (
    DatasetConfig,
    ExperimentConfig,
    ModelConfig,
    OptimizerConfig,
    PreprocessConfig,
    PretrainConfig,
)


def get_config() -> ExperimentConfig:
    return ExperimentConfig(
        stage=Stage.LIVER,
        epochs=2,
        batch_size=8,
        evaluate_every=2,
        pretrain=PretrainConfig(epochs=14, size=128, learning_rate=3e-3),
        dataset=patients(),
        preprocess=PreprocessConfig(size=192, window_low=-100.0, window_high=200.0),
        model=ModelConfig(Network.RESUNET, features=(8, 16, 32, 64, 128), momentum=0.9),
        augment=AugmentConfig(
            rotation=15.0,
            zoom=0.25,
            shift=0.08,
            contrast=0.25,
            brightness=40.0,
            noise_probability=0.3,
            gamma=0.4,
            gamma_probability=0.5,
            phase=0.4,
            phase_probability=0.5,
            parenchyma=60.0,
            parenchyma_probability=0.4,
            lesions=3,
            lesions_probability=0.4,
            field_of_view=0.2,
            field_of_view_probability=0.2,
        ),
        optimizer=OptimizerConfig(learning_rate=5e-4, clip_norm=1.0),
    )


def patients() -> DatasetConfig:
    """LiTS and BTCV in one dataset, whose patients the command divides."""
    return DatasetConfig(name="lits", also_tested_on=("ircadb",))
