"""What differs between patients: build, place in the scanner, contrast phase."""

import dataclasses

import numpy as np

from liverjax.datasets.phantom.fields import Grid, smooth_noise

# Random deformation: standard deviation in mm, and mm over which it changes.
_BEND = 5.0
_BEND_CELL = 75.0


@dataclasses.dataclass(frozen=True)
class PhantomSpec:
    """A family of synthetic patients; its members are told apart by their number.

    Attributes:
        shape: voxels (D, H, W). The slab, of 160 to 210 mm from the bases of the lungs to the
            kidneys, and the field of view do not depend on it: fewer voxels are coarser ones.
        seed: another seed is another family.
    """

    shape: tuple[int, int, int] = (36, 256, 256)
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Phase:
    """HU of tissues whose brightness depends on how much contrast medium has reached them."""

    liver: float
    spleen: float
    cortex: float
    medulla: float
    artery: float
    vein: float
    portal: float
    muscle: float
    gut: float
    pancreas: float


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """The scanned region of one patient.

    Attributes:
        grid: where the voxels lie in the reference patient.
        axes: mm along (z, y, x) from the first voxel.
        spacing: mm along (z, y, x).
        fat: mm of fat under the skin, on average.
        centre: mm along (y, x) from the first voxel to the middle of the trunk.
    """

    grid: Grid
    axes: tuple[np.ndarray, np.ndarray, np.ndarray]
    spacing: tuple[float, float, float]
    fat: float
    centre: tuple[float, float]


def draw_phase(rng: np.random.Generator) -> Phase:
    """Contrast phase from late arterial to portal venous; all tissues follow the same draw."""
    portal = float(rng.uniform(0.15, 1.0))
    arterial = 1.15 - portal + float(rng.uniform(-0.1, 0.1))
    jitter = rng.uniform(-4, 4, 4).tolist()
    liver = 60 + 56 * portal + jitter[0]
    return Phase(
        liver=liver,
        spleen=liver + 14 + 25 * arterial + jitter[1],
        cortex=155 + 50 * arterial,
        medulla=95 + 60 * portal,
        artery=145 + 130 * arterial + 2 * jitter[2],
        vein=liver + 40 + 12 * portal,
        portal=liver + 48 + 14 * portal + jitter[2],
        muscle=52 + 8 * portal + 0.5 * jitter[3],
        gut=58 + 30 * portal,
        pancreas=62 + 28 * portal + jitter[3],
    )


def draw_frame(rng: np.random.Generator, spec: PhantomSpec) -> Frame:
    """Size, pose and deformation of one patient, sampled in voxels of `spec.shape`."""
    scale = rng.uniform(0.95, 1.09) * rng.uniform((0.97, 0.94, 0.96), (1.03, 1.08, 1.04))
    fat = float(rng.uniform(7, 26))
    slab = rng.uniform(172, 186) * scale[0]
    side = 2 * (138 * scale[2] + 1.2 * fat) * rng.uniform(1.03, 1.15)
    depth, height, width = spec.shape
    step, pixel = round(float(slab / depth), 3), round(float(side / max(height, width)), 4)
    axes = _axis(depth, step), _axis(height, pixel), _axis(width, pixel)
    middle = [
        float(axis.mean()) + rng.uniform(-m, m) for axis, m in zip(axes, (4, 8, 8), strict=True)
    ]
    z, y, x = (
        (axis - np.float32(m)) / np.float32(s)
        for axis, m, s in zip(axes, middle, scale, strict=True)
    )
    turn = rng.normal(0, 0.03)
    cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    # No two trunks are ellipses alike: every direction is bent by its own smooth field.
    bend = [np.float32(_BEND) * smooth_noise(rng, axes, _BEND_CELL) for _ in "xyz"]
    grid = Grid.of(
        x=bend[0] + (cos * x + sin * y[:, None]),
        y=bend[1] + (cos * y[:, None] - sin * x),
        z=bend[2] + z[:, None, None],
    )
    return Frame(grid, axes, (step, pixel, pixel), fat, (middle[1], middle[2]))


def _axis(count: int, step: float) -> np.ndarray:
    """Positions in mm of `count` voxels."""
    return np.arange(count, dtype=np.float32) * np.float32(step)
