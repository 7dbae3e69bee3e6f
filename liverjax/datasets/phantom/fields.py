"""Building blocks of the synthetic scene: a warped coordinate grid, smooth noise, shapes.

A shape is given by a float32 array of signed distances in mm, negative inside. Points are
(x, y, z) in mm of a reference patient: x to the left, y to the back, z to the head.
"""

import dataclasses
from collections.abc import Sequence
from typing import Self

import numpy as np

Point = tuple[float, float, float]
Box = tuple[slice, slice, slice]

FAR = np.float32(1e3)
"""Distance in mm that stands for "nowhere near"."""

WHOLE: Box = (slice(None), slice(None), slice(None))

# Standard deviation of a cubic B-spline sum of unit normals, averaged over one cell of one axis:
# the square root of the integral of the summed squared basis functions, 151 / 315.
_SPLINE_STD = (151 / 315) ** 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class Grid:
    """Where each voxel lies in the reference patient.

    Attributes:
        x, y, z: float32 [D, H, W], mm in the reference patient.
        ranges: per array axis the smallest and largest coordinate [2, n] that runs along it.
    """

    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    ranges: tuple[np.ndarray, np.ndarray, np.ndarray]

    @classmethod
    def of(cls, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Self:
        """Grid of the float32 coordinates x, y, z [D, H, W]."""
        ranges = (
            np.stack([z.min((1, 2)), z.max((1, 2))]),
            np.stack([y.min((0, 2)), y.max((0, 2))]),
            np.stack([x.min((0, 1)), x.max((0, 1))]),
        )
        return cls(x, y, z, ranges)

    def at(self, box: Box) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Coordinates (x, y, z) inside `box`."""
        return self.x[box], self.y[box], self.z[box]

    def box(self, low: Point, high: Point) -> Box:
        """Smallest box of voxels that holds every voxel between two corners; may be empty."""
        slices = []
        for bounds, start, stop in zip(self.ranges, low[::-1], high[::-1], strict=True):
            inside = np.flatnonzero((bounds[1] >= start) & (bounds[0] <= stop))
            slices.append(slice(inside[0], inside[-1] + 1) if inside.size else slice(0, 0))
        return slices[0], slices[1], slices[2]


def _spline(values: np.ndarray, axis: int, positions: np.ndarray) -> np.ndarray:
    """Uniform cubic B-spline through coefficients along one axis, at positions in cells."""
    cell = np.floor(positions).astype(np.intp)
    t = (positions - cell).astype(np.float32)
    weights = ((1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3)
    shape = [1] * values.ndim
    shape[axis] = -1
    # Written out instead of a matrix product, whose rounding depends on the number of threads.
    out = values.take(cell, axis) * (weights[0] / 6).reshape(shape)
    for step, weight in enumerate(weights[1:], start=1):
        out += values.take(cell + step, axis) * (weight / 6).reshape(shape)
    return out


def smooth_noise(
    rng: np.random.Generator, axes: Sequence[np.ndarray], cell: float | Point
) -> np.ndarray:
    """Smooth random field of zero mean and about unit variance.

    Args:
        rng: source of randomness.
        axes: mm positions along (z, y, x), each rising.
        cell: mm over which the field changes, one number or per axis (z, y, x).

    Returns:
        float32 [D, H, W].
    """
    cells = (cell, cell, cell) if isinstance(cell, int | float) else cell
    positions = [(axis - axis[0]) / size for axis, size in zip(axes, cells, strict=True)]
    counts = [int(position[-1]) + 4 for position in positions]
    field = rng.standard_normal(counts, dtype=np.float32) / np.float32(_SPLINE_STD**3)
    for axis in (2, 1, 0):
        field = _spline(field, axis, positions[axis])
    return field


def ellipsoid(
    grid: Grid, box: Box, centre: Point, axes: Point, turn: float = 0.0, lean: float = 0.0
) -> np.ndarray:
    """Approximate signed distance to an ellipsoid.

    The first-order estimate r (r - 1) / |grad r^2 / 2| of the distance, exact at the border.

    Args:
        grid, box: where it is evaluated.
        centre, axes: mm.
        turn: radians about the z axis.
        lean: mm by which its centre moves along x per mm of z.
    """
    x, y, z = (a - c for a, c in zip(grid.at(box), centre, strict=True))
    if lean:
        x = x - np.float32(lean) * z
    if turn:
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        x, y = cos * x + sin * y, cos * y - sin * x
    u, v, w = (a / np.float32(s) for a, s in zip((x, y, z), axes, strict=True))
    radius = np.sqrt(u * u + v * v + w * w) + np.float32(1e-3)
    u, v, w = (a / np.float32(s) for a, s in zip((u, v, w), axes, strict=True))
    slope = np.sqrt(u * u + v * v + w * w) + np.float32(1e-5)
    return radius * (radius - 1) / slope


def capsule(
    grid: Grid, box: Box, start: Point, stop: Point, radii: tuple[float, float]
) -> np.ndarray:
    """Signed distance to a rod whose radius changes evenly from `start` to `stop`; mm."""
    a, b = np.asarray(start, np.float32), np.asarray(stop, np.float32)
    along = b - a
    x, y, z = (p - c for p, c in zip(grid.at(box), a, strict=True))
    t = (x * along[0] + y * along[1] + z * along[2]) / max(float(along @ along), 1e-6)
    t = np.clip(t, 0, 1)
    gap = [p - t * s for p, s in zip((x, y, z), along, strict=True)]
    radius = np.float32(radii[0]) + t * np.float32(radii[1] - radii[0])
    return np.sqrt(gap[0] ** 2 + gap[1] ** 2 + gap[2] ** 2) - radius


def around(grid: Grid, points: Sequence[Point], reach: float) -> Box:
    """Box that holds everything within `reach` mm of the points."""
    corners = np.asarray(points)
    low, high = (corners.min(0) - reach).tolist(), (corners.max(0) + reach).tolist()
    return grid.box(tuple(low), tuple(high))


def tube(grid: Grid, points: Sequence[Point], radii: Sequence[float]) -> np.ndarray:
    """Signed distance [D, H, W] to a chain of rods; `FAR` away from it."""
    out = np.full(grid.x.shape, FAR)
    for i in range(len(points) - 1):
        pair = points[i : i + 2]
        box = around(grid, pair, max(radii[i : i + 2]) + 8)
        rod = capsule(grid, box, pair[0], pair[1], (radii[i], radii[i + 1]))
        np.minimum(out[box], rod, out=out[box])
    return out


def smooth_union(first: np.ndarray, second: np.ndarray, blend: float) -> np.ndarray:
    """Union of two shapes with a fillet of `blend` mm (polynomial smooth minimum)."""
    overlap = np.maximum(blend - np.abs(first - second), 0)
    return np.minimum(first, second) - overlap * overlap * np.float32(0.25 / blend)
