"""The container: skin, fat, muscle, ribs, spine, lungs, diaphragm, heart."""

import numpy as np

from liverjax.datasets.phantom.fields import FAR, WHOLE, Box, Grid, ellipsoid, smooth_noise
from liverjax.datasets.phantom.scene import Scene, paint

AIR_HU = -1000.0
FAT_HU = -105.0
LUNG_HU = -860.0
CORTEX_HU = 520.0
MARROW_HU = 190.0


def paint_torso(scene: Scene) -> None:
    """Paints everything that holds organs, and opens the abdomen's room.

    Adds the structures skin, bone, leftlung and rightlung.
    """
    cavity = _cavity(scene.frame.grid)
    ripple = smooth_noise(scene.rng, scene.frame.axes, 38.0)
    muscle = _muscle_thickness(scene.frame.grid) * (1 + 0.15 * ripple)
    _paint_layers(scene, cavity, muscle, ripple)
    below = _diaphragm(scene) - scene.frame.grid.z
    bone = _paint_ribs(scene, cavity, muscle)
    _paint_chest(scene, cavity, below)
    spine, solid = _paint_back(scene)
    scene.structures["bone"] = bone | spine
    for side in ("leftlung", "rightlung"):
        scene.structures[side] &= (solid > 0) & ~bone
    properitoneal = 2.2 + 0.8 * ripple
    np.copyto(scene.room, (cavity < -properitoneal) & (below > 3.0) & (solid > 1.5) & ~bone)


def _cavity(grid: Grid) -> np.ndarray:
    """Radial distance to a superellipse that narrows towards the chest."""
    width = 124 - 0.05 * np.maximum(grid.z, 0)
    radius = (np.abs(grid.x / width) ** 2.6 + np.abs(grid.y / 87) ** 2.6) ** np.float32(1 / 2.6)
    length = np.sqrt(grid.x**2 + grid.y**2)
    return length * (1 - 1 / (radius + np.float32(0.01)))


def _muscle_thickness(grid: Grid) -> np.ndarray:
    """Thickness of the trunk's wall in mm: thick along the spine, thin at the linea alba."""
    back = 1 / (1 + np.exp(-grid.y / 12))
    wall = 9 + 17 * back * np.exp(-(((np.abs(grid.x) - 22) / 42) ** 4))
    return wall - 6 * (1 - back) * np.exp(-((grid.x / 7) ** 2)) - np.float32(0.015) * grid.z


def _paint_layers(scene: Scene, cavity: np.ndarray, muscle: np.ndarray, ripple: np.ndarray) -> None:
    """Paints skin, subcutaneous fat, muscle, and fat inside; adds the structure skin."""
    grid = scene.frame.grid
    length = np.sqrt(grid.x**2 + grid.y**2) + 1
    side, back = np.abs(grid.x) / length, np.maximum(grid.y, 0) / length
    chest = np.clip(0.9 - 0.004 * grid.z, 0.6, 1.2)
    fat = scene.frame.fat * (0.7 + 0.35 * side + 0.3 * back) * chest * (1 + 0.12 * ripple)
    depth = cavity - muscle - fat - 2.0
    inside = depth < 0
    paint(scene, inside, 40.0)
    paint(scene, depth < -2.2, FAT_HU + 5 * ripple)
    in_wall = cavity < muscle
    paint(scene, in_wall, scene.phase.muscle)
    latissimus = (cavity > muscle + 2.5) & (cavity < muscle + 6.5) & (depth < -4.0)
    paint(scene, latissimus & (side > 0.55) & (grid.y > -25 - 0.4 * grid.z), scene.phase.muscle)
    # Thin fat between the three muscles of the flank, and strands within the muscles of the back.
    flank = (side > 0.6) & (grid.y < 45) & (grid.z < 25)
    layers = np.abs(cavity / muscle % 0.34 - 0.17) < 0.02
    paint(scene, in_wall & flank & layers, -30.0)
    strands = np.abs(smooth_noise(scene.rng, scene.frame.axes, (60.0, 11.0, 11.0))) < 0.12
    paint(scene, in_wall & (grid.y > 55) & (cavity > 3) & strands, 0.0)
    paint(scene, cavity < 0, FAT_HU + 4 * ripple)
    scene.structures["skin"] = inside


def _diaphragm(scene: Scene) -> np.ndarray:
    """Height in mm of the diaphragm over (x, y): two domes, each lowest at the back."""
    grid, rng = scene.frame.grid, scene.rng
    tops = (66 + rng.uniform(-5, 5), 54 + rng.uniform(-6, 6))
    height = np.full(grid.x.shape, -FAR)
    for x, y, top in ((-62.0, -4.0, tops[0]), (66.0, 0.0, tops[1])):
        u = (grid.x - x) / np.where(np.abs(grid.x) > abs(x), np.float32(62), np.float32(88))
        v = (grid.y - y) / np.where(grid.y > y, np.float32(76), np.float32(118))
        height = np.maximum(height, top - 85 * (u * u + v * v) ** np.float32(1.5))
    return height


