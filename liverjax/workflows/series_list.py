"""What DICOM series an input holds, for a user to choose from."""

from pathlib import Path

from liverjax.errors import InputError
from liverjax.io.ct import find_ct, list_series
from liverjax.io.dicom.listing import SeriesInfo, describe_series
from liverjax.io.nifti import is_nifti


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
    chosen, why = None, []
    try:
        chosen = find_ct(path, series_uid)
    except InputError as error:
        why = [f"  none would be read: {str(error).partition(chr(10))[0].rstrip(':')}"]
    found = list_series(path)
    lines = [f"{'*' if _same(info, chosen) else ' '} {describe_series(info)}" for info in found]
    return lines + why


def _same(info: SeriesInfo, chosen: SeriesInfo | None) -> bool:
    return chosen is not None and (info.uid, info.folder) == (chosen.uid, chosen.folder)
