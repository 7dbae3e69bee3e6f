"""Which folders of a 3D-IRCADb-01 patient hold its CT, its liver and its liver tumours."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from liverjax.errors import InputError
from liverjax.io.tree import File, Folder, only_one

# The whole name: "tumor", "leftsurretumor" and the like are tumours of other organs.
_TUMOR = re.compile(r"livertumors?\d*", re.IGNORECASE)
_SLICE = re.compile(r"image_\d+", re.IGNORECASE)

# Of patient 3 the tumour is not among the masks but in the labelled image, as this value.
_LABELLED_PATIENT = 3
_LABELLED_TUMOR = 329


class Part(NamedTuple):
    """Slices of a patient that belong together.

    Attributes:
        name: inside the patient, independent of how it is packed, e.g. "MASKS_DICOM/liver".
        where: the folder that holds the files.
        files: the slices.
        value: stored value that is meant; None for every value above 0.
    """

    name: str
    where: PurePosixPath
    files: list[File]
    value: int | None = None


class Parts(NamedTuple):
    """What is read of a patient; a patient without liver tumours has no `tumors`."""

    ct: Part
    liver: Part
    tumors: list[Part]


def find_parts(number: int, patient: Folder) -> Parts:
    """Finds the CT, the liver and the liver tumours in a patient's folder.

    Folders may be packed, nested twice under one name, and accompanied by other files. Patient
    3's tumour is taken from LABELLED_DICOM where there is no mask of it.

    Raises:
        InputError: one of them is missing, or is there twice with different files.
    """
    sections = _unwrap(patient)
    ct = _part("PATIENT_DICOM", _require(sections, patient, "PATIENT_DICOM"))
    masks = _require(sections, patient, "MASKS_DICOM")
    structures = _unwrap(masks)
    liver = _part("MASKS_DICOM/liver", _require(structures, masks, "liver"))
    names = sorted({below.name.lower() for below in structures if _TUMOR.fullmatch(below.name)})
    tumors = [_part(f"MASKS_DICOM/{name}", _require(structures, masks, name)) for name in names]
    if number == _LABELLED_PATIENT and not tumors:
        if not _named(sections, "LABELLED_DICOM"):
            raise InputError(
                f"{patient.path}: LABELLED_DICOM is missing; of patient {number} it alone holds "
                "the tumour, so the patient cannot be read without it"
            )
        labelled = _require(sections, patient, "LABELLED_DICOM")
        tumors = [_part("LABELLED_DICOM", labelled)._replace(value=_LABELLED_TUMOR)]
    return Parts(ct, liver, tumors)


def _unwrap(folder: Folder) -> list[Folder]:
    """The folders in `folder`, or in the folder of the same name in it."""
    return _innermost(folder).open().folders


def _innermost(folder: Folder) -> Folder:
    """`folder`, or the folder of the same name that it is wrapped around."""
    same = _named(folder.open().folders, folder.name)
    return _innermost(only_one(same, "keep one of them")) if same else folder


def _named(folders: Sequence[Folder], name: str) -> list[Folder]:
    return [folder for folder in folders if folder.name.lower() == name.lower()]


def _require(folders: Sequence[Folder], parent: Folder, name: str) -> Folder:
    """The folder called `name`; refuses its absence."""
    found = _named(folders, name)
    if not found:
        raise InputError(
            f"{parent.path}: expected {name} (a folder or a zip archive), found "
            f"{', '.join(sorted(folder.path.name for folder in folders)) or 'no folder'}"
        )
    return only_one(found, "keep one of them")


def _part(name: str, folder: Folder) -> Part:
    """The slices in a folder; other files beside them are left out."""
    inner = _innermost(folder)
    files = [file for file in inner.open().files if _SLICE.fullmatch(file.path.name)]
    if not files:
        raise InputError(f"{inner.path}: expected DICOM files image_0, image_1, ..., found none")
    return Part(name, inner.path, files)
