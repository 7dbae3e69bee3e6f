"""What DICOM series an input holds, for a user to choose from."""

from collections.abc import Sequence
from pathlib import Path

from liverjax.errors import InputError
from liverjax.io.ct import list_series
from liverjax.io.dicom.listing import FoundSeries, SeriesInfo, choose_series, describe_series
from liverjax.io.nifti import is_nifti

_PATIENT_DICOM = {"patient_dicom", "patient_dicom.zip"}


def series_lines(path: Path, series_uid: str | None = None) -> list[str]:
    """The series of an input, a line each; an asterisk marks the one that would be read.

    Args:
        path: an input of `liverjax.io.ct.read_scan`.
        series_uid: likewise.

    Returns:
        The lines; where none would be read, a last one says why.

    Raises:
        InputError: nothing at `path`, or a damaged file.
    """
    if path.is_file() and is_nifti(path):
        return ["* NIfTI, which has no series"]
    found = list_series(path)
    try:
        chosen: SeriesInfo | None = _chosen(found, str(path), series_uid)
        why = []
    except InputError as error:
        chosen = None
        why = [f"  none would be read: {str(error).partition(chr(10))[0].rstrip(':')}"]
    lines = [f"{'*' if info is chosen else ' '} {describe_series(info)}" for info in found]
    return lines + why


def _chosen(found: Sequence[SeriesInfo], where: str, series_uid: str | None) -> SeriesInfo:
    """The series that `read_scan` would read: of a 3D-IRCADb-01 patient one in PATIENT_DICOM."""
    named = [
        info for info in found if _PATIENT_DICOM & {part.lower() for part in info.folder.parts}
    ]
    among = named if named and series_uid is None else found
    return choose_series([FoundSeries(info, [], []) for info in among], where, series_uid).info
