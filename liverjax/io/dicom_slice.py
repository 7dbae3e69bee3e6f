"""One DICOM file as one CT slice."""

import io
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedCTImageStorage,
)

from liverjax.errors import InputError
from liverjax.io.tree import File

_CLASSES = {CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage}
_SYNTAXES = {ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian}
_MARK = slice(128, 132)
_SUFFIXES = {".dcm", ".dicom", ".ima"}


class Slice(NamedTuple):
    """A single-frame CT image.

    Attributes:
        path: of its file.
        series, description: SeriesInstanceUID and SeriesDescription, empty where not given.
        orientation: [2, 3], LPS unit vectors along a row and along a column.
        position: [3], LPS mm of the centre of the first pixel.
        pixel_spacing: mm between rows and between columns.
        thickness: mm to the next slice as far as the slice itself tells; None where it does not.
        rescale: slope and intercept from stored values to HU; None where not given.
        stored: [H, W], the values as stored.
    """

    path: PurePosixPath
    series: str
    description: str
    orientation: np.ndarray
    position: np.ndarray
    pixel_spacing: np.ndarray
    thickness: float | None
    rescale: tuple[float, float] | None
    stored: np.ndarray


def read_slice(file: File) -> Slice | None:
    """Reads a file; None where it is no CT image, such as a read-me, a DICOMDIR or a dose report.

    Raises:
        InputError: it is a CT image, or is named like one, and damaged or of a kind that is not
            supported; names the file and the tag.
    """
    dataset = _read_dataset(file)
    if dataset is None:
        return None
    path = file.path
    _check_kind(dataset, path)
    orientation = _numbers(dataset, "ImageOrientationPatient", 6, path).reshape(2, 3)
    if not np.allclose(orientation @ orientation.T, np.eye(2), rtol=0, atol=1e-3):
        raise InputError(
            f"{path}: ImageOrientationPatient: expected two perpendicular unit vectors, "
            f"found {orientation.tolist()}"
        )
    pixel_spacing = _numbers(dataset, "PixelSpacing", 2, path)
    if pixel_spacing.min() <= 0:
        raise InputError(f"{path}: PixelSpacing: expected mm, found {pixel_spacing.tolist()}")
    return Slice(
        path=path,
        series=str(dataset.get("SeriesInstanceUID", "")),
        description=str(dataset.get("SeriesDescription", "")),
        orientation=orientation / np.linalg.norm(orientation, axis=1, keepdims=True),
        position=_numbers(dataset, "ImagePositionPatient", 3, path),
        pixel_spacing=pixel_spacing,
        thickness=_thickness(dataset, path),
        rescale=_rescale(dataset, path),
        stored=_pixels(dataset, path),
    )


def _read_dataset(file: File) -> Dataset | None:
    """The data set of a CT image; None for any other file."""
    data = file.read()
    if data[_MARK] != b"DICM":
        suffix = file.path.suffix.lower()
        # A slice that was cut off within its preamble, which is empty in nearly every file; names
        # without a suffix, and those with a number after the last point, such as a UID or
        # 1.4_image_12, are usual for slices.
        cut = (not suffix or suffix[1:2].isdigit()) and not any(data[: _MARK.stop])
        if suffix in _SUFFIXES or cut:
            raise InputError(
                f"{file.path}: not a DICOM file: expected DICM after 128 bytes, found "
                f"{data[_MARK]!r} in {len(data)} bytes"
            )
        return None
    try:
        dataset = pydicom.dcmread(io.BytesIO(data))
        storage_class = dataset.file_meta.get("MediaStorageSOPClassUID") or dataset.SOPClassUID
    except Exception as error:  # pydicom has no common class of what damaged files raise
        raise InputError(f"{file.path}: damaged DICOM file ({error})") from error
    return dataset if storage_class in _CLASSES else None


