"""Slices one above another: their order, and whether they make a volume."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

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
    first = slices[0]
    for item in slices[1:]:
        tags = plane_tags(item, first)
        # One comparison for most slices; which tag it is matters for the others alone.
        if any(not np.array_equal(found, expected) for _, found, expected, _ in tags):
            whose = f"in {first.path.name}; a series has slices of one kind (is this a localizer?)"
            check_equal(item.path, whose, tags)
    return by_height(slices)


def by_height(slices: Sequence[Slice]) -> list[Slice]:
    """Slices in order of their position along the normal of the first."""
    normal = np.cross(*slices[0].orientation)
    return sorted(slices, key=lambda item: float(item.position @ normal))


def plane_tags(item: Slice, first: Slice) -> list[tuple[str, ArrayLike, ArrayLike, float]]:
    """What two slices of a series have alike: (tag, found, expected, tolerance)."""
    return [
        ("Rows and Columns", item.shape, first.shape, 0),
        ("ImageOrientationPatient", item.orientation, first.orientation, SAME_DIRECTION),
        ("PixelSpacing", item.pixel_spacing, first.pixel_spacing, SAME_POSITION_MM),
    ]


def slice_step(slices: Sequence[Slice]) -> float:
    """Mean distance in mm between slices, which are in order.

    Raises:
        InputError: they share a position, are unevenly spaced or shifted sideways.
    """
    if len(slices) == 1:
        return single_step(slices[0])
    heights, sideways = offsets(slices)
    steps = np.diff(heights)
    _check_steps(slices, steps)
    shift = np.linalg.norm(sideways, axis=1)
    if shift.max() > TOLERANCE_MM:
        item = slices[int(shift.argmax())]
        raise InputError(
            f"{item.path}: ImagePositionPatient: shifted sideways by {shift.max():.3f} mm "
            f"against {slices[0].path.name}, expected slices straight above one another (to "
            "0.1 mm); --lenient straightens a series with gantry tilt"
        )
    return float(steps.mean())


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


def check_voxels(depth: int, first: Slice) -> None:
    """Refuses a volume that is larger than any CT, before memory is asked for."""
    voxels = depth * first.shape[0] * first.shape[1]
    if voxels > MAX_VOXELS:
        raise InputError(
            f"{first.path}: Rows and Columns: expected at most {MAX_VOXELS} voxels in a series, "
            f"found {depth} x {first.shape[0]} x {first.shape[1]}"
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


def _check_steps(slices: Sequence[Slice], steps: np.ndarray) -> None:
    """Refuses slices, in order, that share a position or are unevenly spaced; `steps` in mm."""
    pairs = list(zip(itertools.pairwise(slices), steps.tolist(), strict=True))
    for (first, second), step in pairs:
        if step < SAME_POSITION_MM:
            raise InputError(
                f"{second.path}: ImagePositionPatient: {second.position.tolist()}, the same "
                f"position as {first.path}; keep one of the two"
            )
    usual = float(np.median(steps))
    for (first, second), step in pairs:
        if abs(step - usual) > TOLERANCE_MM:
            raise InputError(
                f"{second.path}: ImagePositionPatient: {second.position.tolist()} is {step:.3f} mm "
                f"from {first.path.name}, expected {usual:.3f} mm as between the other slices (to "
                "0.1 mm); is a slice missing? --lenient fills a gap of a few slices"
            )
