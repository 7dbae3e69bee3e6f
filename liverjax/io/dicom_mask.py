"""Masks in DICOM files, for programs that expect 255 in the foreground."""

import io

import numpy as np
import pydicom

from liverjax.errors import InputError
from liverjax.io.dicom_slice import read_slice
from liverjax.io.tree import File

_FOREGROUND = 255
_LAST_BYTE = b"\0"


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
    if np.isin(item.stored, (0, _FOREGROUND)).all():
        return file.read()
    pixels = np.where(item.stored > 0, np.uint8(_FOREGROUND), np.uint8(0)).tobytes()
    try:
        dataset = pydicom.dcmread(io.BytesIO(file.read()))
        dataset.BitsAllocated = dataset.BitsStored = 8
        dataset.HighBit = 7
        dataset.PixelRepresentation = 0
        # What these tell of the values is no longer so, and nothing needs them.
        for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue"):
            if keyword in dataset:
                delattr(dataset, keyword)
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
