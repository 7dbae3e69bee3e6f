"""Collections of whole volumes in memory: synthetic patients, and pairs of NIfTI files."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from liverjax.datasets.collection import VolumeCollection
from liverjax.datasets.phantom.patient import PhantomSpec
from liverjax.datasets.phantom.phantom import Phantom, make_phantom
from liverjax.datasets.splits import patient_split
from liverjax.errors import InputError
from liverjax.io.nifti import read_labels, read_nifti
from liverjax.labels import merge_masks
from liverjax.volume import (
    Geometry,
    Segmentation,
    Volume,
    canonical_geometry,
    canonical_volume,
    to_canonical,
)

_VOLUME = re.compile(r"volume-(\d+)\.nii(\.gz)?")


def phantom_volumes(numbers: Sequence[int], spec: PhantomSpec | None = None) -> VolumeCollection:
    """Phantoms as they would be read from their archives; every fifth has no tumour."""
    spec = spec or PhantomSpec()
    phantoms = [make_phantom(number, spec) for number in numbers]
    return VolumeCollection(
        "phantom",
        {patient_split(each.number): (each.volume, _reference(each)) for each in phantoms},
    )


def read_volumes(folder: Path, coarsen: int = 1) -> VolumeCollection:
    """The pairs `volume-N.nii.gz` and `segmentation-N.nii.gz` of LiTS in a folder.

    Args:
        folder: of the files.
        coarsen: rows and columns of a slice that become one: the mean of their HU, and liver or
            tumour where at least half of them are.

    Raises:
        InputError: there is none, one without its partner, one that cannot be read, or whose
            sides `coarsen` does not divide.
    """
    found = {
        int(match[1]): path
        for path in sorted(folder.glob("volume-*"))
        if (match := _VOLUME.fullmatch(path.name))
    }
    if not found:
        raise InputError(f"{folder}: expected volume-N.nii.gz with segmentation-N.nii.gz")
    volumes = {}
    for number, path in sorted(found.items()):
        partner = path.with_name(path.name.replace("volume", "segmentation"))
        if not partner.is_file():
            raise InputError(f"{path}: expected {partner.name} beside it")
        pair = canonical_volume(read_nifti(path)), _canonical_labels(read_labels(partner))
        if any(side % coarsen for side in pair[0].hu.shape[1:]):
            raise InputError(
                f"{path}: expected sides that {coarsen} divides, found {pair[0].hu.shape[1:]}"
            )
        volumes[f"volume-{number}"] = _coarsen(*pair, coarsen) if coarsen > 1 else pair
    return VolumeCollection("lits", volumes)


def _reference(phantom: Phantom) -> Segmentation:
    masks = [mask for name, mask in phantom.structures.items() if name.startswith("livertumor")]
    nothing = np.zeros(phantom.volume.hu.shape, bool)
    labels = merge_masks(phantom.structures["liver"], np.logical_or.reduce([nothing, *masks]))
    return Segmentation(labels, phantom.volume.geometry)


def _canonical_labels(reference: Segmentation) -> Segmentation:
    labels = np.ascontiguousarray(to_canonical(reference.labels, reference.geometry))
    return Segmentation(labels, canonical_geometry(reference.labels.shape, reference.geometry))


def _coarsen(volume: Volume, reference: Segmentation, factor: int) -> tuple[Volume, Segmentation]:
    """Both with squares of `factor` pixels made one, whose centre is theirs."""
    scale = np.diag([1.0, factor, factor, 1.0])
    scale[1:3, 3] = (factor - 1) / 2
    geometry = Geometry(volume.geometry.affine @ scale, volume.geometry.spacing_known)
    hu = np.rint(_means(volume.hu, factor)).astype(np.int16)
    masks = (_means(mask, factor) >= 0.5 for mask in (reference.liver, reference.tumor))
    return Volume(hu, geometry), Segmentation(merge_masks(*masks), geometry)


def _means(values: np.ndarray, factor: int) -> np.ndarray:
    depth, height, width = values.shape
    blocks = values.reshape(depth, height // factor, factor, width // factor, factor)
    return blocks.mean(axis=(2, 4), dtype=np.float32)
