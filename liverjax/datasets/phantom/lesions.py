"""Tumours and cysts of the liver."""

import numpy as np
from scipy import ndimage

from liverjax.datasets.phantom.fields import Box, smooth_noise
from liverjax.datasets.phantom.scene import Scene, paint

Lesion = tuple[tuple[float, float, float], float]
"""Centre in mm along (z, y, x) from the first voxel, and radius in mm."""

HEALTHY_EVERY = 5
"""Patients whose number this divides have no tumour; they may have a cyst."""

_SINGLE_NAMES = ("livertumor", "livertumors")
_NUMBERED_NAMES = ("livertumor{}", "livertumor{:02d}")


def has_tumor(patient: int) -> bool:
    """Whether the synthetic patient of this number has tumours."""
    return patient % HEALTHY_EVERY != 0


def paint_lesions(scene: Scene, liver: np.ndarray, patient: int) -> None:
    """Paints cysts and tumours in `liver` [D, H, W]; adds livercyst and the tumours' structures.

    As in 3D-IRCADb the names of the tumours' structures vary: one mask for all, or one each.
    """
    rng = scene.rng
    tumors: list[float] = []
    if has_tumor(patient):
        others = min(3, int(rng.integers(8)))
        tumors = [float(rng.uniform(14, 24)), *rng.uniform(11, 21, others).tolist()]
    cysts = rng.uniform(7, 14, 1 + rng.integers(2)).tolist() if rng.uniform() < 0.45 else []
    placed = _place(scene, liver, tumors + cysts)
    ripple = smooth_noise(rng, scene.frame.axes, 11.0)
    free = liver.copy()
    cyst = np.zeros_like(liver)
    for lesion in placed[len(tumors) :]:
        cyst |= _paint_cyst(scene, lesion, free)
    masks = [_paint_tumor(scene, lesion, free, ripple) for lesion in placed[: len(tumors)]]
    if cyst.any():
        scene.structures["livercyst"] = cyst
    if not masks:
        return
    if patient % 2:
        name = _SINGLE_NAMES[patient // 2 % 2]
        scene.structures[name] = np.logical_or.reduce(masks)
    else:
        name = _NUMBERED_NAMES[patient // 2 % 2]
        for number, mask in enumerate(masks, start=1):
            scene.structures[name.format(number)] = mask


def _place(scene: Scene, liver: np.ndarray, radii: list[float]) -> list[Lesion]:
    """Spheres of the given radii, mostly inside the liver and apart from each other.

    A sphere that finds no room shrinks to the room there is.
    """
    step = max(1, liver.shape[1] // 128)
    coarse = liver[:, ::step, ::step]
    axes = (scene.frame.axes[0], scene.frame.axes[1][::step], scene.frame.axes[2][::step])
    sampling = [
        spacing * n for spacing, n in zip(scene.frame.spacing, (1, step, step), strict=True)
    ]
    free = ndimage.distance_transform_edt(coarse, sampling).astype(np.float32)
    lesions: list[Lesion] = []
    for wanted in radii:
        radius = min(wanted, float(free.max()) / 0.85)
        found = np.argwhere(free >= 0.84 * radius)
        index = found[scene.rng.integers(len(found))]
        depth, height, width = (float(axis[i]) for axis, i in zip(axes, index, strict=True))
        lesions.append(((depth, height, width), radius))
        z, y, x = (axis - c for axis, c in zip(axes, lesions[-1][0], strict=True))
        distance = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2)
        free = np.minimum(free, distance - np.float32(radius + 4))
    return lesions


def _sphere(scene: Scene, lesion: Lesion, reach: float) -> tuple[Box, np.ndarray]:
    """The box within `reach` mm of a lesion, and the distance in mm to its surface there."""
    centre, radius = lesion
    slices, squares = [], []
    for axis, c in zip(scene.frame.axes, centre, strict=True):
        inside = np.flatnonzero(np.abs(axis - c) <= radius + reach)
        slices.append(slice(inside[0], inside[-1] + 1))
        squares.append((axis[slices[-1]] - np.float32(c)) ** 2)
    distance = np.sqrt(squares[0][:, None, None] + squares[1][:, None] + squares[2])
    return (slices[0], slices[1], slices[2]), distance - np.float32(radius)


def _paint_cyst(scene: Scene, lesion: Lesion, free: np.ndarray) -> np.ndarray:
    """Paints a round cyst with a sharp border, takes it from `free`; returns its mask [D, H, W]."""
    box, distance = _sphere(scene, lesion, 1.0)
    mask = (distance < 0) & free[box]
    paint(scene, mask, float(scene.rng.uniform(0, 14)), box)
    return _take(mask, box, free)


def _paint_tumor(scene: Scene, lesion: Lesion, free: np.ndarray, ripple: np.ndarray) -> np.ndarray:
    """Paints a tumour with an irregular soft border, takes it from `free`; returns its mask.

    About half are darker than the liver, the others brighter, most of all in the middle.
    """
    rng, radius = scene.rng, lesion[1]
    box, distance = _sphere(scene, lesion, 6.0)
    distance = distance + np.float32(0.11 * radius) * ripple[box]
    hypodense = rng.uniform() < 0.55
    contrast = rng.uniform(-42, -29) if hypodense else rng.uniform(27, 38)
    core = np.clip(-distance / radius, 0, 1) * 0.25
    texture = 4 * smooth_noise(rng, scene.frame.axes, 7.0)[box]
    value = scene.hu[box] + contrast * (0.9 + core) + texture
    softness = np.clip(0.5 - distance / 2.5, 0, 1)
    blended = scene.hu[box] + softness * (value - scene.hu[box])
    paint(scene, free[box], blended, box)
    return _take((distance < 0) & free[box], box, free)


def _take(mask: np.ndarray, box: Box, free: np.ndarray) -> np.ndarray:
    """`mask` of a box as a mask of the whole volume; what it covers is no longer free."""
    whole = np.zeros_like(free)
    whole[box] = mask
    free[box] &= ~mask
    return whole
