"""A CT from whatever a user has: NIfTI, a folder or archive of DICOM, a 3D-IRCADb-01 patient."""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from liverjax.errors import InputError
from liverjax.io.archives import is_dicom_file, open_tree
from liverjax.io.dicom.listing import SeriesInfo, choose_series, find_series
from liverjax.io.dicom.repair import Repair
from liverjax.io.dicom.series import read_files
from liverjax.io.dicom.source import DicomSource
from liverjax.io.nifti import SUFFIXES, is_nifti, read_nifti
from liverjax.io.tree import Folder, only_one, walk
from liverjax.volume import Volume

# A patient of 3D-IRCADb-01 has its masks beside its CT, as series that look like CT.
_CT_FOLDER = "patient_dicom"


class Scan(NamedTuple):
    """A CT as it was read.

    Attributes:
        volume: the CT.
        source: the DICOM images that it was read from; None for NIfTI.
        repairs: what lenient reading had to do.
    """

    volume: Volume
    source: DicomSource | None = None
    repairs: tuple[Repair, ...] = ()


def read_ct(path: str | Path, *, spacing_known: bool | None = None) -> Volume:
    """Reads a CT; see `read_scan`."""
    return read_scan(path, spacing_known=spacing_known).volume


def read_scan(
    path: str | Path,
    *,
    series_uid: str | None = None,
    lenient: bool = False,
    spacing_known: bool | None = None,
) -> Scan:
    """Reads a CT and what it came from.

    Args:
        path: a NIfTI file, a DICOM file, or a folder or zip archive of DICOM files, in folders and
            archives of any depth and among files of other kinds. Of a 3D-IRCADb-01 patient,
            PATIENT_DICOM is read; of several series elsewhere, the CT with most slices.
        series_uid: SeriesInstanceUID of the series to read instead, wherever it lies.
        lenient: mend what can be mended in a DICOM series, see `dicom.repair`.
        spacing_known: for NIfTI, see `nifti.read_nifti`.

    Raises:
        InputError: nothing at `path`; no CT, several of which none is meant, or a damaged one.
    """
    path = Path(path)
    if _is_file(path) and is_nifti(path):
        if series_uid is not None:
            raise InputError(f"{path}: --series_uid: a NIfTI file holds no DICOM series")
        return Scan(read_nifti(path, spacing_known=spacing_known))
    with _open_dicom(path) as tree:
        folder = _searched(tree, series_uid)
        series = read_files(lambda: walk(folder), str(path), series_uid=series_uid, lenient=lenient)
        return Scan(series.volume, series.source, series.repairs)


def list_series(path: str | Path) -> tuple[SeriesInfo, ...]:
    """What DICOM series a folder or zip archive holds, those that are no CT included.

    Damaged files are left out.

    Raises:
        InputError: nothing at `path`, or a damaged archive.
    """
    with _open_dicom(Path(path)) as tree:
        return tuple(series.info for series in find_series(walk(tree), []))


def find_ct(path: str | Path, series_uid: str | None = None) -> SeriesInfo:
    """The DICOM series that `read_scan` would read, of the same arguments.

    Raises:
        InputError: likewise.
    """
    with _open_dicom(Path(path)) as tree:
        folder = _searched(tree, series_uid)
        found = find_series(walk(folder), None if series_uid is None else [])
        return choose_series(found, str(path), series_uid).info


@contextlib.contextmanager
def _open_dicom(path: Path) -> Iterator[Folder]:
    if _is_file(path) and not (zipfile.is_zipfile(path) or is_dicom_file(path)):
        raise InputError(
            f"{path}: expected a NIfTI file ({' or '.join(SUFFIXES)}), a DICOM file, a complete "
            "zip archive or a folder"
        )
    with open_tree(path) as tree:
        yield tree


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _searched(tree: Folder, series_uid: str | None) -> Folder:
    """The PATIENT_DICOM of a 3D-IRCADb-01 patient; `tree` itself of anything else."""
    if series_uid is not None:
        return tree  # what is asked for may lie beside it
    patients = list(_ct_folders(tree))
    return only_one(patients, "give the folder of one patient") if patients else tree


def _ct_folders(folder: Folder) -> Iterator[Folder]:
    """The folders called PATIENT_DICOM in and below `folder`, but not in one another."""
    folders = folder.open().folders
    named = [below for below in folders if below.name.lower() == _CT_FOLDER]
    yield from named
    if not named:
        for below in folders:
            yield from _ct_folders(below)
