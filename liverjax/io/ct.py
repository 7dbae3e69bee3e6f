"""A CT from whatever a user has: NIfTI, a folder or archive of DICOM, a 3D-IRCADb-01 patient."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

from liverjax.errors import InputError
from liverjax.io.archives import open_tree
from liverjax.io.dicom import read_files
from liverjax.io.nifti import SUFFIXES, is_nifti, read_nifti
from liverjax.io.tree import Folder, only_one, walk
from liverjax.volume import Volume

# A patient of 3D-IRCADb-01 has its masks beside its CT, as series that look like CT.
_CT_FOLDER = "patient_dicom"


def read_ct(path: str | Path, *, spacing_known: bool | None = None) -> Volume:
    """Reads a CT.

    Args:
        path: a NIfTI file, or a folder or zip archive that holds one CT series in DICOM format,
            in folders and archives of any depth and among files of other kinds. Of a
            3D-IRCADb-01 patient, PATIENT_DICOM is read.
        spacing_known: for NIfTI, see `nifti.read_nifti`.

    Raises:
        InputError: nothing at `path`; no CT, several, or a damaged one.
    """
    path = Path(path)
    if path.is_file() and is_nifti(path):
        return read_nifti(path, spacing_known=spacing_known)
    if path.is_file() and not zipfile.is_zipfile(path):
        raise InputError(
            f"{path}: expected a NIfTI file ({' or '.join(SUFFIXES)}), a complete zip archive or "
            "a folder"
        )
    with open_tree(path) as tree:
        patients = list(_ct_folders(tree))
        folder = only_one(patients, "give the folder of one patient") if patients else tree
        return read_files(walk(folder), str(path)).volume


def _ct_folders(folder: Folder) -> Iterator[Folder]:
    """The folders called PATIENT_DICOM in and below `folder`, but not in one another."""
    folders = folder.open().folders
    named = [below for below in folders if below.name.lower() == _CT_FOLDER]
    yield from named
    if not named:
        for below in folders:
            yield from _ct_folders(below)
