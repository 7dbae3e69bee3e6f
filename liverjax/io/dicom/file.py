"""A file as a DICOM data set and the bytes of its pixels, which are decoded later or never."""

import io
import zlib
from pathlib import PurePosixPath
from typing import NamedTuple

import pydicom
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    LegacyConvertedEnhancedCTImageStorage,
)

from liverjax.errors import InputError
from liverjax.io.dicom.tags import text
from liverjax.io.failures import silence
from liverjax.io.tree import DICOM_HEAD, File, is_dicom

# A volume of 1024 slices of 512 x 512 in one file has half of it.
MAX_BYTES = 1 << 30
# What is no DICOM file is not read in full to see that, if it is larger than most slices are.
_HEAD_FIRST = 1 << 20
# A slice and its tags; those who inflate a volume of zeros have something else in mind.
MAX_INFLATED = 1 << 28
_CT_CLASSES = {CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage}
_MARK = slice(128, DICOM_HEAD)
_SUFFIXES = {".dcm", ".dicom", ".ima"}
_PIXELS = b"\xe0\x7f\x10\x00"  # (7FE0,0010) in little-endian order
_SWAPPED_PIXELS = b"\x7f\xe0\x00\x10"  # as in the retired big-endian syntax, refused by its UID
_LONG = (b"OB", b"OW", b"UN", b"SQ", b"UT", b"UC", b"UR", b"OD", b"OF", b"OL", b"OV", b"SV", b"UV")
_HEADER_GROUP = b"\x02\x00"


class DicomFile(NamedTuple):
    """A DICOM file.

    Attributes:
        path: of the file.
        dataset: all that stands before the pixels.
        storage_class: SOP class UID.
        syntax: transfer syntax UID; empty where it is missing.
        data: the whole file; a deflated one is inflated.
        start: where in `data` the element of the pixels begins; its end where there is none.
    """

    path: PurePosixPath
    dataset: Dataset
    storage_class: UID
    syntax: UID
    data: bytes
    start: int

    @property
    def is_ct(self) -> bool:
        """Whether it is a CT image, by its storage class."""
        return self.storage_class in _CT_CLASSES

    @property
    def native_pixels(self) -> memoryview:
        """The value of PixelData where it is stored uncompressed; empty where there is none."""
        head = self.data[self.start : self.start + 12]
        # In the implicit syntax the length stands in the place of the type; being even, it cannot
        # look like one.
        if head[:4] != _PIXELS:
            return memoryview(b"")
        first, size = (12, head[8:12]) if head[4:6] in _LONG else (8, head[4:8])
        first += self.start
        return memoryview(self.data)[first : first + int.from_bytes(size, "little")]


def read_dicom(file: File) -> DicomFile | None:
    """Reads a file; None where it is no DICOM file.

    Raises:
        InputError: it is one, or is named like one, and damaged or too large.
    """
    if file.size > _HEAD_FIRST and not is_dicom(file.head(DICOM_HEAD)):
        return None
    if file.size > MAX_BYTES:
        raise InputError(f"{file.path}: expected at most {MAX_BYTES} bytes, found {file.size}")
    data = file.read()
    if not is_dicom(data):
        _check_other(file.path, data)
        return None
    try:
        with silence():  # of what is odd in it, it is said where it matters
            return _parse(data, file.path)
    except (InputError, MemoryError):  # the latter says nothing of the file
        raise
    except Exception as error:  # pydicom has no common class of what damaged files raise
        reason = str(error).partition("\n")[0][:200]
        raise InputError(f"{file.path}: damaged DICOM file ({reason})") from error


def _parse(data: bytes, path: PurePosixPath) -> DicomFile:
    if _may_be_deflated(data):
        data = _inflate(data, path)
    opened = io.BytesIO(data)
    dataset = pydicom.dcmread(opened, stop_before_pixels=True)
    meta = dataset.file_meta
    storage_class = UID(text(meta, "MediaStorageSOPClassUID") or text(dataset, "SOPClassUID"))
    if not storage_class:
        raise InputError(f"{path}: SOPClassUID: missing; the file may be cut short")
    syntax = UID(text(meta, "TransferSyntaxUID"))
    image = DicomFile(path, dataset, storage_class, syntax, data, opened.tell())
    # What was cut off before that may have lost all that tells which series it is of.
    element = data[image.start : image.start + 4]
    if image.is_ct and element not in (_PIXELS, _SWAPPED_PIXELS):
        raise InputError(f"{path}: PixelData: missing; the file may be cut short")
    return image


def _check_other(path: PurePosixPath, data: bytes) -> None:
    """Refuses what is named like a DICOM file, or was one that is cut off in its preamble."""
    suffix = path.suffix.lower()
    # The preamble is empty in nearly every file, and little else begins like that; names without
    # a suffix, and those with a number after the last point, such as a UID or 1.4_image_12, are
    # usual for slices. What follows the mark, the group of the file's header, tells most.
    empty = not any(data[: _MARK.start])
    header = data[_MARK.stop : _MARK.stop + 2] == _HEADER_GROUP
    if suffix in _SUFFIXES or (empty and (header or not suffix or suffix[1:2].isdigit())):
        raise InputError(
            f"{path}: not a DICOM file: expected DICM after 128 bytes, found {data[_MARK]!r} in "
            f"{len(data)} bytes"
        )


def _may_be_deflated(data: bytes) -> bool:
    """Whether a file's header names the deflated syntax, or is of no plain form."""
    at, deflated = _MARK.stop, DeflatedExplicitVRLittleEndian.encode()
    while data[at : at + 2] == _HEADER_GROUP:
        first = 12 if data[at + 4 : at + 6] in _LONG else 8
        size = data[at + 8 : at + 12] if first == 12 else data[at + 6 : at + 8]
        following = at + first + int.from_bytes(size, "little")
        if following > len(data):
            return True
        if deflated in data[at:following]:
            return True
        at = following
    return at == _MARK.stop


def _inflate(data: bytes, path: PurePosixPath) -> bytes:
    """A file in the deflated transfer syntax as one in the plain syntax, and as it is otherwise."""
    opened = io.BytesIO(data)
    opened.seek(_MARK.stop)
    meta = read_dataset(opened, is_implicit_VR=False, is_little_endian=True, stop_when=_not_meta)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return data
    start = opened.tell()
    # pydicom would inflate without a limit.
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    body = stream.decompress(data[start:], MAX_INFLATED)
    if len(body) == MAX_INFLATED and not stream.eof:
        raise InputError(f"{path}: expected at most {MAX_INFLATED} bytes when inflated, found more")
    if not stream.eof:
        raise InputError(f"{path}: its deflated data set ends early; the file may be cut short")
    deflated = DeflatedExplicitVRLittleEndian.encode()
    plain = ExplicitVRLittleEndian.encode().ljust(len(deflated), b"\0")
    return data[:start].replace(deflated, plain) + body


def _not_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return tag.group != 2
