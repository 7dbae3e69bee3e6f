"""The thesis' tumour network: that of the liver, on slices with all but the true liver blanked.

It departs from the notebook as `configs/thesis_liver.py` says; besides, the threshold of JPEG
masks (above 100) is applied when the dataset is read. Of the weights that it left, one file is
after 50 epochs and one after 100: `--config.epochs=100`.
"""

import dataclasses

from configs import thesis_liver
from liverjax.config import ExperimentConfig, Stage


def get_config() -> ExperimentConfig:
    return dataclasses.replace(thesis_liver.get_config(), stage=Stage.TUMOR, epochs=50)
