"""Stored values of a DICOM image, whatever transfer syntax they are in."""

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pydicom
from pydicom import encaps, uid
from pydicom.dataset import Dataset
from pydicom.pixels import get_decoder

from liverjax.errors import InputError
from liverjax.io.dicom.codestream import read_head
from liverjax.io.dicom.decoder import decode
from liverjax.io.dicom.file import DicomFile
from liverjax.io.dicom.tags import integer, text
from liverjax.io.failures import cause, silence
from liverjax.volume import MAX_VOXELS

# No CT has more, and what a file claims is compared before memory is asked for.
MAX_SIDE = 4096
MAX_FRAMES = 16384
_NATIVE = {
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
}
_JPEG = {
    uid.JPEGBaseline8Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
}

# Of PS3.5 annex G; segments are padded to an even length, and encoders may end a row early.
_RLE_HEADER, _RLE_SLACK = 64, 1 << 14

# Values [H, W] of the frame with an index as they lie in their containers, see `clear_bits`.
Frames = Callable[[int], np.ndarray]


class PixelFormat(NamedTuple):
    """How pixels are stored: rows and columns, number of frames, bits, and whether signed."""

    shape: tuple[int, int]
    frames: int
    allocated: int
    stored: int
    high: int
    signed: bool

    @property
    def bytes(self) -> int:
        """Of all frames, uncompressed."""
        return self.frames * self.shape[0] * self.shape[1] * (self.allocated // 8)

    @property
    def dtype(self) -> np.dtype:
        """Of the values in their container."""
        return np.dtype(f"<{'i' if self.signed else 'u'}{self.allocated // 8}")


def read_format(image: DicomFile) -> PixelFormat:
    """What a file says of its pixels.

    Raises:
        InputError: an unknown transfer syntax, colour, or values that fit no CT or not one
            another; names the file and the tag.
    """
    path, dataset = image.path, image.dataset
    if not image.syntax:
        raise InputError(f"{path}: TransferSyntaxUID: missing; the file may be cut short")
    if image.syntax not in _NATIVE | _JPEG | {uid.RLELossless}:
        raise InputError(
            f"{path}: TransferSyntaxUID: {image.syntax} ({image.syntax.name}) cannot be decoded; "
            "decompress the series, for example with gdcmconv --raw"
        )
    samples = integer(dataset, "SamplesPerPixel", path, default=1)
    if samples != 1:
        raise InputError(f"{path}: SamplesPerPixel: expected one sample, found {samples}")
    color = text(dataset, "PhotometricInterpretation") or "MONOCHROME2"
    # MONOCHROME1 says how to show the values, not what they are (PS3.3 C.7.6.3.1.2).
    if color not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputError(
            f"{path}: PhotometricInterpretation: expected MONOCHROME2 or MONOCHROME1, found {color}"
        )
    shape = _size(dataset, "Rows", image), _size(dataset, "Columns", image)
    frames = integer(dataset, "NumberOfFrames", path, default=1)
    if not 0 < frames <= MAX_FRAMES:
        raise InputError(f"{path}: NumberOfFrames: expected 1 to {MAX_FRAMES}, found {frames}")
    if frames * shape[0] * shape[1] > MAX_VOXELS:
        raise InputError(
            f"{path}: NumberOfFrames: expected at most {MAX_VOXELS} pixels in all, found "
            f"{frames} x {shape[0]} x {shape[1]}"
        )
    allocated = integer(dataset, "BitsAllocated", path)
    if allocated not in (8, 16):
        raise InputError(f"{path}: BitsAllocated: expected 8 or 16, found {allocated}")
    stored = integer(dataset, "BitsStored", path, default=allocated)
    high = integer(dataset, "HighBit", path, default=stored - 1)
    if not 0 < stored <= high + 1 <= allocated:
        raise InputError(f"{path}: BitsStored: {stored} up to HighBit {high} of {allocated}")
    signed = integer(dataset, "PixelRepresentation", path)
    if signed not in (0, 1):
        raise InputError(f"{path}: PixelRepresentation: expected 0 or 1, found {signed}")
    return PixelFormat(shape, frames, allocated, stored, high, bool(signed))


def open_pixels(image: DicomFile, form: PixelFormat) -> Frames:
    """Gives access to the frames of an image, each decoded when it is asked for.

    Raises:
        InputError: uncompressed pixels are missing or cut short. Of compressed ones that is said
            by the function returned.
    """
    if image.syntax in _NATIVE:
        return _native(image, form)
    return _compressed(image, form)


def _size(dataset: Dataset, keyword: str, image: DicomFile) -> int:
    found = integer(dataset, keyword, image.path)
    if not 0 < found <= MAX_SIDE:
        raise InputError(f"{image.path}: {keyword}: expected 1 to {MAX_SIDE}, found {found}")
    return found


def _native(image: DicomFile, form: PixelFormat) -> Frames:
    value = image.native_pixels
    # A value of odd length has one byte of padding.
    if len(value) not in (form.bytes, form.bytes + 1):
        pixels = " x ".join(map(str, (form.frames, *form.shape)))
        raise InputError(
            f"{image.path}: PixelData: expected {form.bytes} bytes for {pixels} pixels, found "
            f"{len(value)}; the file may be cut short"
        )
    count = form.bytes // form.dtype.itemsize
    values = np.frombuffer(value, form.dtype, count).reshape(form.frames, *form.shape)

    return values.__getitem__


def clear_bits(values: np.ndarray, form: PixelFormat) -> np.ndarray:
    """Values without the bits beside the stored ones (PS3.5 section 8.1.1)."""
    if form.stored == form.allocated:
        return values
    return (values << (form.allocated - 1 - form.high)) >> (form.allocated - form.stored)


def _compressed(image: DicomFile, form: PixelFormat) -> Frames:
    decoded: list[np.ndarray | InputError] = []

    def frame(index: int) -> np.ndarray:
        """Values [H, W] of a frame; what was wrong with one is wrong with the file."""
        # The frames of a file are decoded together, and once: where that fails, for all of them.
        if not decoded:
            try:
                decoded.append(_decode(image, form))
            except InputError as error:
                decoded.append(error)
        if isinstance(decoded[0], InputError):
            raise decoded[0]
        values = decoded[0][index]
        if form.frames == 1:
            decoded.clear()  # nobody asks again
        return values

    return frame


def _decode(image: DicomFile, form: PixelFormat) -> np.ndarray:
    """All frames [N, H, W] of a compressed file."""
    with _refusing(image):
        dataset = pydicom.dcmread(io.BytesIO(image.data))
        if "PixelData" not in dataset:
            raise InputError(f"{image.path}: PixelData: missing; the file may be cut short")
        fragments = list(encaps.generate_frames(dataset.PixelData, number_of_frames=form.frames))
    if len(fragments) != form.frames:
        raise InputError(
            f"{image.path}: PixelData: expected {form.frames} frames, found {len(fragments)}"
        )
    for fragment in fragments:
        if image.syntax in _JPEG:
            _check_head(fragment, image, form)
        elif len(fragment) > _RLE_HEADER + form.bytes // form.frames * 129 // 128 + _RLE_SLACK:
            raise InputError(
                f"{image.path}: PixelData: expected {form.bytes // form.frames} bytes in a frame, "
                f"found {len(fragment)} that are to be more when decoded"
            )
    with _refusing(image):
        if image.syntax in _JPEG:
            decoded = decode(image.data, form.frames, form.bytes)
        else:
            decoder = get_decoder(image.syntax)
            frames = decoder.iter_array(
                dataset, raw=True, decoding_plugin="pydicom", correct_unused_bits=False
            )
            decoded = b"".join(values.astype(form.dtype).tobytes() for values, _ in frames)
        values = np.frombuffer(decoded, form.dtype).reshape(form.frames, *form.shape)
    _check_bits(values, image, form)
    return values


def _check_bits(values: np.ndarray, image: DicomFile, form: PixelFormat) -> None:
    """Refuses decoded values of more bits than the file says: the highest would be lost.

    Uncompressed pixels may hold something else beside their values, decoded ones do not.
    """
    if form.stored == form.allocated:
        return
    stored = clear_bits(values, form)
    beyond = values != stored
    if not (values < 0).any():
        # Some decoders leave the sign to the reader: then all values are bit patterns.
        beyond &= values != (stored & ((1 << form.stored) - 1))
    if form.high == form.stored - 1 and beyond.any():
        raise InputError(
            f"{image.path}: BitsStored: expected the bits of the decoded values, found "
            f"{form.stored} and the value {values[beyond][0]}"
        )


def _check_head(fragment: bytes, image: DicomFile, form: PixelFormat) -> None:
    """Refuses a codestream of another size than the file's, before a decoder makes room for it."""
    found = read_head(fragment)
    if found is None or found[:3] != (*form.shape, 1):
        size = "none" if found is None else f"{found.rows} x {found.columns} in {found.samples}"
        raise InputError(
            f"{image.path}: PixelData: expected a frame of {form.shape[0]} x {form.shape[1]} "
            f"pixels in one sample, found {size} in the {image.syntax.name} codestream"
        )
    # Of what GDCM was seen to end a process on, all was here.
    if not 2 <= found.bits <= form.allocated:
        raise InputError(
            f"{image.path}: PixelData: expected samples of 2 to {form.allocated} bits, the latter "
            f"being BitsAllocated, found {found.bits} in the {image.syntax.name} codestream"
        )


@contextlib.contextmanager
def _refusing(image: DicomFile) -> Iterator[None]:
    """Whatever a damaged value makes a library raise becomes an InputError."""
    try:
        with silence():
            yield
    except (InputError, MemoryError):  # the latter says nothing of the file
        raise
    except Exception as error:  # pydicom and its decoders have no common class
        raise InputError(
            f"{image.path}: PixelData: cannot be decoded as {image.syntax.name}; it is damaged or "
            f"cut short ({cause(error)})"
        ) from error
