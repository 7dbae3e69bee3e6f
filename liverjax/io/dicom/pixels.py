"""Stored values of a DICOM image, whatever transfer syntax they are in."""

import contextlib
import functools
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

# Stored values [H, W] of the frame with an index.
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

    Bits beside the stored ones are cleared (PS3.5 section 8.1.1).

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
    count = form.shape[0] * form.shape[1] * form.frames
    expected = count * form.allocated // 8
    value = image.native_pixels
    # A value of odd length has one byte of padding.
    if len(value) not in (expected, expected + 1):
        pixels = " x ".join(map(str, (form.frames, *form.shape)))
        raise InputError(
            f"{image.path}: PixelData: expected {expected} bytes for {pixels} pixels, found "
            f"{len(value)}; the file may be cut short"
        )
    values = np.frombuffer(value, form.dtype, count).reshape(form.frames, *form.shape)

    def frame(index: int) -> np.ndarray:
        return _clear(values[index], form)

    return frame


def _clear(values: np.ndarray, form: PixelFormat) -> np.ndarray:
    """Values without the bits beside the stored ones."""
    if form.stored == form.allocated:
        return values
    return (values << (form.allocated - 1 - form.high)) >> (form.allocated - form.stored)


def _compressed(image: DicomFile, form: PixelFormat) -> Frames:
    # The frames of one file are decoded together, and kept where there will be more questions.
    frames: Callable[[], np.ndarray] = functools.partial(_decode, image, form)
    if form.frames > 1:
        frames = functools.cache(frames)

    def frame(index: int) -> np.ndarray:
        return _clear(frames()[index], form)

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
    if image.syntax in _JPEG:
        for fragment in fragments:
            _check_size(fragment, image, form)
    with _refusing(image):
        if image.syntax in _JPEG:
            decoded = decode(image.data, form.frames)
        else:
            decoder = get_decoder(image.syntax)
            frames = decoder.iter_array(dataset, raw=True, decoding_plugin="pydicom")
            decoded = b"".join(values.astype(form.dtype).tobytes() for values, _ in frames)
        return np.frombuffer(decoded, form.dtype).reshape(form.frames, *form.shape)


def _check_size(fragment: bytes, image: DicomFile, form: PixelFormat) -> None:
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
            f"{image.path}: PixelData: expected samples of at most {form.allocated} bits as in "
            f"BitsAllocated, found {found.bits} in the {image.syntax.name} codestream"
        )


@contextlib.contextmanager
def _refusing(image: DicomFile) -> Iterator[None]:
    """Whatever a damaged value makes a library raise becomes an InputError."""
    try:
        with silence():
            yield
    except Exception as error:  # pydicom and its decoders have no common class
        if isinstance(error, InputError) and error.args[0].startswith(str(image.path)):
            raise
        raise InputError(
            f"{image.path}: PixelData: cannot be decoded as {image.syntax.name}; it is damaged or "
            f"cut short ({error if isinstance(error, InputError) else cause(error)})"
        ) from error
