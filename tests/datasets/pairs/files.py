"""Small CTs with labels in files, in the layouts of data sets."""

import numpy as np

from liverjax.io.nifti import write_segmentation, write_volume
from liverjax.volume import Geometry, Segmentation, Volume

SPACED = Geometry.from_axes((-10.0, -20.0, 30.0), (2.0, 0.7, 0.8))
PLACEHOLDER = Geometry.from_axes((0.0, 0.0, 0.0), None)
SIDE = 24


def tiny_hu(seed, depth=4, side=SIDE):
    """Noise int16 [D, H, W] that differs between seeds."""
    return np.random.default_rng(seed).integers(-160, 240, (depth, side, side), dtype=np.int16)


def tiny_labels(depth=4, side=SIDE, liver=1, tumor=2, organ=0):
    """A liver with a tumour, and another organ, by the values of a label file."""
    labels = np.full((depth, side, side), organ, np.uint8)
    labels[:, 4:-4, 4:-4] = 0
    labels[1:-1, 4:-4, 4:-4] = liver
    labels[1, 5:8, 5:9] = tumor
    return labels


def write_pair(image, label, seed, values=None, geometry=SPACED):
    """Writes a CT and its labels; folders are made. Returns HU and values."""
    hu, values = tiny_hu(seed), tiny_labels() if values is None else values
    for path in (image, label):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_volume(image, Volume(hu, geometry))
    write_segmentation(label, Segmentation(values, geometry))
    return hu, values


def write_lits(folder, number, seed=None, geometry=SPACED):
    """As `write_pair`, under the names of LiTS."""
    paths = (folder / f"{kind}-{number}.nii.gz" for kind in ("volume", "segmentation"))
    return write_pair(*paths, seed or number, geometry=geometry)


def write_btcv(folder, number, geometry=SPACED):
    """As `write_pair`, under the names of BTCV and with its values."""
    paths = (folder / f"{kind}{number:04}.nii.gz" for kind in ("img", "label"))
    return write_pair(*paths, number, tiny_labels(liver=6, tumor=6, organ=3), geometry)
