"""The two networks composed: a CT in, liver and tumours out."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from liverjax.config import Stage
from liverjax.inference.load import LoadedNetwork, load_network
from liverjax.inference.postprocess import liver_from_probability, tumor_from_probability
from liverjax.inference.predict import predict_volume
from liverjax.labels import merge_masks
from liverjax.volume import Segmentation, Volume, from_canonical, to_canonical

Cascade = Callable[[Volume], Segmentation]


def load_cascade(liver_dir: str | Path, tumor_dir: str | Path) -> Cascade:
    """Loads the best checkpoint of each training run as one function from CT to segmentation.

    The liver network sees every slice; the largest piece of what it finds, holes filled, is
    the region in which the tumour network works. The result lies on the CT's own grid.

    Args:
        liver_dir, tumor_dir: workdirs of the two runs.

    Raises:
        CheckpointError: one of them holds no complete checkpoint of its stage.
    """
    return compose(
        load_network(Path(liver_dir), Stage.LIVER), load_network(Path(tumor_dir), Stage.TUMOR)
    )


def compose(liver: LoadedNetwork, tumor: LoadedNetwork) -> Cascade:
    """The cascade of two loaded networks; see `load_cascade`."""
    return partial(_segment, liver, tumor)


def _segment(liver: LoadedNetwork, tumor: LoadedNetwork, volume: Volume) -> Segmentation:
    hu = np.ascontiguousarray(to_canonical(volume.hu, volume.geometry))
    liver_mask = liver_from_probability(predict_volume(liver, hu))
    tumor_mask = tumor_from_probability(predict_volume(tumor, hu, liver_mask), liver_mask)
    labels = from_canonical(merge_masks(liver_mask, tumor_mask), volume.geometry)
    return Segmentation(np.ascontiguousarray(labels), volume.geometry)
