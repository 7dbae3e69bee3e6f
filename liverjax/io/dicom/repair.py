"""What lenient reading does with a series that has something wrong with it.

Mended is what has one plausible answer: slices that cannot be read or are of another kind are left
out, copies of a slice are dropped, gaps of a few slices are filled in between their neighbours,
uneven steps and gantry tilt are resampled. Two different slices in one place, or a wide gap, have
none and are refused as ever.
"""

import logging
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
    check_acquisitions,
    check_voxels,
    offsets,
    refuse_plane,
    refuse_sideways,
    refuse_steps,
    same_plane,
    single_step,
    step_tolerance,
)
from liverjax.wording import counted, listed

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
    """A series in order, with nothing wrong with it, or nothing any more.

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
    check_acquisitions(slices)
    indices, depth, step, filled = _regular_steps(slices)
    rows, straightened = _tilt(slices)
    repairs += straightened + filled
    shape = (slices[0].shape[0] + int(np.ceil(rows.max())), slices[0].shape[1])
    check_voxels(depth, shape, slices[0])
    hu = np.empty((depth, *shape), dtype=np.int16)
    for index in range(depth):
        hu[index] = _between(planes, rows, indices, index, shape[0])
    for item in repairs:
        _LOGGER.warning("%s: %s (%s)", where, item.what, listed(item.where))
    return Mended(
        hu=hu,
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
    errors = list(damaged)
    for image in images:
        try:
            slices += read_slices(image)
        except InputError as error:
            errors.append(error)
    count = len(slices) + len(errors)
    _give_up_on_many(errors, count)
    check_voxels(len(slices), slices[0].shape, slices[0])  # before anything is decoded
    planes: list[_Plane] = []
    for item in slices:
        try:
            planes.append(_Plane(item, to_hu(item)))
        except InputError as error:
            errors.append(error)
            _give_up_on_many(errors, count)
    return planes, _repair("left out {}, which cannot be read", [str(error) for error in errors])


def _give_up_on_many(errors: Sequence[InputError], count: int) -> None:
    """Raises the first of too many errors; decoding more of such a series would take long."""
    if errors and len(errors) > _MOST_LOST * count:
        raise errors[0]


def _of_one_kind(planes: list[_Plane]) -> tuple[list[_Plane], list[Repair]]:
    """The planes of the size and orientation that most have."""
    kinds: list[list[_Plane]] = []
    for plane in planes:
        alike = (kind for kind in kinds if same_plane(plane.slice, kind[0].slice))
        kind = next(alike, None)
        if kind is None:
            kinds.append([plane])
        else:
            kind.append(plane)
    kept = max(kinds, key=len)
    if 2 * len(kept) <= len(planes):
        other = next(kind for kind in kinds if kind is not kept)
        refuse_plane(other[0].slice, kept[0].slice)
    others = [str(plane.slice.path) for kind in kinds if kind is not kept for plane in kind]
    return kept, _repair("left out {} of another size or orientation", others)


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
    heights, sideways = offsets(slices)
    if np.linalg.norm(sideways, axis=1).max() <= TOLERANCE_MM:
        return np.zeros(len(slices)), []
    column = slices[0].orientation[1]
    slope = float((sideways @ column) @ heights / (heights @ heights))
    rest = sideways - np.outer(slope * heights, column)
    if np.linalg.norm(rest, axis=1).max() > TOLERANCE_MM or abs(slope) > _STEEPEST_TILT:
        refuse_sideways(slices, sideways)
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
    widest = float(steps.max())
    if steps.min() < SAME_POSITION_MM or widest > min(_MOST_STEPS * usual, usual + _MOST_MM) + 0.1:
        refuse_steps(slices, heights)  # two slices in one place, or a gap that nobody can fill
    indices = np.concatenate([[0], np.cumsum(np.maximum(np.rint(steps / usual), 1))])
    depth = int(indices[-1]) + 1
    mean = float(heights[-1] / indices[-1])
    if np.abs(heights - mean * indices).max() <= step_tolerance(mean):
        if depth == count:
            return indices, depth, mean, []
        whole = np.diff(indices)
        what = "filled in {} missing between others"
        gaps = [str(slices[i + 1].path) for i in np.flatnonzero(whole > 1)]
        filled = Repair(what.format(counted(depth - count, "slice")), tuple(gaps))
        return indices, depth, mean, [filled]
    indices = heights / usual
    # The last slice may lie up to half a step from the last of the volume.
    depth = int(np.ceil(indices[-1] - 0.5 - 1e-6)) + 1
    what = f"resampled uneven steps of {steps.min():.2f} to {widest:.2f} mm to {usual:.2f} mm"
    uneven = np.abs(steps - usual) > step_tolerance(usual)
    odd = [str(slices[i + 1].path) for i in np.flatnonzero(uneven)] or [str(slices[0].path.parent)]
    return indices, depth, usual, [Repair(what, tuple(odd))]


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


def _between(
    planes: Sequence[_Plane], rows: np.ndarray, indices: np.ndarray, index: int, height: int
) -> np.ndarray:
    """The plane of a volume at `index`: that of a slice there, or the mean of two by weight."""
    above = int(np.searchsorted(indices, index - 1e-6))
    last = len(planes) - 1

    def straight(number: int) -> np.ndarray:
        return _moved(planes[number].hu, rows[number], height)

    if above > last or above == 0 or abs(indices[above] - index) <= 1e-6:
        return straight(min(above, last))
    part = (index - indices[above - 1]) / (indices[above] - indices[above - 1])
    mean = (1 - part) * straight(above - 1).astype(np.float32) + part * straight(above)
    return np.rint(mean).astype(np.int16)


def _repair(what: str, where: list[str]) -> list[Repair]:
    """A repair of some slices; none where it concerns none."""
    return [Repair(what.format(counted(len(where), "slice")), tuple(where))] if where else []
