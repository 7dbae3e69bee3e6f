"""A problem small enough to be learnt in seconds: a bright disc with a dark one in it."""

import numpy as np

from liverjax.augment_config import TRANSFORMS, AugmentConfig
from liverjax.choices import Network, Stage
from liverjax.config import ExperimentConfig, ModelConfig, OptimizerConfig, PreprocessConfig
from liverjax.datasets.in_memory import InMemorySource
from liverjax.datasets.order import Sampling

# Switches off the transforms that are on by default, which take long to compile.
NOT_AUGMENTED = {name: 0.0 for name in TRANSFORMS if getattr(AugmentConfig(), name)}
SIDE = 32
SLICES = 16
BATCH = 4


def toy_slices(seed=0):
    """int16 HU and uint8 labels, both [SLICES, SIDE, SIDE, 1]."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    hu = rng.normal(0, 10, (SLICES, SIDE, SIDE))
    labels = np.zeros(hu.shape, np.uint8)
    for image, label in zip(hu, labels, strict=True):
        y, x = rng.uniform(12, 20, 2)
        label[(rows - y) ** 2 + (columns - x) ** 2 < 9**2] = 1
        label[(rows - y + 3) ** 2 + (columns - x) ** 2 < 3.5**2] = 2
        image += np.choose(label, [0, 120, 40])
    return hu.astype(np.int16)[..., None], labels[..., None]


def toy_source(seed=0, order=0):
    return InMemorySource(*toy_slices(seed), batch_size=BATCH, sampling=Sampling(order))


def toy_config(stage=Stage.LIVER, epochs=2, **fields):
    network = Network.RESUNET if stage is Stage.LIVER else Network.UNET
    return ExperimentConfig(
        stage=stage,
        epochs=epochs,
        batch_size=BATCH,
        model=ModelConfig(network, (8, 8), momentum=0.5),
        preprocess=PreprocessConfig(size=SIDE),
        augment=AugmentConfig(rotation=5, zoom=0.05, shift=0.02, brightness=5, contrast=0, noise=5),
        optimizer=OptimizerConfig(learning_rate=1e-2),
        **fields,
    )
