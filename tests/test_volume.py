import itertools

import numpy as np
import pytest

from liverjax.errors import InputError
from liverjax.labels import Label
from liverjax.volume import (
    Geometry,
    Segmentation,
    Volume,
    canonical_geometry,
    check_same_grid,
    from_canonical,
    to_canonical,
)

SHAPE = (3, 4, 5)
# Every way to lay three array axes along the patient's, in both directions each.
ORIENTATIONS = [
    np.diag(signs)[list(order)]
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
]


def oblique():
    """A 20 degree gantry tilt: the slices lean, rows and columns do not."""
    tilt = np.deg2rad(20)
    lean = np.array([[1, 0, 0], [0, np.cos(tilt), np.sin(tilt)], [0, -np.sin(tilt), np.cos(tilt)]])
    return np.array([[0.0, 0, 1], [0, 1, 0], [1, 0, 0]]) @ lean.T


def test_from_axes_places_voxels():
    geometry = Geometry.from_axes((10.0, 20.0, 30.0), (5.0, 2.0, 0.5))
    position = geometry.affine @ [3, 4, 6, 1]
    # The slices go up, the rows to the back, the columns to the left.
    np.testing.assert_allclose(position[:3], [10 + 6 * 0.5, 20 + 4 * 2.0, 30 + 3 * 5.0])
    assert geometry.spacing == pytest.approx((5.0, 2.0, 0.5))
    assert geometry.voxel_ml == pytest.approx(0.005)


def test_spacing_and_volume_do_not_depend_on_orientation():
    for directions in [*ORIENTATIONS, oblique()]:
        geometry = Geometry.from_axes((1.0, 2.0, 3.0), (2.0, 0.5, 0.7), directions)
        assert geometry.spacing == pytest.approx((2.0, 0.5, 0.7))
        assert geometry.voxel_ml == pytest.approx(0.0007)


def test_unknown_spacing_gives_no_figures():
    geometry = Geometry.from_axes((0.0, 0.0, 0.0), None)
    assert geometry.spacing is None
    assert geometry.voxel_ml is None
    np.testing.assert_array_equal(np.linalg.norm(geometry.affine[:3, :3], axis=0), 1)


def test_affine_is_its_own_and_constant():
    affine = np.eye(4)
    geometry = Geometry(affine)
    affine[0, 0] = 7
    assert geometry.affine[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        geometry.affine[0, 0] = 2


@pytest.mark.parametrize(
    "affine",
    [np.eye(3), np.diag([1.0, 1.0, 0.0, 1.0]), np.diag([1.0, 1.0, np.nan, 1.0]), np.ones((4, 4))],
)
def test_geometry_refuses(affine):
    with pytest.raises(InputError, match="affine"):
        Geometry(affine)


def test_matches():
    base = Geometry.from_axes((1.0, 2.0, 3.0), (2.0, 0.5, 0.7))
    assert base.matches(Geometry.from_axes((1.0, 2.0, 3.0005), (2.0, 0.5, 0.7)))
    assert not base.matches(Geometry.from_axes((1.0, 2.0, 3.1), (2.0, 0.5, 0.7)))
    assert not base.matches(Geometry.from_axes((1.0, 2.0, 3.0), (2.1, 0.5, 0.7)))
    assert not base.matches(Geometry(base.affine, spacing_known=False))


@pytest.mark.parametrize("directions", [*ORIENTATIONS, oblique()])
def test_canonical_round_trip(directions):
    geometry = Geometry.from_axes((-9.0, 4.0, 7.0), (2.0, 0.5, 0.7), directions)
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    canonical = to_canonical(array, geometry)
    np.testing.assert_array_equal(from_canonical(canonical, geometry), array)

    # The axes run to head, back and left.
    turned = canonical_geometry(SHAPE, geometry)
    steps = turned.affine[:3, :3]
    assert np.abs(steps).argmax(axis=0).tolist() == [2, 1, 0]
    assert (np.diag(steps[::-1]) > 0).all()
    assert turned.spacing == pytest.approx(np.linalg.norm(steps, axis=0))

    # Every voxel stays where it was in the patient.
    for index in np.ndindex(canonical.shape):
        before = np.unravel_index(canonical[index], SHAPE)
        np.testing.assert_allclose(
            turned.affine @ [*index, 1], geometry.affine @ [*before, 1], atol=1e-9
        )


def test_canonical_array_of_a_canonical_geometry_stays():
    geometry = Geometry.from_axes((0.0, 0.0, 0.0), None)
    array = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    np.testing.assert_array_equal(to_canonical(array, geometry), array)
    turned = canonical_geometry(SHAPE, geometry)
    np.testing.assert_array_equal(turned.affine, geometry.affine)
    assert turned.spacing is None


@pytest.mark.parametrize(
    "hu", [np.zeros(SHAPE), np.zeros(SHAPE[1:], np.int16), np.zeros((0, 4, 5), np.int16)]
)
def test_volume_refuses(hu):
    with pytest.raises(InputError, match="hu: expected"):
        Volume(hu, Geometry(np.eye(4)))


@pytest.mark.parametrize("labels", [np.zeros(SHAPE, bool), np.zeros((4, 5), np.uint8)])
def test_segmentation_refuses(labels):
    with pytest.raises(InputError, match="labels: expected"):
        Segmentation(labels, Geometry(np.eye(4)))


def test_segmentation_masks():
    labels = np.zeros(SHAPE, np.uint8)
    labels[0] = Label.LIVER
    labels[0, 0, 0] = Label.TUMOR
    segmentation = Segmentation(labels, Geometry(np.eye(4)))
    assert np.count_nonzero(segmentation.liver) == 20
    assert np.argwhere(segmentation.tumor).tolist() == [[0, 0, 0]]


def test_check_same_grid():
    geometry = Geometry.from_axes((0.0, 0.0, 0.0), (2.0, 1.0, 1.0))
    ct = Volume(np.zeros(SHAPE, np.int16), geometry)
    names = ("CT", "reference")
    check_same_grid(ct, Segmentation(np.zeros(SHAPE, np.uint8), geometry), names)
    with pytest.raises(InputError, match=r"CT and reference .*\(3, 4, 5\) and \(3, 4, 6\)"):
        check_same_grid(ct, Segmentation(np.zeros((3, 4, 6), np.uint8), geometry), names)
    elsewhere = Geometry.from_axes((0.0, 0.0, 9.0), (2.0, 1.0, 1.0))
    with pytest.raises(InputError, match=r"9\.0"):
        check_same_grid(ct, Segmentation(np.zeros(SHAPE, np.uint8), elsewhere), names)
    unknown = Geometry(geometry.affine, spacing_known=False)
    with pytest.raises(InputError, match=r"voxel size known and .*voxel size unknown"):
        check_same_grid(ct, Segmentation(np.zeros(SHAPE, np.uint8), unknown), names)
