"""What lenient reading does with a series that has something wrong with it.

Mended is what has one plausible answer: slices that cannot be read or are of another kind are left
out, copies of a slice are dropped, gaps of a few slices are filled in between their neighbours,
uneven steps and gantry tilt are resampled. Two different slices in one place, or a wide gap, have
none and are refused as ever.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from liverjax.errors import InputError
from liverjax.io.dicom.file import DicomFile
from liverjax.io.dicom.slices import PADDING_HU, Slice, read_slices, to_hu
from liverjax.io.dicom.stack import (
    SAME_POSITION_MM,
    TOLERANCE_MM,
    by_height,
    check_voxels,
    offsets,
    order,
    single_step,
    slice_step,
)
from liverjax.wording import counted

_LOGGER = logging.getLogger(__name__)
# Of the slices of a series at most this share may be unreadable.
_MOST_LOST = 0.25
# Widest gap to fill: in steps, and in mm beyond one step.
_MOST_STEPS, _MOST_MM = 4, 20.0
_STEEPEST_TILT = np.tan(np.deg2rad(45))


class Repair(NamedTuple):
    """Something that was mended.

    Attributes:
        what: what was done, for a report; names no file.
        where: the files that it was done to, for the terminal.
    """

    what: str
    where: tuple[str, ...]


class Mended(NamedTuple):
    """A series after its repair.

    Attributes:
        hu: int16 [D, H, W].
        origin: float64 [3], LPS mm of its first voxel.
        step: mm between its slices.
        slices: those of the source that are left, in order.
        places: of each of them (index, row) in `hu`, see `source.SourceSlice`.
        repairs: what was done.
    """

    hu: np.ndarray
    origin: np.ndarray
    step: float
    slices: list[Slice]
    places: list[tuple[float, float]]
    repairs: tuple[Repair, ...]


class _Plane(NamedTuple):
    slice: Slice
    hu: np.ndarray


def repair(images: Sequence[DicomFile], damaged: Sequence[InputError], where: str) -> Mended:
    """Reads the images of a series, and mends what can be.

    Args:
        images: of the series.
        damaged: what is wrong with files that may have been of it.
        where: what to call it on the terminal.

    Raises:
        InputError: what is wrong cannot be mended; names the file and the tag.
    """
    planes, repairs = _readable(images, damaged)
    planes, dropped = _of_one_kind(planes)
    repairs += dropped
    planes, dropped = _without_copies(planes)
    repairs += dropped
    slices = [plane.slice for plane in planes]
    rows, straightened = _tilt(slices)
    indices, depth, step, filled = _regular_steps(slices)
    repairs += straightened + filled
    height = slices[0].shape[0] + int(np.ceil(rows.max()))
    check_voxels(depth, slices[0]._replace(shape=(height, slices[0].shape[1])))
    straight = [_moved(plane.hu, row, height) for plane, row in zip(planes, rows, strict=True)]
    for item in repairs:
        _LOGGER.warning("%s: %s (%s)", where, item.what, ", ".join(item.where))
    return Mended(
        hu=_interpolate(straight, indices, depth),
        origin=slices[0].position - rows[0] * slices[0].pixel_spacing[0] * slices[0].orientation[1],
        step=step,
        slices=slices,
        places=list(zip(indices.tolist(), rows.tolist(), strict=True)),
        repairs=tuple(repairs),
    )


def _readable(
    images: Sequence[DicomFile], damaged: Sequence[InputError]
) -> tuple[list[_Plane], list[Repair]]:
    """The planes that can be read; what cannot is left out, if it is little."""
    slices: list[Slice] = []
    planes: list[_Plane] = []
    errors = list(damaged)
    for image in images:
        try:
            slices += read_slices(image)
        except InputError as error:
            errors.append(error)
    if slices:
        check_voxels(len(slices), slices[0])  # before anything is decoded
    for item in slices:
        try:
            planes.append(_Plane(item, to_hu(item)))
        except InputError as error:
            errors.append(error)
    if errors and len(errors) > _MOST_LOST * (len(planes) + len(errors)):
        raise errors[0]
    return planes, _repair("left out {}, which cannot be read", [str(error) for error in errors])


def _of_one_kind(planes: list[_Plane]) -> tuple[list[_Plane], list[Repair]]:
    """The planes of the size and orientation that most have."""
    kinds = [_kind(plane.slice) for plane in planes]
    (usual, count), *_ = Counter(kinds).most_common(1)
    if 2 * count <= len(planes):
        order([plane.slice for plane in planes])  # says what differs
    kept = [plane for plane, kind in zip(planes, kinds, strict=True) if kind == usual]
    others = [
        str(plane.slice.path) for plane, kind in zip(planes, kinds, strict=True) if kind != usual
    ]
    return kept, _repair("left out {} of another size or orientation", others)


def _kind(item: Slice) -> tuple[object, ...]:
    orientation = np.round(item.orientation, 3) + 0.0  # no minus zero
    return item.shape, tuple(orientation.ravel()), tuple(np.round(item.pixel_spacing, 3))


def _without_copies(planes: list[_Plane]) -> tuple[list[_Plane], list[Repair]]:
    """The planes in order, without those that show what another in the same place shows."""
    ranks = {id(item): rank for rank, item in enumerate(by_height([p.slice for p in planes]))}
    planes = sorted(planes, key=lambda plane: ranks[id(plane.slice)])
    kept, copies = planes[:1], []
    for plane in planes[1:]:
        away = np.linalg.norm(plane.slice.position - kept[-1].slice.position)
        if away < SAME_POSITION_MM and np.array_equal(plane.hu, kept[-1].hu):
            copies.append(str(plane.slice.path))
        else:
            kept.append(plane)
    return kept, _repair("dropped {} that is there twice", copies)


def _tilt(slices: list[Slice]) -> tuple[np.ndarray, list[Repair]]:
    """First row of every slice once the series is straight, the least of them 0."""
    _, sideways = offsets(slices)
    if np.linalg.norm(sideways, axis=1).max() <= TOLERANCE_MM:
        return np.zeros(len(slices)), []
    heights, _ = offsets(slices)
    column = slices[0].orientation[1]
    slope = float((sideways @ column) @ heights / (heights @ heights))
    rest = sideways - np.outer(slope * heights, column)
    if np.linalg.norm(rest, axis=1).max() > TOLERANCE_MM or abs(slope) > _STEEPEST_TILT:
        slice_step(slices)  # says what is wrong
    shift = slope * heights / slices[0].pixel_spacing[0]
    angle = np.degrees(np.arctan(slope))
    what = f"resampled {counted(len(slices), 'slice')} with a gantry tilt of {angle:.1f} degrees"
    return shift - shift.min(), [Repair(what, (str(slices[0].path.parent),))]


def _regular_steps(slices: list[Slice]) -> tuple[np.ndarray, int, float, list[Repair]]:
    """Index of every slice in a volume of even steps, its depth, its step, and what that mends."""
    count = len(slices)
    if count == 1:
        return np.zeros(1), 1, single_step(slices[0]), []
    heights, _ = offsets(slices)
    steps = np.diff(heights)
    usual = float(np.median(steps))
    uneven = np.abs(steps - usual) > TOLERANCE_MM
    if not uneven.any() and steps.min() >= SAME_POSITION_MM:
        return np.arange(count, dtype=np.float64), count, float(steps.mean()), []
    widest = float(steps.max())
    if steps.min() < SAME_POSITION_MM or widest > min(_MOST_STEPS * usual, usual + _MOST_MM) + 0.1:
        # Two slices in one place, or a gap that nobody can fill.
        _refuse_steps(slices)
    whole = np.maximum(np.rint(steps / usual), 1)
    if (np.abs(steps - whole * usual) <= TOLERANCE_MM).all():
        indices = np.concatenate([[0], np.cumsum(whole)])
        depth = int(indices[-1]) + 1
        what = "filled in {} missing between others"
        gaps = [str(slices[i + 1].path) for i in np.flatnonzero(whole > 1)]
        filled = Repair(what.format(counted(depth - count, "slice")), tuple(gaps))
        return indices, depth, float(heights[-1] / (depth - 1)), [filled]
    indices = heights / usual
    depth = int(np.floor(indices[-1] + 1e-6)) + 1
    what = f"resampled uneven steps of {steps.min():.2f} to {widest:.2f} mm to {usual:.2f} mm"
    odd = [str(slices[i + 1].path) for i in np.flatnonzero(uneven)]
    return indices, depth, usual, [Repair(what, tuple(odd))]


def _refuse_steps(slices: list[Slice]) -> None:
    """Raises what strict reading says of these steps."""
    normal = np.cross(*slices[0].orientation)
    first = slices[0].position
    # Without what lies sideways, which was looked at before.
    slice_step(
        [
            item._replace(position=first + ((item.position - first) @ normal) * normal)
            for item in slices
        ]
    )


def _moved(hu: np.ndarray, row: float, height: int) -> np.ndarray:
    """A plane on a taller one, moved down by `row` rows; between two rows, their mean by weight."""
    if not row and height == len(hu):
        return hu
    whole = int(np.floor(row))
    part = row - whole
    canvas = np.zeros((height + 1, hu.shape[1]), dtype=np.float32)
    above = hu.astype(np.float32) - PADDING_HU
    canvas[whole : whole + len(hu)] += (1 - part) * above
    canvas[whole + 1 : whole + 1 + len(hu)] += part * above
    return np.rint(canvas[:height] + PADDING_HU).astype(np.int16)


def _interpolate(planes: Sequence[np.ndarray], indices: np.ndarray, depth: int) -> np.ndarray:
    """A volume [D, H, W] of planes at ascending `indices`: themselves, or means by weight."""
    hu = np.empty((depth, *planes[0].shape), dtype=np.int16)
    for index in range(depth):
        above = int(np.searchsorted(indices, index - 1e-6))
        if above == len(planes) or abs(indices[above] - index) <= 1e-6 or above == 0:
            hu[index] = planes[min(above, len(planes) - 1)]
            continue
        part = (index - indices[above - 1]) / (indices[above] - indices[above - 1])
        mean = (1 - part) * planes[above - 1].astype(np.float32) + part * planes[above]
        hu[index] = np.rint(mean)
    return hu


def _repair(what: str, where: list[str]) -> list[Repair]:
    """A repair of some slices; none where it concerns none."""
    return [Repair(what.format(counted(len(where), "slice")), tuple(where))] if where else []
