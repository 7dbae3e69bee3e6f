"""A cascade without networks, and CTs for it."""

import dataclasses

import numpy as np

from liverjax.choices import Stage
from liverjax.config import ExperimentConfig
from liverjax.inference.cascade import Cascade, Prediction
from liverjax.inference.load import LoadedNetwork
from liverjax.labels import merge_masks
from liverjax.volume import Segmentation
from liverjax.workflows.case_files import Wanted
from tests.io.dicom.files import series_files

SHAPE = (4, 24, 32)


@dataclasses.dataclass(frozen=True, eq=False)
class Thresholds(Cascade):
    """Finds a liver in what is brighter than 50 HU, and tumours in what is darker than 150."""

    seen: list = dataclasses.field(default_factory=list)

    def predict(self, volume):
        self.seen.append(volume)
        liver = (volume.hu > 50).astype(np.float32)
        tumor = liver * (volume.hu < 150)
        labels = merge_masks(liver > 0, tumor > 0)
        return Prediction(Segmentation(labels, volume.geometry), liver, tumor)


def network(stage, fingerprint):
    config = ExperimentConfig(stage=stage)
    return LoadedNetwork(config, {}, lambda batch: batch, step=1, fingerprint=fingerprint)


def thresholds(liver="liver's", tumor="tumour's"):
    return Thresholds(network(Stage.LIVER, liver), network(Stage.TUMOR, tumor))


def scene(seed=0):
    """HU [D, H, W] of a box with a darker one in it, and some noise."""
    hu = np.random.default_rng(seed).integers(-900, -800, SHAPE).astype(np.int16)
    hu[1:4, 4:20, 6:26] = 200
    hu[2, 8:12, 10:16] = 100
    return hu


def study(name, seed=0):
    """The files of a study of one series."""
    return series_files(scene(seed), name)


USUAL = [
    "preview.png",
    "report.html",
    "report.json",
    "segmentation.dcm",
    "segmentation.nii.gz",
]
EVERYTHING = Wanted(probabilities=True, fractional=True)
EXTRA = [
    "liver_probability.nii.gz",
    "segmentation_fractional.dcm",
    "tumor_probability.nii.gz",
]


def listing(folder):
    """Names of what lies in a folder, the lock aside."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def contents(folder):
    return {name: (folder / name).read_bytes() for name in listing(folder)}
