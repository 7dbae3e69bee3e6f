"""One CT series from DICOM files."""

import logging
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from liverjax.io.dicom.file import DicomFile, read_dicom
from liverjax.io.dicom.listing import (
    Damaged,
    FoundSeries,
    choose_series,
    describe_series,
    find_series,
)
from liverjax.io.dicom.repair import Mended, Repair, repair
from liverjax.io.dicom.slices import read_slices, to_hu
from liverjax.io.dicom.source import DicomSource, SourceSlice
from liverjax.io.dicom.stack import check_voxels, order, slice_step
from liverjax.io.failures import silence
from liverjax.io.tree import File
from liverjax.volume import Geometry, Volume

_LOGGER = logging.getLogger(__name__)


class Series(NamedTuple):
    """A CT series.

    Attributes:
        volume: the CT, its slices in order.
        paths: of the file of each slice of the source.
        source: what it was read from.
        repairs: what lenient reading had to do.
    """

    volume: Volume
    paths: tuple[PurePosixPath, ...]
    source: DicomSource
    repairs: tuple[Repair, ...] = ()


def read_files(
    files: Callable[[], Iterable[File]],
    where: str,
    *,
    series_uid: str | None = None,
    lenient: bool = False,
) -> Series:
    """Reads one CT series from files in any order, among files that are no CT images.

    Of several series the one with `series_uid` is taken, or else the CT with most slices. Slices
    are ordered by their position along the normal of the slice plane, so names and instance
    numbers play no part. Values are HU by each slice's own rescale slope and intercept, rounded.
    Steps between slices may differ by 0.1 mm, as positions may be rounded; the step of the volume
    is their mean.

    Args:
        files: gives those of the series, and any others; where there are several series, a second
            time.
        where: what to call them in an error.
        series_uid: SeriesInstanceUID of the one to read.
        lenient: mend what can be mended in place of refusing it, see `repair.repair`.

    Raises:
        InputError: no CT image; several series of which none is meant; a damaged file, if it may
            be of the series; slices that differ in size or orientation, share a position, are
            unevenly spaced or shifted sideways. Names the file and the tag.
    """
    damaged: list[Damaged] = []
    tolerant = lenient or series_uid is not None
    found = find_series(files(), damaged if tolerant else None)
    if damaged and not any(series.info.is_ct for series in found):
        raise damaged[0].error
    chosen = choose_series(found, where, series_uid)
    if len(found) > 1:
        _LOGGER.info("of %d series: %s", len(found), describe_series(chosen.info))
    # A damaged file in another folder is of another series.
    folders = {path.parent for path in chosen.paths}
    near = [item.error for item in damaged if item.path.parent in folders]
    images = chosen.images or _read_again(chosen, files())
    if lenient:
        return _series(repair(images, near, where))
    if near:
        raise near[0]
    return _series(_stack(images))


@silence()
def _read_again(chosen: FoundSeries, files: Iterable[File]) -> list[DicomFile]:
    """The images of a series whose pixels were not kept."""
    return [
        image
        for file in files
        if file.path in chosen.paths and (image := read_dicom(file)) is not None
    ]


def _stack(images: list[DicomFile]) -> Mended:
    """The images of a series that has nothing wrong with it."""
    slices = order([item for image in images for item in read_slices(image)])
    step = slice_step(slices)
    check_voxels(len(slices), slices[0].shape, slices[0])
    hu = np.empty((len(slices), *slices[0].shape), dtype=np.int16)
    for index, item in enumerate(slices):
        hu[index] = to_hu(item)
    places = [(float(index), 0.0) for index in range(len(slices))]
    return Mended(hu, slices[0].position, step, slices, places, ())


def _series(stack: Mended) -> Series:
    """What a stack of slices is in the patient, and what it was read from."""
    hu, origin, step, slices, places, repairs = stack
    first = slices[0]
    normal = np.cross(*first.orientation)
    geometry = Geometry.from_axes(
        origin=tuple(origin.tolist()),
        spacing=(step, *first.pixel_spacing.tolist()),
        directions=np.stack([normal, first.orientation[1], first.orientation[0]]),
    )
    images = {id(item.file): item.file for item in slices}
    numbers = {image: number for number, image in enumerate(images)}
    source = DicomSource(
        files=tuple(image.dataset for image in images.values()),
        slices=tuple(
            SourceSlice(numbers[id(item.file)], item.frame, item.position, index, row)
            for item, (index, row) in zip(slices, places, strict=True)
        ),
        shape=first.shape,
        orientation=first.orientation,
        pixel_spacing=first.pixel_spacing,
        step=step,
        volume_shape=hu.shape,
    )
    paths = tuple(item.file.path for item in slices)
    return Series(Volume(hu, geometry), paths, source, repairs)
