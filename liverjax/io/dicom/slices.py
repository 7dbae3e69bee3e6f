"""The image planes of a DICOM file: where each lies, and its HU."""

from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
from pydicom.dataset import Dataset

from liverjax.errors import InputError
from liverjax.io.dicom.file import DicomFile, read_dicom
from liverjax.io.dicom.functional_groups import functional_groups
from liverjax.io.dicom.pixels import Frames, PixelFormat, clear_bits, open_pixels, read_format
from liverjax.io.dicom.tags import has, has_value, integer, numbers, text
from liverjax.io.tree import File
from liverjax.volume import FARTHEST_MM, LONGEST_MM, SHORTEST_MM

_INT16 = np.iinfo(np.int16)
PADDING_HU = np.int16(-1024)  # the lowest of the scale, as air
_MOST_HU = 1e6
_ACQUISITION = ("AcquisitionNumber", "ConvolutionKernel", "ImageType")
# What RescaleType may say where values are HU; US is "unspecified" (PS3.3 C.11.1.1.2).
_HU_TYPES = {"", "HU", "HU_MOD", "US"}


class Slice(NamedTuple):
    """One image plane of a CT.

    Attributes:
        file: that it is in.
        frame: its number, from 1; None where the file holds one image.
        orientation: [2, 3], LPS unit vectors along a row and along a column.
        position: [3], LPS mm of the centre of the first pixel.
        pixel_spacing: mm between rows and between columns.
        thickness: mm to the next slice as far as the slice itself tells; None where it does not.
        rescale: slope and intercept from stored values to HU; None where not given.
        padding: lowest and highest stored value that mean "outside of the image"; None without.
        acquisition: what slices of one scan have alike: number of the acquisition, kernel, kind.
        form: of the pixels.
        pixels: gives the values in their containers, when called with the index of the frame.
    """

    file: DicomFile
    frame: int | None
    orientation: np.ndarray
    position: np.ndarray
    pixel_spacing: np.ndarray
    thickness: float | None
    rescale: tuple[float, float] | None
    padding: tuple[int, int] | None
    acquisition: tuple[str, ...]
    form: PixelFormat
    pixels: Frames

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.form.shape

    @property
    def path(self) -> PurePosixPath:
        """Of its file, with the number of its frame, for messages."""
        path = self.file.path
        return path if self.frame is None else path.with_name(f"{path.name} frame {self.frame}")

    def contained(self) -> np.ndarray:
        """Values with whatever lies beside their bits, [H, W]; InputError where damaged."""
        return self.pixels(0 if self.frame is None else self.frame - 1)

    def stored(self) -> np.ndarray:
        """Values as stored, [H, W]; raises InputError where they are damaged."""
        return clear_bits(self.contained(), self.form)


def read_slices(image: DicomFile) -> list[Slice]:
    """The planes of a CT image, in the order of its frames.

    Raises:
        InputError: it is damaged or of a kind that is not supported; names the file and the tag.
    """
    dataset, path = image.dataset, image.path
    modality = text(dataset, "Modality")
    if modality not in ("", "CT"):
        raise InputError(f"{path}: Modality: expected CT, found {modality}")
    form = read_format(image)
    pixels = open_pixels(image, form)
    if has(dataset, "PerFrameFunctionalGroupsSequence"):
        return list(_enhanced(image, form, pixels))
    if form.frames != 1:
        raise InputError(f"{path}: NumberOfFrames: expected one frame, found {form.frames}")
    padding = _padding(dataset, form, path)
    return [_slice(image, None, [dataset], padding, form, pixels)]


def read_slice(file: File) -> Slice | None:
    """The plane of a file with one; None where it is no CT image, such as a read-me.

    Raises:
        InputError: as `read_slices`, or it holds several.
    """
    image = read_dicom(file)
    if image is None or not image.is_ct:
        return None
    slices = read_slices(image)
    if len(slices) != 1:
        raise InputError(f"{file.path}: NumberOfFrames: expected one frame, found {len(slices)}")
    return slices[0]


def to_hu(item: Slice) -> np.ndarray:
    """HU int16 [H, W] by the slice's own rescale tags; clipped to int16, padding as air.

    Raises:
        InputError: the tags are missing, or the pixels are damaged.
    """
    if item.rescale is None:
        raise InputError(f"{item.path}: RescaleSlope and RescaleIntercept: missing")
    contained = item.contained()
    stored = clear_bits(contained, item.form)
    slope, intercept = item.rescale
    if (slope, intercept) == (1.0, 0.0) and stored.dtype == np.int16:
        hu = stored
    else:
        scaled = stored * slope + intercept
        hu = np.rint(scaled, out=scaled).clip(_INT16.min, _INT16.max).astype(np.int16)
    if item.padding is not None:
        low, high = item.padding
        # It may have bits beside those of the values, or the sign of a decoded one.
        outside = [(values >= low) & (values <= high) for values in (contained, stored)]
        hu = np.where(np.logical_or(*outside), PADDING_HU, hu)
    return hu


