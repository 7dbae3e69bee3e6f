"""3D-IRCADb-01 as the thesis' notebooks laid it out to train from.

    train/patients/1.N_image_k                       CT slices of all patients together
    train/masks/1.N_liver/1.N_image_k                liver mask of each slice
    train/masks/merged_livertumors/1.N_image_k.jpg   all liver tumours of each slice, black if none

CT and liver masks are the DICOM files of the download, renamed. The notebooks wrote augmented
copies of slices beside them, flipped (`1.N_image_<count>_augref`) and rotated (`_augrot`). Their
count runs through all copies, so it does not say which slice one was made of; they are left out,
and training makes its own from the slices.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from liverjax.datasets.ircadb.archive_layout import LABELLED_PATIENT
from liverjax.datasets.ircadb.folders import innermost, named, require
from liverjax.datasets.ircadb.parts import Part, Parts, Storage
from liverjax.errors import InputError
from liverjax.io.tree import File, Folder, only_one

CT_FOLDER = "patients"
MASKS_FOLDER = "masks"
TUMOR_FOLDER = "merged_livertumors"
TUMOR_SUFFIX = ".jpg"

_NAME = re.compile(
    r"1\.(?P<patient>[1-9][0-9]{0,3})_image_(?P<index>[0-9]{1,6})"
    r"(?:_(?P<copy>augref|augrot))?(?P<suffix>\.[a-z]+)?",
    re.IGNORECASE,
)
_SEEMS_A_SLICE = re.compile(r"1\.[0-9]+_image", re.IGNORECASE)


class Slices(NamedTuple):
    """What lies in one folder of the layout.

    Attributes:
        of_patient: original slices by patient number and, below it, by index.
        copies: how many augmented files there are, by "augref" and "augrot".
    """

    of_patient: dict[int, dict[int, File]]
    copies: Counter[str]


def liver_folder(number: int) -> str:
    """Name of the folder of a patient's liver masks."""
    return f"1.{number}_liver"


def slice_name(number: int, index: int) -> str:
    """Name of a slice's CT file and liver mask, and of its tumour mask before the suffix."""
    return f"1.{number}_image_{index}"


def find_slices(folders: Sequence[Folder]) -> Slices | None:
    """The CT slices where `folders` are those of the layout's top; None where they are not.

    Raises:
        InputError: as `sort_slices`, or `patients` is there twice with different files.
    """
    found = named(folders, CT_FOLDER)
    if not found or not named(folders, MASKS_FOLDER):
        return None
    slices = sort_slices(innermost(only_one(found, "keep one of them")))
    return slices if slices.of_patient else None


def sort_slices(folder: Folder, suffix: str = "") -> Slices:
    """Tells original slices and augmented copies in a folder apart.

    Args:
        folder: one of the layout's.
        suffix: that the originals have there. Copies may have any.

    Returns:
        What the folder holds. Files whose names do not begin as those of slices are left out.

    Raises:
        InputError: a name begins as a slice's and is none, such as that of a second copy of a
            file; leaving it out might lose a slice.
    """
    slices = Slices(defaultdict(dict), Counter())
    for file in folder.open().files:
        match = _NAME.fullmatch(file.path.name)
        if match and match["copy"]:
            slices.copies[match["copy"].lower()] += 1
            continue
        if not match or (match["suffix"] or "").lower() != suffix:
            if _SEEMS_A_SLICE.match(file.path.name):
                raise InputError(
                    f"{file.path}: expected a name such as 1.4_image_12{suffix}, or one with "
                    "_augref or _augrot of an augmented copy; rename the file or take it away"
                )
            continue
        of_patient = slices.of_patient[int(match["patient"])]
        other = of_patient.setdefault(int(match["index"]), file)
        if other is not file:
            raise InputError(f"{file.path}: the same slice as {other.path.name}; keep one of them")
    return slices


def find_parts(number: int, top: Folder) -> Parts:
    """Finds a patient's CT, liver and tumours.

    Args:
        number: of the patient.
        top: the folder that holds `patients` and `masks`.

    Raises:
        InputError: a folder or a slice of the CT is missing, or a file's name is none of the
            layout's.
    """
    sections = top.open().folders
    ct = _part(CT_FOLDER, number, require(sections, top, CT_FOLDER))
    masks = require(sections, top, MASKS_FOLDER)
    structures = masks.open().folders
    name = liver_folder(number)
    liver = _part(f"{MASKS_FOLDER}/{name}", number, require(structures, masks, name))
    tumors = _part(
        f"{MASKS_FOLDER}/{TUMOR_FOLDER}",
        number,
        require(structures, masks, TUMOR_FOLDER),
        TUMOR_SUFFIX,
    )._replace(storage=Storage.JPEG)
    if number == LABELLED_PATIENT:
        # Merging the masks of the download alone makes this patient one without tumour.
        blank = (
            f"expected the tumour of patient {number}, which the download has in LABELLED_DICOM "
            "and not among its masks, found none; lay the patient out anew with "
            f"`python -m experiments.export_thesis`, or take its files 1.{number}_image_* out of "
            f"{CT_FOLDER}"
        )
        tumors = tumors._replace(blank=blank)
    return Parts(ct, liver, [tumors])


def _part(name: str, number: int, folder: Folder, suffix: str = "") -> Part:
    """A patient's slices in a folder, none of them missing in between."""
    files = sort_slices(folder, suffix).of_patient.get(number, {})
    if not files:
        raise InputError(
            f"{folder.path}: expected {slice_name(number, 0)}{suffix} and so on, found no slice "
            f"of patient {number}"
        )
    for index in range(min(files), max(files)):
        if index not in files:
            raise InputError(
                f"{folder.path / slice_name(number, index)}{suffix}: missing, between "
                f"{slice_name(number, min(files))} and {slice_name(number, max(files))}"
            )
    return Part(name, folder.path, [files[index] for index in sorted(files)])
