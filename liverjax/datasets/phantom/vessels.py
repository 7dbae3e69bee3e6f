"""Vessels: the great ones in front of the spine, and the trees that branch in the liver."""

import numpy as np

from liverjax.datasets.phantom.fields import Point, around, capsule, tube
from liverjax.datasets.phantom.scene import Scene, claim, paint

HILUM: Point = (-26.0, 2.0, -4.0)
"""Where the portal vein enters the liver, before a patient's variation."""


def paint_great_vessels(scene: Scene) -> None:
    """Paints aorta, inferior vena cava and portal trunk.

    Adds the structures artery, venoussystem and portalvein.
    """
    grid, rng, phase = scene.frame.grid, scene.rng, scene.phase
    wobble = rng.uniform(-2, 2, 3).tolist()
    radius = float(rng.uniform(8.5, 11.0))
    aorta = tube(
        grid,
        [(10 + wobble[0], 26.0, 200.0), (7.0, 22 + wobble[1], 40.0), (5.0, 22.0, -200.0)],
        [radius + 2, radius, radius - 2],
    )
    cava = tube(
        grid,
        [(-20.0, 4.0, 80.0), (-22.0, 9.0, 58.0), (-23.0, 17.0, 10.0), (-17.0, 24.0, -200.0)],
        [12.0, 12.5, 11.0, 9.5],
    )
    portal = tube(
        grid, [HILUM, (-12.0, 6.0, -14.0), (6.0, 2.0, -30.0), (8.0, -4.0, -75.0)], [6.5, 7, 6.5, 5]
    )
    # The thoracic aorta lies outside the abdomen's room, hence painted and not claimed.
    artery = aorta < 0
    paint(scene, artery, phase.artery)
    scene.room &= aorta > 2.0
    scene.structures["artery"] = artery
    for name, shape, value in (
        ("venoussystem", cava, phase.vein),
        ("portalvein", portal, phase.portal),
    ):
        mask = claim(scene, shape, 0.0)
        paint(scene, mask, value)
        scene.structures[name] = mask


def paint_liver_vessels(scene: Scene, liver: np.ndarray) -> None:
    """Paints branching vessels inside `liver` [D, H, W]; adds them to their structures."""
    phase = scene.phase
    portal = [
        ((-40.0, 0.0, 0.0), (-0.8, 0.3, 0.1), 5.3),
        ((-15.0, -28.0, 4.0), (0.5, -0.7, 0.3), 4.7),
    ]
    hepatic = [
        ((-30.0, 8.0, 50.0), (-0.75, 0.25, -0.6), 5.2),
        ((-24.0, -4.0, 50.0), (-0.4, -0.75, -0.5), 5.0),
        ((-10.0, -6.0, 50.0), (0.5, -0.75, -0.4), 4.4),
    ]
    roots = {"portalvein": [(HILUM, (-0.9, 0.0, 0.2), 5.8), *portal], "venoussystem": hepatic}
    for name, value in (("venoussystem", phase.vein), ("portalvein", phase.portal)):
        for point, direction, radius in roots[name]:
            for start, stop, radii in _branches(scene.rng, point, direction, radius):
                box = around(scene.frame.grid, [start, stop], radius + 4)
                rod = capsule(scene.frame.grid, box, start, stop, radii)
                mask = (rod < 0) & liver[box]
                paint(scene, mask, value, box)
                scene.structures[name][box] |= mask


def _branches(
    rng: np.random.Generator, point: Point, direction: Point, radius: float
) -> list[tuple[Point, Point, tuple[float, float]]]:
    """Rods (start, stop, radii) of a tree that forks until it is too thin to see."""
    if radius < 1.1:
        return []
    heading = np.asarray(direction) / np.linalg.norm(direction)
    end = np.asarray(point) + heading * rng.uniform(4.5, 7.0) * (radius + 1.0)
    stop: Point = tuple(end.tolist())
    rods = [(point, stop, (radius, radius * 0.85))]
    sideways = np.cross(heading, rng.standard_normal(3))
    sideways /= np.linalg.norm(sideways)
    for sign, shrink in ((1, rng.uniform(0.75, 0.9)), (-1, rng.uniform(0.55, 0.82))):
        turned = heading + sign * rng.uniform(0.3, 0.75) * sideways
        rods += _branches(rng, stop, tuple(turned.tolist()), radius * shrink)
    return rods
