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
from liverjax.volume import Segmentation, Volume, canonical_geometry, to_canonical

_VOLUME = re.compile(r"volume-(\d+)\.nii(\.gz)?")


def phantom_volumes(numbers: Sequence[int], spec: PhantomSpec | None = None) -> VolumeCollection:
    """Phantoms as they would be read from their archives; every fifth has no tumour."""
    spec = spec or PhantomSpec()
    phantoms = [make_phantom(number, spec) for number in numbers]
    return VolumeCollection(
        "phantom",
        {patient_split(each.number): (each.volume, _reference(each)) for each in phantoms},
    )


def read_volumes(folder: Path) -> VolumeCollection:
    """The pairs `volume-N.nii.gz` and `segmentation-N.nii.gz` of LiTS in a folder.

    Raises:
        InputError: there is none, one without its partner, or one that cannot be read.
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
        volumes[f"volume-{number}"] = (
            _canonical_volume(read_nifti(path)),
            _canonical_labels(read_labels(partner)),
        )
    return VolumeCollection("lits", volumes)


def _reference(phantom: Phantom) -> Segmentation:
    masks = [mask for name, mask in phantom.structures.items() if name.startswith("livertumor")]
    nothing = np.zeros(phantom.volume.hu.shape, bool)
    labels = merge_masks(phantom.structures["liver"], np.logical_or.reduce([nothing, *masks]))
    return Segmentation(labels, phantom.volume.geometry)


def _canonical_volume(volume: Volume) -> Volume:
    hu = np.ascontiguousarray(to_canonical(volume.hu, volume.geometry))
    return Volume(hu, canonical_geometry(volume.hu.shape, volume.geometry))


def _canonical_labels(reference: Segmentation) -> Segmentation:
    labels = np.ascontiguousarray(to_canonical(reference.labels, reference.geometry))
    return Segmentation(labels, canonical_geometry(reference.labels.shape, reference.geometry))