def _paint_ribs(scene: Scene, cavity: np.ndarray, muscle: np.ndarray) -> np.ndarray:
    """Paints ribs, slanting round the wall, with their cartilage and the sternum; returns bone."""
    grid = scene.frame.grid
    arc = 118 * np.abs(np.arctan2(grid.x / 1.3, grid.y))
    start = scene.rng.uniform(0, 30)
    across = ((grid.z + 0.52 * arc + start) % 30.0 - 15.0) * 0.87
    depth = cavity - np.float32(0.5) * muscle
    rib = np.sqrt((across / 6.0) ** 2 + (depth / 4.2) ** 2) - 1
    margin = grid.z - np.interp(arc, (0, 120, 230, 370), (-75, -85, -45, 55)).astype(np.float32)
    rib = np.where((margin > 0) & (np.abs(grid.x) > 26), rib, FAR)
    cartilage = (rib < 0) & (arc > 285)
    paint(scene, cartilage, 95.0)
    bone = (rib < 0) & ~cartilage
    paint(scene, bone, CORTEX_HU)
    paint(scene, bone & (rib < -0.55), MARROW_HU)
    sternum = (np.abs(grid.x) < 15) & (np.abs(depth) < 5) & (grid.y < 0) & (grid.z > 58)
    paint(scene, sternum, 230.0)
    return bone | sternum


def _paint_chest(scene: Scene, cavity: np.ndarray, below: np.ndarray) -> None:
    """Paints lungs, diaphragm, mediastinum and heart; adds the structures of the lungs.

    Args:
        scene: as painted so far.
        cavity: [D, H, W], signed distance in mm to the inner side of the trunk's wall.
        below: [D, H, W], mm from the voxel up to the diaphragm.
    """
    grid, rng = scene.frame.grid, scene.rng
    inside = cavity < -1.5
    chest = inside & (below < 0)
    middle = ellipsoid(grid, WHOLE, (0.0, 22.0, 90.0), (22.0, 62.0, 400.0))
    heart = ellipsoid(
        grid, WHOLE, (18.0, -28.0 + rng.uniform(-4, 4), 104.0), (66.0, 48.0, 48.0), turn=0.45
    )
    lung = chest & (np.minimum(middle, heart - 5.0) > 0) & ((np.abs(grid.x) > 16) | (grid.y > 0))
    vessels = smooth_noise(rng, scene.frame.axes, (10.0, 4.5, 4.5)) > 2.3
    shade = LUNG_HU + 12 * smooth_noise(rng, scene.frame.axes, 40.0) + grid.y * np.float32(0.4)
    paint(scene, lung, shade)
    paint(scene, lung & vessels & (cavity < -8), 20.0)
    dome = inside & (below >= 0) & (below < 3.0)
    paint(scene, dome, scene.phase.muscle)
    blood = scene.phase.artery * 0.5 + scene.phase.vein * 0.5
    wall = ellipsoid(
        grid, WHOLE, (20.0, -28.0, 110.0), (58.0, 40.0, 46.0), turn=0.45
    ) + 5 * smooth_noise(rng, scene.frame.axes, 22.0)
    paint(scene, chest & (heart < 0), scene.phase.muscle + 30)
    paint(scene, chest & (heart < 0) & (wall < 0), blood)
    scene.structures["leftlung"] = lung & (grid.x > 0)
    scene.structures["rightlung"] = lung & (grid.x < 0)


def _paint_back(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """Paints the spine and the muscles beside it.

    Returns:
        Mask of the bone, and the signed distance to bone and psoas together.
    """
    grid, rng = scene.frame.grid, scene.rng
    box: Box = grid.box((-75.0, 10.0, -400.0), (75.0, 150.0, 400.0))
    x, y, z = grid.at(box)
    beat = (z + rng.uniform(0, 34)) % 34.0
    disc = beat < 6.0
    body = np.sqrt((x / 22) ** 2 + ((y - 50) / 17) ** 2) * 18 - 18 + np.where(disc, 0, 0.8)
    canal = np.sqrt((x / 10.5) ** 2 + ((y - 73) / 8) ** 2) * 8 - 8
    ring = np.maximum(np.sqrt((x / 17) ** 2 + ((y - 75) / 14) ** 2) * 15 - 15, -canal)
    spinous = np.maximum(np.abs(x) - 3.0, np.abs(y - 98) - 16.0)
    transverse = np.maximum(
        np.abs(y - 78 - 0.12 * np.abs(x)) - 6.5 + 0.11 * np.abs(x), np.abs(x) - 38.0
    )
    spinous = np.where(beat > 12, spinous, FAR)
    transverse = np.where(beat > 18, transverse, FAR)
    bone = np.minimum(np.minimum(body, ring), np.minimum(spinous, transverse))
    bone = np.maximum(bone, -canal)
    width = np.clip(4 - 0.18 * (z + 5), 1, 17)
    psoas = np.sqrt((np.abs(x) - 24 - 0.6 * width) ** 2 + ((y - 54) * 0.85) ** 2) - width
    crus = np.sqrt(((np.abs(x) - 17) / 0.6) ** 2 + (y - 34) ** 2) - 8
    soft = np.minimum(psoas, crus)
    paint(scene, soft < 0, scene.phase.muscle, box)
    grain = smooth_noise(rng, scene.frame.axes, (8.0, 5.0, 5.0))[box]
    paint(scene, bone < 0, CORTEX_HU + 60 * grain, box)
    paint(scene, (bone < -2.2) | ((body < -1.5) & ~disc), MARROW_HU + 45 * grain, box)
    paint(scene, (body < 0) & disc, 85.0, box)
    paint(scene, canal < 0, 35.0, box)
    mask = np.zeros(scene.room.shape, bool)
    mask[box] = (bone < 0) & ~((body < 0) & disc)
    solid = np.full(scene.room.shape, FAR)
    solid[box] = np.minimum(np.minimum(bone, canal), soft)
    return mask, solid
