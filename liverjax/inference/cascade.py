"""The two networks composed: a CT in, liver and tumours out."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from liverjax.choices import Stage
from liverjax.inference.bundle import open_networks
from liverjax.inference.load import LoadedNetwork
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


class Prediction(NamedTuple):
    """What a cascade finds in a CT.

    Attributes:
        segmentation: labels on the CT's own grid.
        liver, tumor: float32 [D, H, W] on the same grid, the networks' probabilities before
            thresholds and clean-up; that of tumour is 0 in slices without liver.
    """

    segmentation: Segmentation
    liver: np.ndarray
    tumor: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Cascade:
    """The two networks as one function from a CT to its segmentation; see `load_cascade`."""

    liver: LoadedNetwork
    tumor: LoadedNetwork

    def __call__(self, volume: Volume) -> Segmentation:
        """Segments a CT: labels on its own grid."""
        return self.predict(volume).segmentation

    def predict(self, volume: Volume) -> Prediction:
        """Segments a CT, and gives the probabilities as well."""
        _warn_of_unknown_spacing((self.liver, self.tumor), volume)
        canonical = canonical_volume(volume)
        voxel_ml = canonical.geometry.voxel_ml
        liver = predict_volume(self.liver, canonical)
        recipe = self.liver.config.preprocess.recipe
        liver_mask = find_liver(recipe, liver, self.liver.postprocess, voxel_ml)
        tumor = predict_volume(self.tumor, canonical, liver_mask)
        tumor_mask = find_tumor(
            self.tumor.config.preprocess.recipe,
            tumor,
            liver_mask,
            self.tumor.postprocess,
            voxel_ml,
        )
        labels, liver, tumor = (
            np.ascontiguousarray(from_canonical(array, volume.geometry))
            for array in (merge_masks(liver_mask, tumor_mask), liver, tumor)
        )
        return Prediction(Segmentation(labels, volume.geometry), liver, tumor)


def load_cascade(
    liver_dir: str | Path | None = None,
    tumor_dir: str | Path | None = None,
    *,
    weights: str | Path | None = None,
) -> Cascade:
    """Loads two networks as one function from CT to segmentation.

    Without arguments they are those that come with this package, see `liverjax/weights`; else the
    best checkpoint of each training run, or those of another bundle.

    The liver network sees every slice; the largest piece of what it finds, holes filled, is
    the region in which the tumour network works; where that piece is too small for a liver, there
    is none, and the tumour network does not run. Thresholds, the smallest tumour and mirrored
    slices are those that `experiments.calibrate` chose, where it did. The result lies on the CT's
    own grid. Networks
    of the thesis' recipe work as the thesis has it: whole slices at the network's size, all that
    reaches one half is found, and what is found as liver multiplies the equalised slices. Tumour
    outside of that liver, which the thesis would have kept, is dropped here too.

    Args:
        liver_dir, tumor_dir: workdirs of the two runs, or of imported weights; both or neither.
        weights: folder that `experiments.ship` wrote, in place of the workdirs.

    Raises:
        ConfigError: one workdir without the other, or workdirs and `weights`.
        CheckpointError: there is no complete network of each stage.
    """
    networks = open_networks(liver_dir, tumor_dir, weights)
    return compose(networks[Stage.LIVER], networks[Stage.TUMOR])


def compose(liver: LoadedNetwork, tumor: LoadedNetwork) -> Cascade:
    """The cascade of two loaded networks; see `load_cascade` and `fit_to_liver`."""
    return Cascade(liver, fit_to_liver(tumor, liver))


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
