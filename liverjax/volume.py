"""The vocabulary of space: where a CT lies in the patient, its HU, and what was found in it."""

import dataclasses
from typing import Self

import numpy as np
from nibabel import orientations

from liverjax import labels
from liverjax.errors import InputError

# A gigabyte of HU: 2048 slices of 512 x 512. What claims more is refused before it is read.
MAX_VOXELS = 1 << 29

# What a CT's voxels may measure, and how far they may lie from the origin; beyond, the header is
# damaged, and nothing can be computed with it.
SHORTEST_MM, LONGEST_MM, FARTHEST_MM = 1e-3, 1e3, 1e6

# Array axes [D, H, W] of the canonical orientation run to the head, the back and the left side.
_CANONICAL = np.array([[2, 1], [1, 1], [0, 1]], dtype=np.float64)


@dataclasses.dataclass(frozen=True, eq=False)
class Geometry:
    """Where voxels lie in the patient.

    Attributes:
        affine: float64 [4, 4], maps (d, h, w, 1) voxel indices to LPS coordinates in mm.
        spacing_known: False where the source states no voxel size (the affine then holds a
            placeholder), so that no figure in mm or mL may be derived from it.
    """

    affine: np.ndarray
    spacing_known: bool = True

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all():
            raise InputError(f"affine: expected 4x4 finite numbers, found {affine.tolist()}")
        if np.isclose(np.linalg.det(affine[:3, :3]), 0):
            raise InputError(f"affine: its axes are not independent: {affine[:3, :3].tolist()}")
        affine.flags.writeable = False
        object.__setattr__(self, "affine", affine)

    @classmethod
    def from_axes(
        cls,
        origin: tuple[float, float, float],
        spacing: tuple[float, float, float] | None,
        directions: np.ndarray | None = None,
    ) -> Self:
        """Geometry from its parts.

        Args:
            origin: LPS position in mm of voxel (0, 0, 0).
            spacing: mm along (d, h, w), or None where it is not known.
            directions: [3, 3], row i is the LPS unit vector along array axis i;
                the canonical axial orientation by default.
        """
        if directions is None:
            directions = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=np.float64)
        affine = np.eye(4)
        affine[:3, :3] = np.asarray(directions).T * np.asarray(spacing or (1.0, 1.0, 1.0))
        affine[:3, 3] = origin
        return cls(affine, spacing is not None)

    @property
    def spacing(self) -> tuple[float, float, float] | None:
        """Voxel size in mm along (z, y, x) = array axes (d, h, w); None where not known."""
        if not self.spacing_known:
            return None
        d, h, w = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return d, h, w

    @property
    def voxel_ml(self) -> float | None:
        """Volume of a voxel in mL; None where the spacing is not known."""
        if not self.spacing_known:
            return None
        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def matches(self, other: "Geometry", tolerance: float = 1e-3) -> bool:
        """True where both place voxels alike, to `tolerance` mm at the origin and per step."""
        return self.spacing_known == other.spacing_known and np.allclose(
            self.affine, other.affine, rtol=0, atol=tolerance
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Volume:
    """A CT: `hu` int16 [D, H, W] in Hounsfield units, and where it lies."""

    hu: np.ndarray
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.hu.ndim != 3 or 0 in self.hu.shape or self.hu.dtype != np.int16:
            raise InputError(
                f"hu: expected a non-empty int16 [D, H, W], found {self.hu.dtype} {self.hu.shape}"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Segmentation:
    """Labels uint8 [D, H, W] (see `labels.Label`) on the grid of the CT they belong to."""

    labels: np.ndarray
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.labels.ndim != 3 or self.labels.dtype != np.uint8:
            raise InputError(
                f"labels: expected uint8 [D, H, W], found {self.labels.dtype} {self.labels.shape}"
            )

    @property
    def liver(self) -> np.ndarray:
        """Boolean [D, H, W]: the liver with its tumours."""
        return labels.liver_mask(self.labels)

    @property
    def tumor(self) -> np.ndarray:
        """Boolean [D, H, W]: the tumours."""
        return labels.tumor_mask(self.labels)


def to_canonical(array: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Reorders the axes of `array` [D, H, W] so that they run to head, back and left.

    Axes are swapped and flipped, never resampled: an oblique volume keeps its obliquity.
    """
    found = orientations.io_orientation(geometry.affine)
    return orientations.apply_orientation(array, orientations.ornt_transform(found, _CANONICAL))


def from_canonical(array: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Inverse of `to_canonical`: `array` back on the grid of `geometry`."""
    found = orientations.io_orientation(geometry.affine)
    return orientations.apply_orientation(array, orientations.ornt_transform(_CANONICAL, found))


def canonical_geometry(shape: tuple[int, ...], geometry: Geometry) -> Geometry:
    """Geometry of what `to_canonical` makes of an array of `shape` [D, H, W] on `geometry`."""
    found = orientations.io_orientation(geometry.affine)
    transform = orientations.ornt_transform(found, _CANONICAL)
    return Geometry(
        geometry.affine @ orientations.inv_ornt_aff(transform, shape), geometry.spacing_known
    )


def canonical_volume(volume: Volume) -> Volume:
    """A CT with its axes to head, back and left, see `to_canonical`; contiguous in memory."""
    hu = np.ascontiguousarray(to_canonical(volume.hu, volume.geometry))
    return Volume(hu, canonical_geometry(volume.hu.shape, volume.geometry))


def check_axial(geometry: Geometry, name: str) -> None:
    """Refuses a canonical grid whose axes are not those of the patient, placeholder or not.

    Raises:
        InputError: says whose it is, and the axes that were found.
    """
    z, y, x = np.linalg.norm(geometry.affine[:3, :3], axis=0).tolist()
    upright = Geometry.from_axes(tuple(geometry.affine[:3, 3].tolist()), (z, y, x))
    if not upright.matches(Geometry(geometry.affine)):
        raise InputError(
            f"{name}: expected axial slices from feet to head, rows from front to back and "
            f"columns from right to left, found the axes {geometry.affine[:3, :3].T.tolist()}"
        )


def check_same_grid(
    first: Volume | Segmentation, second: Volume | Segmentation, names: tuple[str, str]
) -> None:
    """Checks that two arrays describe the same voxels; `names` says in the message what they are.

    Raises:
        InputError: they differ in shape, in place or in whether the voxel size is known.
    """
    shapes = [x.hu.shape if isinstance(x, Volume) else x.labels.shape for x in (first, second)]
    found = None
    if shapes[0] != shapes[1]:
        found = [str(shape) for shape in shapes]
    elif not first.geometry.matches(second.geometry):
        found = [_describe(x.geometry) for x in (first, second)]
    if found:
        raise InputError(
            f"{names[0]} and {names[1]} are not on the same grid: {found[0]} and {found[1]}; "
            "both must belong to the same CT"
        )


def _describe(geometry: Geometry) -> str:
    """Affine and state of the voxel size, for a message."""
    size = "voxel size known" if geometry.spacing_known else "voxel size unknown"
    return f"affine {np.round(geometry.affine[:3], 4).tolist()}, {size}"
