"""CT, labels and probabilities as NIfTI files."""

import gzip
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np

from liverjax.errors import InputError
from liverjax.io.atomic import replacing
from liverjax.io.nifti_file import SUFFIXES, check_suffix, is_nifti, is_packed, open_nifti
from liverjax.io.nifti_geometry import RAS_TO_LPS
from liverjax.labels import Label
from liverjax.volume import Geometry, Segmentation, Volume

__all__ = [
    "SUFFIXES",
    "is_nifti",
    "read_label_values",
    "read_labels",
    "read_nifti",
    "write_probability",
    "write_segmentation",
    "write_volume",
]

_SCANNER = 1  # the code of a form in scanner coordinates, nifti1.h
_INT16 = np.iinfo(np.int16)
_UNKNOWN_VALUE = 255
# A power of two, so that 0, 0.5 and 1 come back exactly.
_PROBABILITY_STEPS = 1 << 15


def read_nifti(path: Path, *, spacing_known: bool | None = None) -> Volume:
    """Reads a CT.

    Where both its forms are set, the sform is taken, as most programs do; if they place a voxel
    more than 1 mm apart the file is refused, because other programs take the qform.

    Args:
        path: ends in .nii or .nii.gz; three-dimensional, or four-dimensional with one frame.
        spacing_known: whether the header's voxel size is meant. By default it is taken as a
            placeholder where it is exactly 1 mm along all axes and either its unit is unknown or
            the first voxel lies at whole millimetres: programs write such a header, at the
            origin, where they know nothing, and a crop of it moves on by whole voxels.

    Returns:
        Array axes (d, h, w) are the file's (k, j, i); HU are rounded to int16.

    Raises:
        InputError: no NIfTI file, damaged, without orientation, or with values that are no HU.
    """
    image = open_nifti(path, spacing_known)
    hu = np.empty(image.shape, dtype=np.int16)
    for index, plane in enumerate(image.planes()):
        if image.scale is None and np.can_cast(image.dtype, np.int16):
            hu[index] = plane
            continue
        values = _scaled(plane, image.scale)
        if not np.isfinite(values).all():
            raise InputError(f"{path}: expected HU, found values that are not finite")
        hu[index] = np.rint(values).clip(_INT16.min, _INT16.max)
    return Volume(hu, image.geometry)


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
    image = open_nifti(path, spacing_known)
    labels = np.empty(image.shape, dtype=np.uint8)
    for index, plane in enumerate(image.planes()):
        found = _scaled(plane, image.scale)
        small = (found >= 0) & (found < _UNKNOWN_VALUE)
        whole = np.where(small, found, _UNKNOWN_VALUE).astype(np.uint8)
        labels[index] = table[whole]
        wrong = (labels[index] == _UNKNOWN_VALUE) | (whole != found)
        if wrong.any():
            raise InputError(
                f"{path}: expected the labels {sorted(map(int, values))}, "
                f"found {found[wrong].flat[0]}"
            )
    return Segmentation(labels, image.geometry)


def read_label_values(
    path: Path, *, spacing_known: bool | None = None
) -> tuple[np.ndarray, Geometry]:
    """Reads a label image whose values mean what somebody else says.

    Args:
        path, spacing_known: as for `read_nifti`.

    Returns:
        int16 [D, H, W] as in the file, and where its voxels lie.

    Raises:
        InputError: as `read_nifti`, or a value that is no whole number of 16 bits.
    """
    image = open_nifti(path, spacing_known)
    values = np.empty(image.shape, dtype=np.int16)
    for index, plane in enumerate(image.planes()):
        found = _scaled(plane, image.scale)
        # Written so that NaN is refused.
        inside = (found >= _INT16.min) & (found <= _INT16.max)
        values[index] = np.where(inside, found, 0)
        wrong = ~inside | (values[index] != found)
        if wrong.any():
            raise InputError(
                f"{path}: expected labels that are whole numbers of 16 bits, found "
                f"{found[wrong].flat[0]}"
            )
    return values, image.geometry


