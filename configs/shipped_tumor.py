"""The tumour network that comes with the package: a small U-Net on crops of predicted livers.

Few of the livers that it is trained on hold tumours of a size that shows, so half of every batch
shows one, and some are painted; and one patient has more slices of them than all others together,
so patients are balanced in part. HU count from the liver's own level, so that phases move the
tumours against it only: brightness, contrast and gamma stand for that. In half of the slices the
liver is made brighter or darker, tumours included; as its level moves along, it is the unevenness
that remains, so that what differs from that level a little need not be a tumour. More epochs
overfit. The distance of the three slices is as it comes; varying it (`slice_thickness`) was not
tried.
"""

from configs.shipped_liver import patients
from liverjax.augment_config import AugmentConfig
from liverjax.choices import Network, Stage
from liverjax.config import ExperimentConfig, ModelConfig, OptimizerConfig, PreprocessConfig


def get_config() -> ExperimentConfig:
    return ExperimentConfig(
        stage=Stage.TUMOR,
        epochs=8,
        batch_size=8,
        evaluate_every=8,
        tumor_share=0.5,
        patient_balance=0.5,
        dataset=patients(),
        preprocess=PreprocessConfig(
            size=128,
            window_low=-100.0,
            window_high=100.0,
            neighbors=1,
            relative=True,
            relative_quantile=0.75,
        ),
        model=ModelConfig(Network.UNET, features=(8, 16, 32, 64, 128)),
        augment=AugmentConfig(
            rotation=30.0,
            zoom=0.25,
            flip=True,
            flip_vertical=True,
            contrast=0.15,
            brightness=20.0,
            gamma=0.3,
            gamma_probability=0.5,
            lesions=2,
            lesions_probability=0.3,
            parenchyma=40.0,
            parenchyma_probability=0.5,
        ),
        optimizer=OptimizerConfig(learning_rate=3e-3, clip_norm=1.0),
    )
