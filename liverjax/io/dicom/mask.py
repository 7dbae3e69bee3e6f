"""Masks in DICOM files: those that lie beside a CT, and for programs that expect 255."""

import io
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian

from liverjax.errors import InputError
from liverjax.io.dicom.series import Series
from liverjax.io.dicom.slices import Slice, read_slice
from liverjax.io.dicom.stack import SAME_POSITION_MM, TOLERANCE_MM, check_equal
from liverjax.io.tree import File

_FOREGROUND = 255
_LAST_BYTE = b"\0"


def read_mask(
    where: PurePosixPath, files: Sequence[File], series: Series, value: int | None = None
) -> np.ndarray:
    """A mask that is stored slice by slice beside a CT.

    Files are paired with the CT's by their names and checked by their geometry; series and
    instance identifiers play no part, because 3D-IRCADb-01 gives masks their own.

    Args:
        where: the mask's folder, for messages.
        files: of the mask.
        series: the CT.
        value: of the stored values that belong to the mask; by default all above 0.

    Returns:
        Boolean [D, H, W] on the CT's grid.

    Raises:
        InputError: the names are not those of the CT's files, a file is damaged or its slice is
            not where the CT's slice is; names the file.
    """
    by_name = {file.path.name: file for file in files}
    _check_names(where, set(by_name), series)
    mask = np.zeros(series.volume.hu.shape, dtype=bool)
    for index, path in enumerate(series.paths):
        file = by_name[path.name]
        item = read_slice(file)
        if item is None:
            raise InputError(f"{file.path}: expected a DICOM slice of the CT storage class")
        _check_in_place(item, index, series)
        stored = item.stored()
        mask[index] = stored > 0 if value is None else stored == value
    return mask


def with_255(file: File) -> bytes:
    """A mask's DICOM file whose pixels are 0 and 255.

    Returns:
        The file as it is where its values are 0 and 255 already; otherwise the same file with
        8-bit pixels, 255 wherever a value above 0 was.

    Raises:
        InputError: no DICOM slice, or a damaged one; names the file.
    """
    item = read_slice(file)
    if item is None:
        raise InputError(f"{file.path}: expected a DICOM slice of the CT storage class")
    stored = item.stored()
    if np.isin(stored, (0, _FOREGROUND)).all():
        return file.read()
    pixels = np.where(stored > 0, np.uint8(_FOREGROUND), np.uint8(0)).tobytes()
    try:
        dataset = pydicom.dcmread(io.BytesIO(file.read()))
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit = 7
        dataset.PixelRepresentation = 0
        # What these tell of the values is no longer so, and nothing needs them.
        for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue"):
            if keyword in dataset:
                delattr(dataset, keyword)
        syntax = dataset.file_meta.get("TransferSyntaxUID")
        if syntax is not None and syntax.is_compressed:
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        # A DICOM value has an even number of bytes; without a VR in the file it is OW (PS3.5 A.1).
        vr = "OW" if dataset.original_encoding[0] else "OB"
        dataset.add_new("PixelData", vr, pixels + _LAST_BYTE * (len(pixels) % 2))
        buffer = io.BytesIO()
        dataset.save_as(buffer)
    except Exception as error:  # pydicom has no common class of what odd files raise
        # Its first line; pydicom appends a traceback.
        reason = str(error).partition("\n")[0]
        raise InputError(f"{file.path}: cannot be written with 0 and 255 ({reason})") from error
    return buffer.getvalue()


def _check_names(where: PurePosixPath, names: set[str], series: Series) -> None:
    """Refuses a mask whose files are not named as the CT's."""
    wanted = {path.name for path in series.paths}
    kinds = {"missing": sorted(wanted - names), "too many": sorted(names - wanted)}
    differences = [
        f"{len(some)} {kind} ({some[0]}{', ...' if len(some) > 1 else ''})"
        for kind, some in kinds.items()
        if some
    ]
    if differences:
        raise InputError(
            f"{where}: expected the names of the {len(wanted)} files in {series.paths[0].parent}, "
            f"found {len(names)} files: {' and '.join(differences)}"
        )


def _check_in_place(item: Slice, index: int, series: Series) -> None:
    """Refuses a mask's slice that is not where slice `index` of the CT is."""
    steps = np.stack([item.orientation[1], item.orientation[0]], axis=1) * item.pixel_spacing
    check_equal(
        item.path,
        f"in {series.paths[index].name} of the CT",
        [
            ("Rows and Columns", item.shape, series.volume.hu.shape[1:], 0),
            (
                "ImagePositionPatient",
                item.position,
                series.source.slices[index].position,
                TOLERANCE_MM,
            ),
            (
                "PixelSpacing and ImageOrientationPatient",
                steps,
                series.volume.geometry.affine[:3, 1:3],
                SAME_POSITION_MM,
            ),
        ],
    )
