"""What fills the rest of the abdomen: colon, small bowel, mesenteric vessels."""

import numpy as np

from liverjax.datasets.phantom.fields import Point, around, capsule, smooth_noise, tube
from liverjax.datasets.phantom.organs import GAS_HU
from liverjax.datasets.phantom.scene import Scene, claim, paint


def paint_colon(scene: Scene) -> None:
    """Paints ascending, transverse and descending colon, filled with stool and gas."""
    grid, rng, axes = scene.frame.grid, scene.rng, scene.frame.axes
    sag = float(rng.uniform(-25, 0))
    ascending = [(-92.0, 18.0, -200.0), (-92.0, 10.0, -75.0), (-70.0, -30.0, -62.0)]
    transverse = [(-70.0, -30.0, -62.0), (0.0, -58.0, -62 + sag), (82.0, -48.0, -8.0)]
    descending = [(82.0, -48.0, -8.0), (98.0, 6.0, -14.0), (98.0, 24.0, -200.0)]
    haustra = smooth_noise(rng, axes, 20.0)
    crumbs = smooth_noise(rng, axes, (10.0, 4.5, 4.5))
    for points, radius in ((ascending, 21.0), (transverse, 18.0), (descending, 15.0)):
        radius *= float(rng.uniform(0.8, 1.12))
        shape = tube(grid, points, [radius] * len(points)) + 2.5 * haustra
        mask = claim(scene, shape, 1.8)
        paint(scene, mask, scene.phase.gut - 15)
        lumen = mask & (shape < -2.6)
        gas = rng.uniform(0, 1)
        paint(scene, lumen, np.where(crumbs > 0.9 - gas, -500.0, 10 + 35 * crumbs))
        if gas > 0.55:
            top = haustra * 4 + np.float32(np.mean([p[1] for p in points]) + 6)
            paint(scene, lumen & (grid.y < top), GAS_HU)


def paint_small_bowel(scene: Scene, loops: int = 110) -> None:
    """Paints short loops wherever there is room below the stomach, collapsed or filled."""
    grid, rng = scene.frame.grid, scene.rng
    for _ in range(loops):
        centre = rng.uniform((-75, -70, -110), (95, 26, 25))
        start: Point = tuple(centre.tolist())
        stop: Point = tuple((centre + rng.uniform(-30, 30, 3) * (1, 1, 0.6)).tolist())
        radius = float(rng.uniform(7, 13))
        box = around(grid, [start, stop], radius + 3)
        if 0 in scene.room[box].shape:
            continue
        shape = capsule(grid, box, start, stop, (radius, radius))
        mask = claim(scene, shape, 1.5, box)
        paint(scene, mask, scene.phase.gut + rng.uniform(-8, 12), box)
        filled = rng.uniform(0, 1)
        if filled > 0.45:
            value = GAS_HU if filled > 0.93 else rng.uniform(10, 45)
            paint(scene, mask & (shape < -3.0), value, box)


def paint_mesentery(scene: Scene, count: int = 90) -> None:
    """Paints thin vessels that fan out from the root of the mesentery through the fat left."""
    grid, rng = scene.frame.grid, scene.rng
    for _ in range(count):
        start = rng.uniform((-30, -25, -70), (40, 10, -5))
        stop = start + rng.uniform((-60, -50, -45), (60, 20, 25))
        ends: list[Point] = [tuple(start.tolist()), tuple(stop.tolist())]
        box = around(grid, ends, 4.0)
        rod = capsule(grid, box, ends[0], ends[1], (float(rng.uniform(1.5, 2.6)), 1.0))
        value = scene.phase.vein if rng.uniform() < 0.6 else scene.phase.artery
        paint(scene, (rod < 0) & scene.room[box], value, box)
