"""3D-IRCADb-01 as it is downloaded: which folders hold a patient's CT, liver and tumours."""

import re

from liverjax.datasets.ircadb.folders import innermost, named, require
from liverjax.datasets.ircadb.parts import Part, Parts
from liverjax.errors import InputError
from liverjax.io.tree import Folder

# Of this patient the tumour is not among the masks but in the labelled image, as this value.
LABELLED_PATIENT = 3
_LABELLED_TUMOR = 329

_PATIENT = re.compile(r"3dircadb1\.(\d+)", re.IGNORECASE)
# The whole name: "tumor", "leftsurretumor" and the like are tumours of other organs.
_TUMOR = re.compile(r"livertumors?\d*", re.IGNORECASE)
_SLICE = re.compile(r"image_\d+", re.IGNORECASE)


def patient_number(folder: Folder) -> int | None:
    """The number of the patient that a folder or archive is named after; None where it is not."""
    match = _PATIENT.fullmatch(folder.name)
    return int(match[1]) if match else None


def find_parts(number: int, patient: Folder) -> Parts:
    """Finds the CT, the liver and the liver tumours in a patient's folder.

    Folders may be packed, nested twice under one name, and accompanied by other files. Patient
    3's tumour is taken from LABELLED_DICOM where there is no mask of it.

    Raises:
        InputError: one of them is missing, or is there twice with different files.
    """
    sections = innermost(patient).open().folders
    ct = _part("PATIENT_DICOM", require(sections, patient, "PATIENT_DICOM"))
    masks = require(sections, patient, "MASKS_DICOM")
    structures = masks.open().folders
    liver = _part("MASKS_DICOM/liver", require(structures, masks, "liver"))
    names = sorted({below.name.lower() for below in structures if _TUMOR.fullmatch(below.name)})
    tumors = [_part(f"MASKS_DICOM/{name}", require(structures, masks, name)) for name in names]
    if number == LABELLED_PATIENT and not tumors:
        if not named(sections, "LABELLED_DICOM"):
            raise InputError(
                f"{patient.path}: LABELLED_DICOM is missing; of patient {number} it alone holds "
                "the tumour, so the patient cannot be read without it"
            )
        labelled = _part("LABELLED_DICOM", require(sections, patient, "LABELLED_DICOM"))
        # Going on without a voxel would make a patient with a tumour one without.
        blank = f"expected the tumour as value {_LABELLED_TUMOR}, found it nowhere"
        tumors = [labelled._replace(value=_LABELLED_TUMOR, blank=blank)]
    return Parts(ct, liver, tumors)


def _part(name: str, folder: Folder) -> Part:
    """The slices in a folder; other files beside them are left out."""
    files = [file for file in folder.open().files if _SLICE.fullmatch(file.path.name)]
    if not files:
        raise InputError(f"{folder.path}: expected DICOM files image_0, image_1, ..., found none")
    return Part(name, folder.path, files)
