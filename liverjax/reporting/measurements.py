"""What a segmentation measures: volumes, and size, place and density of every tumour."""

import dataclasses
from typing import Any

import numpy as np
from scipy import ndimage

from liverjax.components import label_components
from liverjax.labels import Label
from liverjax.reporting.diameters import axial_diameters
from liverjax.volume import (
    Geometry,
    Segmentation,
    Volume,
    canonical_geometry,
    check_same_grid,
    to_canonical,
)


@dataclasses.dataclass(frozen=True)
class Tumor:
    """One 26-connected tumour.

    Attributes:
        voxels: its size, known whatever the spacing.
        volume_ml: None where the voxel size is not known.
        longest_axial_diameter_mm: the largest distance between two points of what is connected
            in one axial slice, see `diameters.axial_diameters`; None where the voxel size is not
            known.
        perpendicular_diameter_mm: the largest one at right angles to it in the same piece of the
            same slice; None where the voxel size is not known.
        slice_index: the axial slice of that diameter, counted from 0 at the feet. Where the
            voxel size is not known, the slice in which the tumour is longest in pixels.
        center_voxel: centroid as (slice, row, column), counted from 0 at the feet, the front and
            the right side, whatever the order in which the CT is stored.
        center_lps_mm: centroid in patient coordinates (to the left, back and head); None where
            the voxel size is not known.
        mean_hu: None where no CT was given.
    """

    voxels: int
    volume_ml: float | None
    longest_axial_diameter_mm: float | None
    perpendicular_diameter_mm: float | None
    slice_index: int
    center_voxel: tuple[float, float, float]
    center_lps_mm: tuple[float, float, float] | None
    mean_hu: float | None


@dataclasses.dataclass(frozen=True)
class Measurements:
    """Figures of one segmentation; the liver is counted with its tumours.

    Attributes:
        liver_voxels, tumor_voxels: counts, known whatever the spacing.
        liver_ml, tumor_ml: volumes; None where the voxel size is not known.
        tumor_burden: tumour over liver with tumours, 0 to 1; None where there is no liver.
        liver_mean_hu: of the liver without its tumours; None where no CT was given, or where
            there is no such liver.
        tumors: the largest first.
    """

    liver_voxels: int
    tumor_voxels: int
    liver_ml: float | None
    tumor_ml: float | None
    tumor_burden: float | None
    liver_mean_hu: float | None
    tumors: tuple[Tumor, ...]


def measure(segmentation: Segmentation, volume: Volume | None = None) -> Measurements:
    """Measures a segmentation; the CT it belongs to adds mean HU.

    Raises:
        InputError: the CT and the segmentation lie on different grids.
    """
    geometry = segmentation.geometry
    if volume is not None:
        check_same_grid(volume, segmentation, ("CT", "segmentation"))
    liver_voxels = int(np.count_nonzero(segmentation.liver))
    tumor_voxels = int(np.count_nonzero(segmentation.tumor))
    voxel_ml = geometry.voxel_ml
    return Measurements(
        liver_voxels=liver_voxels,
        tumor_voxels=tumor_voxels,
        liver_ml=None if voxel_ml is None else liver_voxels * voxel_ml,
        tumor_ml=None if voxel_ml is None else tumor_voxels * voxel_ml,
        tumor_burden=tumor_voxels / liver_voxels if liver_voxels else None,
        liver_mean_hu=_mean(
            None if volume is None else volume.hu, segmentation.labels == Label.LIVER
        ),
        tumors=_measure_tumors(segmentation, volume),
    )


def to_json(measurements: Measurements) -> dict[str, Any]:
    """The figures as plain numbers, lists and dicts; what is not known is None."""
    return dataclasses.asdict(measurements)


def _mean(hu: np.ndarray | None, mask: np.ndarray) -> float | None:
    """Mean HU where `mask` is true; None without a CT or anything to average."""
    if hu is None or not mask.any():
        return None
    return float(hu[mask].mean(dtype=np.float64))


def _measure_tumors(segmentation: Segmentation, volume: Volume | None) -> tuple[Tumor, ...]:
    """Every tumour in the canonical orientation, the largest first."""
    geometry = canonical_geometry(segmentation.labels.shape, segmentation.geometry)
    tumor = to_canonical(segmentation.tumor, segmentation.geometry)
    hu = None if volume is None else to_canonical(volume.hu, volume.geometry)
    # Pieces that touch at a corner are one tumour in a report, as a reader sees them.
    pieces = label_components(tumor)
    tumors = []
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        mask = pieces[box] == number
        corner = np.array([side.start for side in box])
        tumors.append(_measure_tumor(mask, corner, geometry, None if hu is None else hu[box]))
    return tuple(sorted(tumors, key=lambda found: -found.voxels))


def _measure_tumor(
    mask: np.ndarray, corner: np.ndarray, geometry: Geometry, hu: np.ndarray | None
) -> Tumor:
    """One tumour.

    Args:
        mask: boolean [d, h, w], the tumour within its bounding box, in canonical orientation.
        corner: int [3], index of the box's first voxel in the whole canonical volume.
        geometry: of the whole canonical volume.
        hu: the box of the CT.
    """
    voxels = int(np.count_nonzero(mask))
    diameters = axial_diameters(mask, geometry.affine[:3, 1:3])
    centroid = corner + np.argwhere(mask).mean(axis=0)
    d, h, w = centroid.tolist()
    x, y, z = (geometry.affine[:3, :3] @ centroid + geometry.affine[:3, 3]).tolist()
    voxel_ml = geometry.voxel_ml
    return Tumor(
        voxels=voxels,
        volume_ml=None if voxel_ml is None else voxels * voxel_ml,
        longest_axial_diameter_mm=diameters.longest if geometry.spacing_known else None,
        perpendicular_diameter_mm=diameters.perpendicular if geometry.spacing_known else None,
        slice_index=int(corner[0]) + diameters.slice_index,
        center_voxel=(d, h, w),
        center_lps_mm=(x, y, z) if geometry.spacing_known else None,
        mean_hu=_mean(hu, mask),
    )
