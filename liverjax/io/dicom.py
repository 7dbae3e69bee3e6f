"""CT series from DICOM files, and masks on their grid."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from liverjax.errors import InputError
from liverjax.io.dicom_slice import Slice, read_slice
from liverjax.io.tree import File
from liverjax.volume import Geometry, Volume

# Scanners write positions to 0.1 mm or finer, so that even steps may seem to differ by that.
_TOLERANCE_MM = 0.101
_SAME_POSITION_MM = 1e-3
_SAME_DIRECTION = 1e-4
_INT16 = np.iinfo(np.int16)


class Series(NamedTuple):
    """A CT series.

    Attributes:
        volume: the CT, its slices in order.
        paths: of the file of each slice.
        positions: float64 [D, 3], LPS mm of the first pixel of each slice.
    """

    volume: Volume
    paths: tuple[PurePosixPath, ...]
    positions: np.ndarray


def read_files(files: Iterable[File], where: str) -> Series:
    """Reads the files of one CT series, in any order and among files that are no CT images.

    Slices are ordered by their position along the normal of the slice plane, so names and
    instance numbers play no part. Values are HU by each slice's own rescale slope and
    intercept, rounded. Steps between slices may differ by 0.1 mm, as positions may be rounded;
    the step of the volume is their mean.

    Args:
        files: of the series, and any others.
        where: what to call them in an error.

    Raises:
        InputError: no CT image; several series; a damaged file; slices that differ in size or
            orientation, share a position, are unevenly spaced or shifted sideways. Names the
            file and the tag.
    """
    slices = _one_series(files, where)
    first = slices[0]
    normal = np.cross(*first.orientation)
    slices.sort(key=lambda item: float(item.position @ normal))
    _check_planes(slices)
    step = _slice_step(slices, normal)
    hu = np.empty((len(slices), *first.stored.shape), dtype=np.int16)
    for index, item in enumerate(slices):
        hu[index] = _to_hu(item)
    positions = np.array([item.position for item in slices])
    directions = np.stack([normal, first.orientation[1], first.orientation[0]])
    geometry = Geometry.from_axes(
        origin=tuple(positions[0].tolist()),
        spacing=(step, *first.pixel_spacing.tolist()),
        directions=directions,
    )
    return Series(Volume(hu, geometry), tuple(item.path for item in slices), positions)


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
        mask[index] = item.stored > 0 if value is None else item.stored == value
    return mask


def _one_series(files: Iterable[File], where: str) -> list[Slice]:
    """The CT slices among `files`, unordered; refuses several series and none."""
    found: dict[str, list[Slice]] = {}
    others = 0
    for file in files:
        item = read_slice(file)
        if item is None:
            others += 1
            continue
        if len(found) > 1:
            # Nothing of these will be used: keep no pixels of what may be a whole archive.
            item = item._replace(stored=item.stored[:0])
        found.setdefault(item.series, []).append(item)
    if not found:
        raise InputError(
            f"{where}: expected CT images in DICOM format, found none among {others} files; of a "
            "NIfTI image, give the file itself"
        )
    if len(found) > 1:
        lines = [
            f"  {items[0].path.parent}: {len(items)} slices, "
            f"{items[0].description or 'no description'}, SeriesInstanceUID {uid or '(none)'}"
            for uid, items in found.items()
        ]
        raise InputError(
            f"{where}: expected one CT series, found {len(found)}; give the folder of one:\n"
            + "\n".join(lines)
        )
    return next(iter(found.values()))


def _check_planes(slices: Sequence[Slice]) -> None:
    """Refuses slices that differ from the first in size, orientation or pixel spacing."""
    first = slices[0]
    for item in slices[1:]:
        _check_equal(
            item.path,
            f"in {first.path.name}; a series has slices of one kind (is this a localizer?)",
            [
                ("Rows and Columns", item.stored.shape, first.stored.shape, 0),
                (
                    "ImageOrientationPatient",
                    item.orientation,
                    first.orientation,
                    _SAME_DIRECTION,
                ),
                ("PixelSpacing", item.pixel_spacing, first.pixel_spacing, _SAME_POSITION_MM),
            ],
        )


def _slice_step(slices: Sequence[Slice], normal: np.ndarray) -> float:
    """Mean distance in mm between slices, which are in order; refuses uneven ones."""
    if len(slices) == 1:
        if slices[0].thickness is None:
            raise InputError(f"{slices[0].path}: SliceThickness: missing; a single slice needs it")
        return slices[0].thickness
    offsets = np.array([item.position - slices[0].position for item in slices])
    heights = offsets @ normal
    steps = np.diff(heights)
    _check_steps(slices, steps)
    sideways = np.linalg.norm(offsets - np.outer(heights, normal), axis=1)
    if sideways.max() > _TOLERANCE_MM:
        item = slices[int(sideways.argmax())]
        raise InputError(
            f"{item.path}: ImagePositionPatient: shifted sideways by {sideways.max():.3f} mm "
            f"against {slices[0].path.name}, expected slices straight above one another (to "
            "0.1 mm); a series with gantry tilt must be resampled first"
        )
    return float(steps.mean())


def _check_steps(slices: Sequence[Slice], steps: np.ndarray) -> None:
    """Refuses slices, in order, that share a position or are unevenly spaced; `steps` in mm."""
    pairs = list(zip(itertools.pairwise(slices), steps.tolist(), strict=True))
    for (first, second), step in pairs:
        if step < _SAME_POSITION_MM:
            raise InputError(
                f"{second.path}: ImagePositionPatient: {second.position.tolist()}, the same "
                f"position as {first.path}; keep one of the two"
            )
    usual = float(np.median(steps))
    for (first, second), step in pairs:
        if abs(step - usual) > _TOLERANCE_MM:
            raise InputError(
                f"{second.path}: ImagePositionPatient: {second.position.tolist()} is {step:.3f} mm "
                f"from {first.path.name}, expected {usual:.3f} mm as between the other slices (to "
                "0.1 mm); is a slice missing?"
            )


def _to_hu(item: Slice) -> np.ndarray:
    """HU int16 [H, W] of a slice, by its own rescale tags; values beyond int16 are clipped."""
    if item.rescale is None:
        raise InputError(f"{item.path}: RescaleSlope and RescaleIntercept: missing")
    if item.rescale == (1.0, 0.0) and item.stored.dtype == np.int16:
        return item.stored
    slope, intercept = item.rescale
    hu = np.rint(item.stored * np.float32(slope) + np.float32(intercept))
    return hu.clip(_INT16.min, _INT16.max).astype(np.int16)


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
    _check_equal(
        item.path,
        f"in {series.paths[index].name} of the CT",
        [
            ("Rows and Columns", item.stored.shape, series.volume.hu.shape[1:], 0),
            ("ImagePositionPatient", item.position, series.positions[index], _TOLERANCE_MM),
            (
                "PixelSpacing and ImageOrientationPatient",
                steps,
                series.volume.geometry.affine[:3, 1:3],
                _SAME_POSITION_MM,
            ),
        ],
    )


def _check_equal(
    path: PurePosixPath, whose: str, tags: Iterable[tuple[str, ArrayLike, ArrayLike, float]]
) -> None:
    """Raises InputError for the first of (tag, found, expected, tolerance) that differs."""
    for tag, found, expected, tolerance in tags:
        if not np.allclose(found, expected, rtol=0, atol=tolerance):
            raise InputError(
                f"{path}: {tag}: found {np.asarray(found).tolist()}, expected "
                f"{np.asarray(expected).tolist()} as {whose}"
            )
