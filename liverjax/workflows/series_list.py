"""What DICOM series an input holds, for a user to choose from."""

from pathlib import Path
from typing import NamedTuple

from liverjax.errors import InputError
from liverjax.io.ct import find_ct, list_series
from liverjax.io.dicom.listing import SeriesInfo, describe_series
from liverjax.io.nifti_file import is_nifti, open_nifti


class SeriesList(NamedTuple):
    """The series of an input.

    Attributes:
        lines: one for each; an asterisk marks the one that would be read.
        error: where none would be, one line that says why.
    """

    lines: list[str]
    error: str | None


def list_input(path: Path, series_uid: str | None = None) -> SeriesList:
    """Lists the series of an input, and tells which of them would be read.

    Args:
        path: an input of `liverjax.io.ct.read_scan`.
        series_uid: likewise.

    Raises:
        InputError: nothing at `path`, or it is damaged.
    """
    if path.is_file() and is_nifti(path):
        if series_uid is not None:
            raise InputError(f"{path}: --series_uid: a NIfTI file holds no DICOM series")
        open_nifti(path, None)  # the header alone, as of DICOM images
        return SeriesList(["* NIfTI, which has no series"], None)
    chosen, why = None, None
    try:
        chosen = find_ct(path, series_uid)
    except InputError as error:  # all series that a longer text lists are listed here
        why = str(error).partition("\n")[0].rstrip(":")
    try:
        found = list_series(path)
    except InputError as error:
        if chosen is None:
            raise
        # Beside the CT of a 3D-IRCADb-01 patient, which is read all the same.
        return SeriesList([f"* {describe_series(chosen)}", f"  others unknown: {error}"], None)
    lines = [f"{'*' if _same(info, chosen) else ' '} {describe_series(info)}" for info in found]
    return SeriesList(lines, why)


def _same(info: SeriesInfo, chosen: SeriesInfo | None) -> bool:
    return chosen is not None and all(
        getattr(info, field) == getattr(chosen, field) for field in ("uid", "folder", "is_ct")
    )
