"""CT and labels as NIfTI files."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np

from liverjax.errors import InputError
from liverjax.io.atomic import replacing
from liverjax.labels import Label
from liverjax.volume import Geometry, Segmentation, Volume

SUFFIXES = (".nii", ".nii.gz")
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Codes of nifti1.h: a form in scanner coordinates, and the bits and values of the unit of length.
_SCANNER = 1
_SPACE_UNIT, _UNIT_UNKNOWN, _UNIT_MM = 0b111, 0, 2
_INT16 = np.iinfo(np.int16)
_UNKNOWN_VALUE = 255


def read_nifti(path: Path, *, spacing_known: bool | None = None) -> Volume:
    """Reads a CT.

    Args:
        path: ends in .nii or .nii.gz; three-dimensional, or four-dimensional with one frame.
        spacing_known: whether the header's voxel size is meant. By default it is taken as a
            placeholder where it is exactly 1 mm along all axes and either its unit is unknown or
            the first voxel lies exactly at the origin: programs write that header where they
            know nothing.

    Returns:
        Array axes (d, h, w) are the file's (k, j, i); HU are rounded to int16.

    Raises:
        InputError: no NIfTI file, damaged, without orientation, or with values that are no HU.
    """
    image = _load(path)
    stored, slope, intercept = _stored(image, path)
    hu = np.empty(stored.shape, dtype=np.int16)
    for index, plane in enumerate(stored):
        values = plane * slope + intercept
        if not np.isfinite(values).all():
            raise InputError(f"{path}: expected HU, found values that are not finite")
        hu[index] = np.rint(values).clip(_INT16.min, _INT16.max)
    return Volume(hu, _geometry(image, path, spacing_known))


def read_labels(
    path: Path,
    *,
    values: Mapping[int, int] | None = None,
    spacing_known: bool | None = None,
) -> Segmentation:
    """Reads a label image.

    Args:
        path: as for `read_nifti`.
        values: from the file's values to `labels.Label`; by default those are the file's.
        spacing_known: as for `read_nifti`.

    Raises:
        InputError: as `read_nifti`, or a value that is not among `values`.
    """
    values = {label: label for label in Label} if values is None else values
    table = np.full(256, _UNKNOWN_VALUE, dtype=np.uint8)
    table[list(values)] = list(values.values())
    image = _load(path)
    stored, slope, intercept = _stored(image, path)
    labels = np.empty(stored.shape, dtype=np.uint8)
    for index, plane in enumerate(stored):
        found = plane * slope + intercept
        small = (found >= 0) & (found < _UNKNOWN_VALUE)
        whole = np.where(small, found, _UNKNOWN_VALUE).astype(np.uint8)
        labels[index] = table[whole]
        wrong = (labels[index] == _UNKNOWN_VALUE) | (whole != found)
        if wrong.any():
            raise InputError(
                f"{path}: expected the labels {sorted(map(int, values))}, "
                f"found {found[wrong].flat[0]}"
            )
    return Segmentation(labels, _geometry(image, path, spacing_known))


def write_segmentation(path: str | Path, segmentation: Segmentation) -> None:
    """Writes labels as a uint8 NIfTI file on the grid of the CT they belong to.

    Array axes (d, h, w) become the file's (k, j, i). qform and sform agree; a sheared grid has
    no qform. The unit is mm, or unknown where the voxel size is not known. Equal labels give
    equal bytes. The file appears whole or not at all.

    Args:
        path: ends in .nii or .nii.gz, in a folder that exists.
        segmentation: the labels.

    Raises:
        InputError: `path` has another suffix.
    """
    path = Path(path)
    _check_suffix(path)
    affine = _RAS_TO_LPS @ segmentation.geometry.affine[:, [2, 1, 0, 3]]
    image = nib.Nifti1Image(segmentation.labels.T, affine)
    image.set_sform(affine, _SCANNER)
    image.set_qform(affine, _SCANNER)
    if not np.allclose(image.get_qform(), affine, rtol=0, atol=1e-3):
        image.set_qform(None, 0)
    known = segmentation.geometry.spacing_known
    image.header.set_xyzt_units("mm" if known else "unknown")
    data = image.to_bytes()
    with replacing(path) as temporary:
        # A time in the gzip header would make equal labels differ as files.
        packed = gzip.compress(data, 6, mtime=0) if path.name.endswith(".gz") else data
        temporary.write_bytes(packed)


def is_nifti(path: Path) -> bool:
    """True where the name of `path` is one of a NIfTI file."""
    return path.name.lower().endswith(SUFFIXES)


def _check_suffix(path: Path) -> None:
    if not is_nifti(path):
        raise InputError(f"{path}: expected a name that ends in {' or '.join(SUFFIXES)}")


def _load(path: Path) -> nib.Nifti1Image:
    """Opens a file; its values are read later."""
    _check_suffix(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        image = nib.load(path)
    except Exception as error:  # nibabel has no common class of what damaged files raise
        raise InputError(f"{path}: not a NIfTI file, or damaged ({error})") from error
    if not isinstance(image, nib.Nifti1Image):
        raise InputError(f"{path}: expected a NIfTI file, found {type(image).__name__}")
    return image


def _stored(image: nib.Nifti1Image, path: Path) -> tuple[np.ndarray, np.float32, np.float32]:
    """Values as stored, [D, H, W] by the file's (k, j, i), and the slope and intercept to HU."""
    shape = image.shape
    if len(shape) < 3 or 0 in shape or any(size != 1 for size in shape[3:]):
        raise InputError(f"{path}: expected a three-dimensional image, found the shape {shape}")
    proxy: Any = image.dataobj
    try:
        stored = np.asanyarray(proxy.get_unscaled())
    except Exception as error:  # as in _load: zlib, gzip, memory-map and nibabel errors
        raise InputError(f"{path}: damaged or cut short ({error})") from error
    if stored.dtype.kind not in "iuf":
        raise InputError(f"{path}: expected numbers, found voxels of type {stored.dtype}")
    return stored.reshape(shape[:3]).T, np.float32(proxy.slope), np.float32(proxy.inter)


def _geometry(image: nib.Nifti1Image, path: Path, spacing_known: bool | None) -> Geometry:
    """Geometry in the order of axes and the patient coordinates that this package uses."""
    header, affine = image.header, image.affine
    if not (header["qform_code"] or header["sform_code"]):
        raise InputError(
            f"{path}: neither qform_code nor sform_code is set, so left and right cannot be told "
            "apart; set one of them"
        )
    unit = int(header["xyzt_units"]) & _SPACE_UNIT
    if unit not in (_UNIT_UNKNOWN, _UNIT_MM):
        raise InputError(f"{path}: xyzt_units: expected mm (2) or unknown (0), found {unit}")
    if spacing_known is None:
        steps_of_one = set(np.abs(affine[:3, :3]).flat) == {0.0, 1.0}
        at_origin = not affine[:3, 3].any()
        spacing_known = not (steps_of_one and (at_origin or unit == _UNIT_UNKNOWN))
    try:
        return Geometry((_RAS_TO_LPS @ affine)[:, [2, 1, 0, 3]], spacing_known)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
