"""Solid and hollow organs of the abdomen, the liver among them."""

import numpy as np

from liverjax.components import component_sizes, label_components
from liverjax.datasets.phantom.fields import (
    WHOLE,
    Point,
    ellipsoid,
    smooth_noise,
    smooth_union,
)
from liverjax.datasets.phantom.scene import Scene, claim, paint

GAS_HU = -960.0


def paint_liver(scene: Scene) -> np.ndarray:
    """Paints the liver's parenchyma, with the gallbladder in its bed; returns the liver [D, H, W].

    A large right lobe that fills the space under the right dome, a left lobe of varying reach
    across the midline, and a caudate lobe, blended and then deformed at random.
    """
    grid, rng = scene.frame.grid, scene.rng
    swell = 1 + rng.uniform(-0.06, 0.07)
    tail = float(rng.uniform(-8, 6))
    reach = float(rng.uniform(-18, 16))
    right = ellipsoid(
        grid,
        WHOLE,
        (-70.0, -2.0, 4.0),
        (75 * swell, 94 * swell, 82.0 - tail),
        turn=float(rng.uniform(-0.1, 0.15)),
        lean=float(rng.uniform(0.28, 0.4)),
    )
    left = ellipsoid(
        grid,
        WHOLE,
        (0.6 * reach - 6, -48.0, 30.0),
        (84.0 + reach * 0.6, 36 * swell, 38 * swell),
        turn=float(rng.uniform(-0.25, 0.0)),
        lean=0.3,
    )
    caudate = ellipsoid(grid, WHOLE, (-14.0, 0.0, 24.0), (17.0, 15.0, 24.0))
    middle = ellipsoid(grid, WHOLE, (-20.0, -56.0, 26.0), (46.0, 34.0, 40.0))
    shape = smooth_union(smooth_union(right, left, 20.0), middle, 20.0)
    shape = smooth_union(shape, caudate, 8.0)
    shape += 4.5 * smooth_noise(rng, scene.frame.axes, 42.0)
    cleft = np.maximum(np.abs(grid.x + 6 + 0.3 * (grid.y + 50)) - 1.6, grid.z - rng.uniform(-5, 20))
    cleft = np.maximum(cleft, grid.y + 30)
    fossa = ellipsoid(grid, WHOLE, (-42.0, 66.0, -46.0), (36.0, 38.0, 66.0))
    shape = np.maximum(shape, np.maximum(-cleft, -fossa))
    _paint_gallbladder(scene)
    # Other organs may have cut slivers off.
    pieces = label_components(claim(scene, shape, 2.2), connectivity=6)
    liver = pieces == np.argmax(component_sizes(pieces))
    # Perfusion and fat content vary across a liver, so that no one HU stands for all of it.
    texture = 4.0 * smooth_noise(rng, scene.frame.axes, 55.0)
    texture += 2.0 * smooth_noise(rng, scene.frame.axes, 14.0)
    paint(scene, liver, scene.phase.liver + texture)
    return liver


def _paint_gallbladder(scene: Scene) -> None:
    """Paints bile in a thin wall under the liver."""
    rng = scene.rng
    centre: Point = (float(rng.uniform(-50, -38)), float(rng.uniform(-50, -38)), -32.0)
    size = float(rng.uniform(11, 16))
    shape = ellipsoid(scene.frame.grid, WHOLE, centre, (size, 1.5 * size, 1.7 * size), lean=0.3)
    mask = claim(scene, shape, 2.0)
    paint(scene, mask, scene.phase.gut)
    paint(scene, mask & (shape < -2.0), float(rng.uniform(2, 16)))


