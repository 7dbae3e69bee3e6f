"""Where the voxels of a NIfTI image lie, by its qform and sform."""

from pathlib import Path
from typing import Any

import numpy as np

from liverjax.errors import InputError
from liverjax.io.failures import silence
from liverjax.volume import FARTHEST_MM, LONGEST_MM, SHORTEST_MM, Geometry

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Bits and values of the unit of length in nifti1.h.
_SPACE_UNIT, _UNIT_UNKNOWN, _UNIT_MM = 0b111, 0, 2
_SAME_MM = 1.0
_CORNERS = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], np.float64)


def read_geometry(
    header: Any, shape: tuple[int, int, int], path: Path, spacing_known: bool | None
) -> Geometry:
    """Geometry in the order of axes and the patient coordinates that this package uses.

    Args:
        header: of nibabel.
        shape: of the image, (i, j, k).
        path: to call it by in an error.
        spacing_known: see `nifti.read_nifti`.

    Raises:
        InputError: the header has no orientation, or says two things of it; names the field.
    """
    if not (header["qform_code"] or header["sform_code"]):
        raise InputError(
            f"{path}: neither qform_code nor sform_code is set, so left and right cannot be told "
            "apart; set one of them"
        )
    unit = int(header["xyzt_units"]) & _SPACE_UNIT
    if unit not in (_UNIT_UNKNOWN, _UNIT_MM):
        raise InputError(f"{path}: xyzt_units: expected mm (2) or unknown (0), found {unit}")
    forms = {
        name: _form(header, name, path) for name in ("sform", "qform") if header[f"{name}_code"]
    }
    if len(forms) == 2:
        _check_forms_agree(forms, shape, path)
    affine = next(iter(forms.values()))
    if spacing_known is None:
        steps_of_one = set(np.abs(affine[:3, :3]).flat) == {0.0, 1.0}
        # A crop of such an image begins at whole millimetres.
        at_whole_mm = not (affine[:3, 3] % 1).any()
        spacing_known = not (steps_of_one and (at_whole_mm or unit == _UNIT_UNKNOWN))
    try:
        return Geometry((RAS_TO_LPS @ affine)[:, [2, 1, 0, 3]], spacing_known)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _form(header: Any, name: str, path: Path) -> np.ndarray:
    """The affine of a form, RAS in mm by (i, j, k)."""
    try:
        with silence(), np.errstate(all="ignore"):
            affine = header.get_sform() if name == "sform" else header.get_qform()
            steps = np.linalg.norm(affine[:3, :3], axis=0)
    except Exception as error:  # nibabel has no common class of what it raises
        raise InputError(f"{path}: {name}: damaged ({error})") from error
    # Written so that NaN is refused.
    if not (np.abs(affine) <= FARTHEST_MM).all():
        raise InputError(
            f"{path}: {name}: expected finite numbers up to {FARTHEST_MM:g} mm, found "
            f"{affine[:3].tolist()}"
        )
    if not ((steps >= SHORTEST_MM) & (steps <= LONGEST_MM)).all():
        raise InputError(
            f"{path}: {name}: expected voxels of {SHORTEST_MM:g} to {LONGEST_MM:g} mm, found "
            f"{steps.tolist()}"
        )
    return affine


def _check_forms_agree(
    forms: dict[str, np.ndarray], shape: tuple[int, int, int], path: Path
) -> None:
    """Refuses two forms that place a corner apart.

    Programs differ in which of the two they follow, so that a segmentation of such a CT would lie
    beside it, or be its mirror image, in some of them.
    """
    corners = _CORNERS * (np.array(shape) - 1)
    away = (forms["sform"] - forms["qform"]) @ np.c_[corners, np.ones(len(corners))].T
    found = float(np.linalg.norm(away[:3], axis=0).max())
    if found > _SAME_MM:
        raise InputError(
            f"{path}: qform and sform: expected both to place voxels alike, to {_SAME_MM:g} mm, "
            f"found {found:.1f} mm between them; set the code of the wrong one to 0"
        )
