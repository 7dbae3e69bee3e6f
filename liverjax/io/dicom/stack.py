"""Slices one above another: their order, and whether they make a volume."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import NoReturn

import numpy as np
from numpy.typing import ArrayLike

from liverjax.errors import InputError
from liverjax.io.dicom.slices import Slice
from liverjax.volume import MAX_VOXELS

# Scanners write positions to 0.1 mm or finer, so that even steps may seem to differ by that.
TOLERANCE_MM = 0.101
SAME_POSITION_MM = 1e-3
SAME_DIRECTION = 1e-4


def order(slices: Sequence[Slice]) -> list[Slice]:
    """Slices along the normal of their plane.

    Raises:
        InputError: one differs from the first in size, orientation or pixel spacing.
    """
    for item in slices[1:]:
        if not same_plane(item, slices[0]):
            refuse_plane(item, slices[0])
    return by_height(slices)


def by_height(slices: Sequence[Slice]) -> list[Slice]:
    """Slices in order of their position along the normal of the first."""
    normal = np.cross(*slices[0].orientation)
    return sorted(slices, key=lambda item: float(item.position @ normal))


def same_plane(item: Slice, first: Slice) -> bool:
    """Whether two slices have size, orientation and pixel spacing alike."""
    return item.shape == first.shape and all(
        np.abs(found - expected).max() <= tolerance
        for found, expected, tolerance in (
            (item.orientation, first.orientation, SAME_DIRECTION),
            (item.pixel_spacing, first.pixel_spacing, SAME_POSITION_MM),
        )
    )


def refuse_plane(item: Slice, first: Slice) -> NoReturn:
    """Says in what two slices are not alike, see `same_plane`."""
    check_equal(
        item.path,
        f"in {first.path.name}; a series has slices of one kind (is this a localizer?)",
        [
            ("Rows and Columns", item.shape, first.shape, 0),
            ("ImageOrientationPatient", item.orientation, first.orientation, SAME_DIRECTION),
            ("PixelSpacing", item.pixel_spacing, first.pixel_spacing, SAME_POSITION_MM),
        ],
    )
    raise AssertionError(f"{item.path} and {first.path} are alike")


def slice_step(slices: Sequence[Slice]) -> float:
    """Mean distance in mm between slices, which are in order.

    Raises:
        InputError: they share a position, are unevenly spaced or shifted sideways.
    """
    if len(slices) == 1:
        return single_step(slices[0])
    heights, sideways = offsets(slices)
    check_acquisitions(slices)
    _check_steps(slices, heights)
    if np.linalg.norm(sideways, axis=1).max() > TOLERANCE_MM:
        refuse_sideways(slices, sideways)
    return float(heights[-1] / (len(slices) - 1))


def refuse_sideways(slices: Sequence[Slice], sideways: np.ndarray) -> NoReturn:
    """Says of slices, in order, that they do not stand straight above one another."""
    shift = np.linalg.norm(sideways, axis=1)
    item = slices[int(shift.argmax())]
    raise InputError(
        f"{item.path}: ImagePositionPatient: shifted sideways by {shift.max():.3f} mm against "
        f"{slices[0].path.name}, expected slices straight above one another (to 0.1 mm); "
        "liverjax-predict --lenient straightens a series with gantry tilt"
    )


def refuse_steps(slices: Sequence[Slice], heights: np.ndarray) -> NoReturn:
    """Says of slices, in order, what is wrong with the steps between them."""
    _check_steps(slices, heights)
    raise AssertionError("the steps are even")


def step_tolerance(step: float) -> float:
    """How far in mm a slice may lie from its place among even steps."""
    return min(TOLERANCE_MM, step / 4)


def check_acquisitions(slices: Sequence[Slice]) -> None:
    """Refuses slices, in order, of several scans that lie among one another.

    Scans of one series may follow one another, as where the table moves on in steps.
    """
    runs = [key for key, _ in itertools.groupby(item.acquisition for item in slices)]
    if len(runs) > len(set(runs)):
        first = runs[0]
        other = next(item for item in slices if item.acquisition != first)
        raise InputError(
            f"{other.path}: AcquisitionNumber, ConvolutionKernel or ImageType: found "
            f"{_printed(other.acquisition)} among slices of {_printed(first)}; these are several "
            "scans in one series: give the files of one"
        )


def _printed(acquisition: Iterable[str]) -> str:
    return ", ".join(filter(None, acquisition)) or "none"


def single_step(item: Slice) -> float:
    """The thickness of a slice that stands alone, in mm."""
    if item.thickness is None:
        raise InputError(f"{item.path}: SliceThickness: missing; a single slice needs it")
    return item.thickness


def offsets(slices: Sequence[Slice]) -> tuple[np.ndarray, np.ndarray]:
    """Where slices lie against the first: mm along the normal [N], and beside it [N, 3]."""
    normal = np.cross(*slices[0].orientation)
    away = np.array([item.position - slices[0].position for item in slices])
    heights = away @ normal
    return heights, away - np.outer(heights, normal)


def check_voxels(depth: int, shape: tuple[int, int], first: Slice) -> None:
    """Refuses a volume that is larger than any CT, before memory is asked for."""
    if depth * shape[0] * shape[1] > MAX_VOXELS:
        raise InputError(
            f"{first.path}: Rows and Columns: expected at most {MAX_VOXELS} voxels in a series, "
            f"found {depth} x {shape[0]} x {shape[1]}"
        )


def check_equal(
    path: PurePosixPath, whose: str, tags: Iterable[tuple[str, ArrayLike, ArrayLike, float]]
) -> None:
    """Raises InputError for the first of (tag, found, expected, tolerance) that differs."""
    for tag, found, expected, tolerance in tags:
        if not np.allclose(found, expected, rtol=0, atol=tolerance):
            raise InputError(
                f"{path}: {tag}: found {np.asarray(found).tolist()}, expected "
                f"{np.asarray(expected).tolist()} as {whose}"
            )


def _check_steps(slices: Sequence[Slice], heights: np.ndarray) -> None:
    """Refuses slices, in order, that share a position or are unevenly spaced; `heights` in mm."""
    steps = np.diff(heights)
    pairs = list(zip(itertools.pairwise(slices), steps.tolist(), strict=True))
    for (first, second), step in pairs:
        if step < SAME_POSITION_MM:
            raise InputError(
                f"{second.path}: ImagePositionPatient: {second.position.tolist()}, the same "
                f"position as {first.path}; keep one of the two; liverjax-predict "
                "--lenient drops a copy"
            )
    usual = float(np.median(steps))
    for (first, second), step in pairs:
        if abs(step - usual) > step_tolerance(usual):
            raise InputError(
                f"{second.path}: ImagePositionPatient: {second.position.tolist()} is {step:.3f} mm "
                f"from {first.path.name}, expected {usual:.3f} mm as between the other slices (to "
                "0.1 mm); is a slice missing? liverjax-predict --lenient fills gaps of a "
                "few slices and resamples uneven steps"
            )
    # Steps that are alike may still add up to another place.
    mean = heights[-1] / len(steps)
    away = np.abs(heights - mean * np.arange(len(slices)))
    if away.max() > step_tolerance(mean):
        item = slices[int(away.argmax())]
        raise InputError(
            f"{item.path}: ImagePositionPatient: {item.position.tolist()} lies {away.max():.3f} mm "
            f"from where even steps of {mean:.3f} mm lead, expected at most 0.1 mm; "
            "liverjax-predict --lenient resamples uneven steps"
        )