def paint_kidneys(scene: Scene) -> None:
    """Paints cortex, medullary pyramids and the fat of the hilum; adds both kidneys' structures."""
    grid, rng, phase = scene.frame.grid, scene.rng, scene.phase
    pyramids = smooth_noise(rng, scene.frame.axes, 13.0)
    for name, side, height in (("rightkidney", -1, -46.0), ("leftkidney", 1, -34.0)):
        centre = (side * rng.uniform(60, 67), rng.uniform(45, 51), height + rng.uniform(-9, 9))
        size = rng.uniform(0.92, 1.1)
        axes = (25 * size, 29 * size, 53 * size)
        shape = ellipsoid(
            grid, WHOLE, centre, axes, turn=side * -0.6, lean=side * -0.18
        ) + 1.2 * smooth_noise(rng, scene.frame.axes, 26.0)
        hilum = (centre[0] - side * 17, centre[1] - 9, centre[2])
        sinus = ellipsoid(grid, WHOLE, hilum, (14.0, 8.0, 24.0), turn=side * -0.6)
        mask = claim(scene, np.maximum(shape, -sinus - 1.5), float(rng.uniform(2.5, 4.5)))
        paint(scene, mask, phase.cortex)
        paint(scene, mask & (shape < -6.0) & (pyramids > -0.1), phase.medulla)
        pelvis = ellipsoid(grid, WHOLE, hilum, (11.0, 4.0, 14.0), turn=side * -0.3)
        paint(scene, (pelvis < 0) & (sinus < -2) & ~mask, 25.0)
        scene.structures[name] = mask


def paint_spleen(scene: Scene) -> None:
    """Paints the spleen, a crescent along the left wall; adds its structure."""
    grid, rng = scene.frame.grid, scene.rng
    size = rng.uniform(0.92, 1.15)
    outer = ellipsoid(
        grid, WHOLE, (90.0, 32.0, 18.0 + rng.uniform(-8, 8)), (46 * size, 52 * size, 56 * size)
    )
    inner = ellipsoid(grid, WHOLE, (44.0, 8.0, 10.0), (34.0, 44.0, 75.0), turn=-0.4)
    shape = np.maximum(outer, -inner) + 2.5 * smooth_noise(rng, scene.frame.axes, 32.0)
    mask = claim(scene, shape, 2.5)
    paint(scene, mask, scene.phase.spleen + 2 * smooth_noise(rng, scene.frame.axes, 14.0))
    scene.structures["spleen"] = mask


def paint_stomach(scene: Scene) -> None:
    """Paints the stomach's wall, its fluid with bits of food, and gas above the fluid."""
    grid, rng = scene.frame.grid, scene.rng
    body = ellipsoid(
        grid,
        WHOLE,
        (52.0 + rng.uniform(-5, 5), -8.0 + rng.uniform(-6, 6), 24.0),
        tuple((np.array((32.0, 40.0, 50.0)) * rng.uniform(0.8, 1.12)).tolist()),
        turn=float(rng.uniform(-0.5, 0.2)),
        lean=0.25,
    )
    antrum = ellipsoid(grid, WHOLE, (18.0, -40.0, -22.0), (42.0, 17.0, 17.0), turn=-0.2)
    shape = smooth_union(body, antrum, 20.0) + 2.5 * smooth_noise(rng, scene.frame.axes, 24.0)
    mask = claim(scene, shape, 2.0)
    rugae = smooth_noise(rng, scene.frame.axes, (14.0, 7.0, 7.0))
    lumen = mask & (shape < -5.0 + 1.2 * rugae)
    paint(scene, mask, scene.phase.gut)
    paint(scene, lumen, float(rng.uniform(8, 40)) + 6 * rugae)
    level = rng.uniform(-48, -22)
    paint(scene, lumen & (grid.y < level), GAS_HU)


def paint_pancreas(scene: Scene) -> None:
    """Paints a lobulated gland from the duodenum to the spleen."""
    grid, rng = scene.frame.grid, scene.rng
    centre = (18.0 + rng.uniform(-4, 4), 2.0, -20.0 + rng.uniform(-6, 6))
    shape = ellipsoid(grid, WHOLE, centre, (56.0, 12.0, 17.0), turn=-0.25)
    shape = np.maximum(shape, -ellipsoid(grid, WHOLE, (30.0, 26.0, -30.0), (26.0, 16.0, 30.0)))
    lobules = smooth_noise(rng, scene.frame.axes, (9.0, 6.0, 6.0))
    mask = claim(scene, shape + 2.5 * lobules, 1.5)
    paint(scene, mask, scene.phase.pancreas + 7 * lobules)