def write_segmentation(path: str | Path, segmentation: Segmentation) -> None:
    """Writes labels as a uint8 NIfTI file on the grid of the CT they belong to.

    Array axes (d, h, w) become the file's (k, j, i). qform and sform agree; a sheared grid has
    no qform. The unit is mm, or unknown where the voxel size is not known. The header holds no
    text. Equal labels give equal bytes. The file appears whole or not at all.

    Args:
        path: ends in .nii or .nii.gz, in a folder that exists.
        segmentation: the labels.

    Raises:
        InputError: `path` has another suffix.
    """
    _write(Path(path), segmentation.labels, segmentation.geometry, slope=1)


def write_volume(path: Path, volume: Volume) -> None:
    """Writes HU as an int16 NIfTI file like `write_segmentation`.

    Args:
        path: ends in .nii or .nii.gz, in a folder that exists.
        volume: the CT.

    Raises:
        InputError: `path` has another suffix.
    """
    _write(path, volume.hu, volume.geometry, slope=1)


def write_probability(path: Path, probability: np.ndarray, geometry: Geometry) -> None:
    """Writes probabilities as a NIfTI file like `write_segmentation`.

    They are stored as uint16 in steps of 2^-15 (`scl_slope`), which any program that reads NIfTI
    scales back: half the size of float32, and far finer than a probability is sure.

    Args:
        path: ends in .nii or .nii.gz, in a folder that exists.
        probability: float32 [D, H, W] in 0..1.
        geometry: of the CT they belong to.

    Raises:
        InputError: `path` has another suffix, or `probability` holds something else.
    """
    # Written so that NaN is refused.
    if probability.ndim != 3 or not ((probability >= 0) & (probability <= 1)).all():
        raise InputError(
            f"{path}: expected probabilities [D, H, W] from 0 to 1, found {probability.dtype} "
            f"{probability.shape} from {probability.min()} to {probability.max()}"
        )
    stored = np.empty(probability.shape, dtype=np.uint16)
    for index, plane in enumerate(probability):
        stored[index] = np.rint(plane * np.float32(_PROBABILITY_STEPS))
    _write(path, stored, geometry, slope=1 / _PROBABILITY_STEPS)


def _scaled(plane: np.ndarray, scale: tuple[np.float32, np.float32] | None) -> np.ndarray:
    if scale is None:
        return plane
    # Of what overflows, or is NaN, the caller speaks.
    with np.errstate(over="ignore", invalid="ignore"):
        return plane * scale[0] + scale[1]


def _write(path: Path, stored: np.ndarray, geometry: Geometry, slope: float) -> None:
    """Writes integers [D, H, W] that mean `slope` times themselves."""
    check_suffix(path)
    affine = RAS_TO_LPS @ geometry.affine[:, [2, 1, 0, 3]]
    header = nib.Nifti1Header(endianness="<")
    header.set_data_shape(stored.shape[::-1])
    header.set_data_dtype(stored.dtype)
    header.set_slope_inter(slope, 0)
    header.set_sform(affine, _SCANNER)
    header.set_qform(affine, _SCANNER)
    if not np.allclose(header.get_qform(), affine, rtol=0, atol=1e-3):
        header.set_qform(None, 0)
    header.set_xyzt_units("mm" if geometry.spacing_known else "unknown")
    header["vox_offset"] = header.single_vox_offset
    values = np.ascontiguousarray(stored, dtype=stored.dtype.newbyteorder("<"))
    # Four bytes of zero say that no extension follows.
    data = b"".join((header.binaryblock, bytes(4), values.data.cast("B")))
    with replacing(path) as temporary:
        # A time in the gzip header would make equal labels differ as files.
        packed = gzip.compress(data, 6, mtime=0) if is_packed(path) else data
        temporary.write_bytes(packed)
