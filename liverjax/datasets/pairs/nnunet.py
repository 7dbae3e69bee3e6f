"""Writes patients as a raw dataset of nnU-Net."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from liverjax.datasets.collection import Collection
from liverjax.datasets.pairs.dataset_json import FILE_NAME
from liverjax.datasets.slices import annotated, select_patients
from liverjax.errors import InputError, SplitError
from liverjax.io.atomic import make_folder, staging, write_json
from liverjax.io.nifti import write_segmentation, write_volume
from liverjax.labels import Label
from liverjax.volume import Geometry, Segmentation, Volume
from liverjax.wording import listed

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_MOST = 999  # nnU-Net's numbers have three digits
_SUFFIX = ".nii.gz"


def write_nnunet(
    collection: Collection,
    output: Path,
    dataset_id: int,
    name: str,
    patients: Sequence[str] = (),
) -> Path:
    """Writes `DatasetNNN_NAME` with `imagesTr`, `labelsTr` and `dataset.json`, whole or not at all.

    Voxels stand along head, back and left in the file's (k, j, i). Where the voxel size is not
    known it is 1 mm, of an unknown unit. Labels are background 0, liver 1 and tumor 2; without
    tumor where those of no patient were annotated.

    Args:
        collection: the dataset.
        output: folder that it is written into, nnU-Net's `nnUNet_raw`.
        dataset_id: from 1 to 999.
        name: letters, digits, `-` and `_`.
        patients: whom; by default all.

    Returns:
        The folder of the dataset.

    Raises:
        InputError: another number or name, or the folder is there already.
        SplitError: no such patient, or the tumours of some patients were annotated and those of
            others not, which nnU-Net would take for healthy livers.
    """
    if not 1 <= dataset_id <= _MOST:
        raise InputError(f"dataset_id: expected 1 to {_MOST}, found {dataset_id}")
    if not _NAME.fullmatch(name):
        raise InputError(f"name: expected letters, digits, - and _, found {name!r}")
    held = collection.summaries
    chosen = tuple(select_patients(collection.name, held, patients or tuple(held)))
    with_tumors = annotated(held, chosen)
    if with_tumors and len(with_tumors) < len(chosen):
        others = [patient for patient in chosen if patient not in with_tumors]
        raise SplitError(
            f"{collection.name}: the tumours of {listed(with_tumors)} were annotated, those of "
            f"{listed(others)} were not; choose one kind with --patients"
        )
    folder = make_folder(output) / f"Dataset{dataset_id:03d}_{name}"
    if folder.exists():
        raise InputError(f"{folder}: is there already; delete it, or give another number or name")
    labels = {"background": Label.BACKGROUND, "liver": Label.LIVER}
    if with_tumors:
        labels["tumor"] = Label.TUMOR
    with staging(output / f".unfinished-{folder.name}") as made:
        images, truths = make_folder(made / "imagesTr"), make_folder(made / "labelsTr")
        for patient in tqdm(chosen, desc="export", unit="patient", disable=None):
            volume, reference = collection.read(patient)
            geometry = _written(volume.geometry)
            write_volume(images / f"{patient}_0000{_SUFFIX}", Volume(volume.hu, geometry))
            truth = Segmentation(reference.labels, geometry)
            write_segmentation(truths / f"{patient}{_SUFFIX}", truth)
        description = {
            "channel_names": {"0": "CT"},
            "labels": {label: int(value) for label, value in labels.items()},
            "numTraining": len(chosen),
            "file_ending": _SUFFIX,
        }
        write_json(made / FILE_NAME, description)
        return made.rename(folder)


def _written(geometry: Geometry) -> Geometry:
    """With a placeholder of 1 mm where the voxel size is not known, whatever stood for it."""
    if geometry.spacing_known:
        return geometry
    steps = np.linalg.norm(geometry.affine[:3, :3], axis=0)
    affine = geometry.affine.copy()
    affine[:3, :3] /= steps
    return Geometry(affine, spacing_known=False)