def _enhanced(image: DicomFile, form: PixelFormat, pixels: Frames) -> Iterator[Slice]:
    """The planes of a multi-frame CT, whose tags lie in functional groups (PS3.3 C.7.6.16)."""
    groups, shared = functional_groups(image, form.frames)
    padding = _padding(image.dataset, form, image.path)
    for number, group in enumerate(groups, start=1):
        yield _slice(image, number, [*group, *shared], padding, form, pixels)


def _slice(
    image: DicomFile,
    frame: int | None,
    places: list[Dataset],
    padding: tuple[int, int] | None,
    form: PixelFormat,
    pixels: Frames,
) -> Slice:
    """One plane, whose tags lie in any of `places`."""
    path = image.path if frame is None else image.path.with_name(f"{image.path.name} frame {frame}")
    holder = partial(_holder, places)
    orientation = numbers(
        holder("ImageOrientationPatient"), "ImageOrientationPatient", 6, path
    ).reshape(2, 3)
    if not np.allclose(orientation @ orientation.T, np.eye(2), rtol=0, atol=1e-3):
        raise InputError(
            f"{path}: ImageOrientationPatient: expected two perpendicular unit vectors, "
            f"found {orientation.tolist()}"
        )
    pixel_spacing = numbers(holder("PixelSpacing"), "PixelSpacing", 2, path)
    _check_range(pixel_spacing, SHORTEST_MM, LONGEST_MM, "PixelSpacing", path)
    position = numbers(holder("ImagePositionPatient"), "ImagePositionPatient", 3, path)
    _check_range(np.abs(position), 0, FARTHEST_MM, "ImagePositionPatient", path)
    return Slice(
        file=image,
        frame=frame,
        orientation=orientation / np.linalg.norm(orientation, axis=1, keepdims=True),
        position=position,
        pixel_spacing=pixel_spacing,
        thickness=_thickness(places, path),
        rescale=_rescale(holder("RescaleSlope", "RescaleIntercept"), path),
        padding=padding,
        acquisition=tuple(
            text(holder(keyword), keyword) for keyword in (*_ACQUISITION, "FrameAcquisitionNumber")
        ),
        form=form,
        pixels=pixels,
    )


def _holder(places: list[Dataset], *keywords: str) -> Dataset:
    """The first of `places` that has one of the tags."""
    for place in places:
        if any(has(place, keyword) for keyword in keywords):
            return place
    return places[0] if places else Dataset()


def _thickness(places: list[Dataset], path: PurePosixPath) -> float | None:
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        dataset = _holder(places, keyword)
        if has_value(dataset, keyword):
            value = np.abs(numbers(dataset, keyword, 1, path))
            if value[0] > 0:
                _check_range(value, SHORTEST_MM, LONGEST_MM, keyword, path)
                return float(value[0])
    return None


def _rescale(dataset: Dataset, path: PurePosixPath) -> tuple[float, float] | None:
    if has(dataset, "ModalityLUTSequence"):
        raise InputError(
            f"{path}: ModalityLUTSequence: expected RescaleSlope and RescaleIntercept instead"
        )
    if not has(dataset, "RescaleSlope") and not has(dataset, "RescaleIntercept"):
        return None
    kind = text(dataset, "RescaleType")
    if kind not in _HU_TYPES:
        raise InputError(f"{path}: RescaleType: expected HU, found {kind}")
    slope, intercept = (
        numbers(dataset, keyword, 1, path) for keyword in ("RescaleSlope", "RescaleIntercept")
    )
    _check_range(slope, 1 / _MOST_HU, _MOST_HU, "RescaleSlope", path)
    _check_range(np.abs(intercept), 0, _MOST_HU, "RescaleIntercept", path)
    return float(slope[0]), float(intercept[0])


def _check_range(
    found: np.ndarray, low: float, high: float, keyword: str, path: PurePosixPath
) -> None:
    """Refuses numbers that no CT has, with which nothing could be computed."""
    if found.min() < low or found.max() > high:
        raise InputError(f"{path}: {keyword}: expected {low:g} to {high:g}, found {found.tolist()}")


def _padding(dataset: Dataset, form: PixelFormat, path: PurePosixPath) -> tuple[int, int] | None:
    """Stored values that stand for no measurement (PS3.3 C.7.5.1.1.2)."""
    if not has_value(dataset, "PixelPaddingValue"):
        return None
    first = integer(dataset, "PixelPaddingValue", path)
    last = integer(dataset, "PixelPaddingRangeLimit", path, default=first)
    if max(abs(first), abs(last)) >= 1 << 32:
        raise InputError(f"{path}: PixelPaddingValue: expected a stored value, found {first}")
    # The tag's own type says nothing of the sign: 63536 is -2000 among signed values.
    container = np.array([first, last]).astype(np.uint64).astype(form.dtype).astype(np.int64)
    return int(container.min()), int(container.max())
