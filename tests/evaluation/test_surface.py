import numpy as np
import pytest

from liverjax.evaluation.surface import surface_distances, surface_points
from tests.evaluation import plain_metrics

FIGURES = ("assd", "rmsd", "msd", "hd95", "nsd2")


def points(*voxels, shape=(5, 40, 40)):
    mask = np.zeros(shape, bool)
    for voxel in voxels:
        mask[voxel] = True
    return mask


def figures(*masks, spacing=(2.0, 1.0, 0.5)):
    found = surface_distances(*masks, spacing)
    return {name: getattr(found, name) for name in FIGURES}


def test_surface_of_a_block_is_its_shell():
    block = np.zeros((7, 8, 9), bool)
    block[1:6, 1:7, 1:8] = True
    assert len(surface_points(block)) == 5 * 6 * 7 - 3 * 4 * 5


def test_border_of_the_array_is_surface():
    assert len(surface_points(np.ones((4, 5, 6), bool))) == 4 * 5 * 6 - 2 * 3 * 4
    assert len(surface_points(np.ones((1, 5, 6), bool))) == 30
    assert len(surface_points(np.zeros((4, 5, 6), bool))) == 0


@pytest.mark.parametrize(
    ("hole", "touches"),
    [((2, 2, 3), True), ((2, 3, 3), True), ((3, 3, 3), False)],
    ids=["face", "edge", "corner"],
)
def test_background_touches_across_faces_and_edges(hole, touches):
    block = np.ones((5, 5, 5), bool)
    block[hole] = False
    assert ([2, 2, 2] in surface_points(block).tolist()) == touches


def test_surface_is_that_of_the_erosion(rng):
    for _ in range(200):
        mask = rng.random(rng.integers(1, 9, 3)) < rng.uniform(0.5, 1)
        found, expected = surface_points(mask).tolist(), plain_metrics.surface(mask).tolist()
        assert sorted(found) == sorted(expected)


def test_equal_masks_lie_on_each_other(rng):
    mask = rng.random((5, 6, 7)) < 0.5
    assert figures(mask, mask) == {"assd": 0, "rmsd": 0, "msd": 0, "hd95": 0, "nsd2": 1}


def test_each_axis_has_its_own_spacing():
    origin = points((0, 0, 0))
    for voxel, mm in (((1, 0, 0), 2.0), ((0, 1, 0), 1.0), ((0, 0, 1), 0.5)):
        assert figures(points(voxel), origin)["msd"] == mm
    assert figures(points((4, 6, 0)), origin)["msd"] == 10.0


def test_two_millimetres_are_within_the_tolerance():
    origin = points((0, 0, 0))
    assert figures(points((1, 0, 0)), origin)["nsd2"] == 1.0
    assert figures(points((1, 0, 0)), origin, spacing=(2.0001, 1.0, 1.0))["nsd2"] == 0.0
    assert figures(points((0, 0, 0), (0, 9, 0)), origin)["nsd2"] == pytest.approx(2 / 3)


def test_means_are_over_both_surfaces_together():
    found = figures(points((0, 0, 0), (0, 3, 0), (0, 6, 0)), points((0, 0, 0)))
    assert found["assd"] == pytest.approx((0 + 3 + 6 + 0) / 4)
    assert found["rmsd"] == pytest.approx(np.sqrt((9 + 36) / 4))


def test_hd95_is_the_larger_of_the_two_directions():
    line = points((0, slice(None), 0))
    far = points((0, slice(None), 0), (0, 20, 20))  # one of 41 is 10 mm away, the rest on the line
    wide = points((0, slice(None), 0), (0, slice(0, 4), 20))  # and here 4 of 44
    assert figures(far, line)["hd95"] == 0.0
    assert figures(wide, line)["hd95"] == figures(line, wide)["hd95"] == 10.0


def test_order_of_the_masks_does_not_matter(rng):
    first, second = rng.random((2, 4, 8, 8)) < 0.1
    assert figures(first, second) == pytest.approx(figures(second, first))


def test_distances_ignore_where_the_masks_lie(rng):
    pair = rng.random((2, 4, 8, 8)) < 0.1
    padded = np.pad(pair, ((0, 0), (3, 2), (0, 5), (7, 1)))
    assert figures(*padded) == figures(*pair)


def test_nothing_is_near_to_what_is_empty():
    some, none = points((0, 0, 0)), points()
    for pair in ((some, none), (none, some), (none, none)):
        assert surface_distances(*pair, (1.0, 1.0, 1.0)) is None


@pytest.mark.parametrize("spacing", [0.1, 0.2, 0.4, 2.0 / 3.0])
def test_a_distance_of_exactly_the_tolerance_counts_wherever_it_lies(spacing):
    steps = round(2 / spacing)
    found = set()
    for start in range(40):
        masks = np.zeros((2, 60 + steps, 1, 1), bool)
        masks[0, start] = masks[1, start + steps] = True
        found.add(surface_distances(masks[0], masks[1], (spacing, 1.0, 1.0)).nsd2)
    assert found == {1.0}
