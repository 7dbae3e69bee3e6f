"""The two networks composed: a CT in, liver and tumours out."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from liverjax.choices import Stage
from liverjax.inference.load import LoadedNetwork, load_network
from liverjax.inference.postprocess import Postprocess, find_liver, find_tumor
from liverjax.inference.predict import predict_volume
from liverjax.labels import merge_masks
from liverjax.volume import (
    Segmentation,
    Volume,
    canonical_volume,
    from_canonical,
)

_LOGGER = logging.getLogger(__name__)

Cascade = Callable[[Volume], Segmentation]


def load_cascade(liver_dir: str | Path, tumor_dir: str | Path) -> Cascade:
    """Loads the best checkpoint of each training run as one function from CT to segmentation.

    The liver network sees every slice; the largest piece of what it finds, holes filled, is
    the region in which the tumour network works. Thresholds, the smallest tumour and mirrored
    slices are those that `experiments.calibrate` chose, where it did. The result lies on the CT's
    own grid. Networks
    of the thesis' recipe work as the thesis has it: whole slices at the network's size, all that
    reaches one half is found, and what is found as liver multiplies the equalised slices. Tumour
    outside of that liver, which the thesis would have kept, is dropped here too.

    Args:
        liver_dir, tumor_dir: workdirs of the two runs, or of imported weights.

    Raises:
        CheckpointError: one of them holds no complete checkpoint of its stage.
    """
    return compose(
        load_network(Path(liver_dir), Stage.LIVER), load_network(Path(tumor_dir), Stage.TUMOR)
    )


def compose(liver: LoadedNetwork, tumor: LoadedNetwork) -> Cascade:
    """The cascade of two loaded networks; see `load_cascade` and `fit_to_liver`."""
    return partial(_segment, liver, fit_to_liver(tumor, liver))


def fit_to_liver(tumor: LoadedNetwork, liver: LoadedNetwork) -> LoadedNetwork:
    """The tumour network as it works with this liver network.

    What was chosen for it within the livers of another network is not used, which the log says.
    """
    chosen = tumor.calibration
    if chosen is None or not chosen.liver_checkpoint:
        return tumor
    if chosen.liver_checkpoint == liver.fingerprint:
        return tumor
    _LOGGER.warning(
        "the tumour network's threshold was chosen with another liver network, so the default is "
        "taken; choose anew with experiments.calibrate"
    )
    return tumor._replace(postprocess=Postprocess(), calibration=None)


def _segment(liver: LoadedNetwork, tumor: LoadedNetwork, volume: Volume) -> Segmentation:
    _warn_of_unknown_spacing((liver, tumor), volume)
    canonical = canonical_volume(volume)
    liver_mask = find_liver(
        liver.config.preprocess.recipe, predict_volume(liver, canonical), liver.postprocess
    )
    tumor_mask = find_tumor(
        tumor.config.preprocess.recipe,
        predict_volume(tumor, canonical, liver_mask),
        liver_mask,
        tumor.postprocess,
        canonical.geometry.voxel_ml,
    )
    labels = from_canonical(merge_masks(liver_mask, tumor_mask), volume.geometry)
    return Segmentation(np.ascontiguousarray(labels), volume.geometry)


def _warn_of_unknown_spacing(networks: Sequence[LoadedNetwork], volume: Volume) -> None:
    """Says once per CT where a network cannot be shown it at the scale that it was trained at."""
    scales = {
        network.config.stage.value: network.config.preprocess.pixel_mm
        for network in networks
        if network.config.preprocess.pixel_mm
    }
    if scales and not volume.geometry.spacing_known:
        trained = " and ".join(f"{stage} at {mm:g} mm" for stage, mm in scales.items())
        _LOGGER.warning(
            "the CT's voxel size is not known, but the networks were trained on pixels of one size "
            "(%s): its slices are fitted into the network's input instead, and the segmentation "
            "may suffer",
            trained,
        )