def _check_kind(dataset: Dataset, path: PurePosixPath) -> None:
    """Refuses compressed, multi-frame and colour images."""
    syntax = UID(dataset.file_meta.get("TransferSyntaxUID", ""))
    if not syntax:
        raise InputError(f"{path}: TransferSyntaxUID: missing; the file may be cut short")
    if syntax not in _SYNTAXES:
        raise InputError(
            f"{path}: TransferSyntaxUID: expected uncompressed little-endian pixels, found "
            f"{syntax} ({syntax.name}); decompress the series, for example with gdcmconv --raw"
        )
    for keyword, meaning in (("NumberOfFrames", "frame"), ("SamplesPerPixel", "sample")):
        count = _integer(dataset, keyword, path, default=1)
        if count != 1:
            raise InputError(f"{path}: {keyword}: expected one {meaning}, found {count}")


def _pixels(dataset: Dataset, path: PurePosixPath) -> np.ndarray:
    """Stored values [H, W]; bits beside the stored ones are cleared (PS3.5 section 8.1.1)."""
    shape = _integer(dataset, "Rows", path), _integer(dataset, "Columns", path)
    allocated = _integer(dataset, "BitsAllocated", path)
    if allocated not in (8, 16):
        raise InputError(f"{path}: BitsAllocated: expected 8 or 16, found {allocated}")
    stored = _integer(dataset, "BitsStored", path, default=allocated)
    high = _integer(dataset, "HighBit", path, default=stored - 1)
    if not 0 < stored <= high + 1 <= allocated:
        raise InputError(f"{path}: BitsStored: {stored} up to HighBit {high} of {allocated}")
    signed = _integer(dataset, "PixelRepresentation", path) == 1
    data = dataset.get("PixelData")
    expected = shape[0] * shape[1] * allocated // 8
    found = len(data or b"")
    # A value of odd length has one byte of padding.
    if data is None or found not in (expected, expected + 1) or not expected:
        raise InputError(
            f"{path}: PixelData: expected {expected} bytes for {shape[0]} x {shape[1]} pixels, "
            f"found {found}; the file may be cut short"
        )
    dtype = np.dtype(f"<{'i' if signed else 'u'}{allocated // 8}")
    values = np.frombuffer(data, dtype, count=shape[0] * shape[1]).reshape(shape)
    if stored < allocated:
        return (values << (allocated - 1 - high)) >> (allocated - stored)
    return values


def _thickness(dataset: Dataset, path: PurePosixPath) -> float | None:
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        if dataset.get(keyword) not in (None, ""):
            value = abs(float(_numbers(dataset, keyword, 1, path)[0]))
            if value > 0:
                return value
    return None


def _rescale(dataset: Dataset, path: PurePosixPath) -> tuple[float, float] | None:
    if "RescaleSlope" not in dataset and "RescaleIntercept" not in dataset:
        return None
    slope, intercept = (
        float(_numbers(dataset, keyword, 1, path)[0])
        for keyword in ("RescaleSlope", "RescaleIntercept")
    )
    return slope, intercept


def _numbers(dataset: Dataset, keyword: str, count: int, path: PurePosixPath) -> np.ndarray:
    """The `count` finite numbers of a tag, float64 [count]."""
    value = None
    try:
        value = dataset.get(keyword)
        numbers = np.atleast_1d(np.array(value, dtype=np.float64))
        if numbers.shape == (count,) and np.isfinite(numbers).all():
            return numbers
    except (ValueError, TypeError, OverflowError):
        pass
    what = "missing" if value is None or value == "" else f"found {value}"
    raise InputError(f"{path}: {keyword}: expected {count} numbers, {what}")


def _integer(
    dataset: Dataset, keyword: str, path: PurePosixPath, default: int | None = None
) -> int:
    """The one integer of a tag."""
    try:
        value = dataset.get(keyword)
        if value is None and default is not None:
            return default
        return int(value)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: {keyword}: expected an integer, missing or damaged") from error
