"""Reads DICOM segmentation objects back onto the grid of their CT."""

from pathlib import Path

import numpy as np
from highdicom.seg import segread
from pydicom.filereader import read_file_meta_info
from pydicom.uid import SegmentationStorage

from liverjax.errors import InputError
from liverjax.io.archives import is_dicom_file
from liverjax.io.failures import cause, silence
from liverjax.volume import Geometry, canonical_geometry, to_canonical

_STEP_MM = 1e-3
_OFFSET = 0.05  # voxels that it may lie beside the CT's


def is_segmentation_object(path: Path) -> bool:
    """Whether a file is a DICOM segmentation, by what its head says."""
    if not path.is_file() or not is_dicom_file(path):
        return False
    try:
        with silence():
            kind = read_file_meta_info(path).get("MediaStorageSOPClassUID")
    except Exception:  # pydicom has no common class for damage, which reading it as a CT tells of
        return False
    return bool(kind == SegmentationStorage)


def read_segment_numbers(path: Path, shape: tuple[int, ...], geometry: Geometry) -> np.ndarray:
    """Reads the number of the segment that each voxel of a CT is in, 0 for none.

    Where segments overlap, such as a liver and the tumours in it, it is the higher number.

    Args:
        path: of the object.
        shape: of the CT, [D, H, W].
        geometry: of the CT, its axes to head, back and left.

    Returns:
        int16 [D, H, W].

    Raises:
        InputError: no segmentation object, a damaged one, or one that is not on the CT's grid.
    """
    if not is_segmentation_object(path):
        raise InputError(f"{path}: expected a NIfTI file or a DICOM segmentation object")
    try:
        with silence():
            # Frames without a voxel of a segment are left out; it may reach over a part of the CT.
            found = segread(path).get_volume(combine_segments=True, skip_overlap_checks=True)
    except Exception as error:  # highdicom has no common class of what it raises
        raise InputError(f"{path}: no segmentation, or damaged ({cause(error)})") from error
    own = Geometry(found.affine)
    part = to_canonical(np.asarray(found.array).astype(np.int16), own)
    placed = canonical_geometry(found.array.shape, own)
    steps = placed.affine[:3, :3] - geometry.affine[:3, :3]
    first = (np.linalg.inv(geometry.affine) @ placed.affine[:, 3])[:3]
    begin = np.rint(first).astype(int)
    end = begin + part.shape
    inside = (begin >= 0).all() and (end <= shape).all()
    if not inside or np.abs(steps).max() > _STEP_MM or np.abs(first - begin).max() > _OFFSET:
        raise InputError(
            f"{path}: expected a segmentation on the grid of the CT, found one of shape "
            f"{part.shape} from voxel {np.round(first, 2).tolist()} of {shape}"
        )
    numbers = np.zeros(shape, np.int16)
    numbers[tuple(slice(a, b) for a, b in zip(begin, end, strict=True))] = part
    return numbers
