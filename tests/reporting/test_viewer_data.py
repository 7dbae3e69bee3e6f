import base64
import gzip
import itertools

import numpy as np
import pytest
from nibabel import orientations

from liverjax.errors import InputError
from liverjax.reporting.viewer_data import GREYS, WINDOW, reduced_shape, viewer_data
from liverjax.volume import Geometry, Segmentation, Volume

SHAPE = (12, 40, 50)
GRID = Geometry.from_axes((-20.0, 10.0, 100.0), (3.0, 0.5, 0.8))
UNKNOWN = Geometry.from_axes((0.0, 0.0, 0.0), None)


@pytest.fixture
def case(rng):
    """A body of noise in air, with a liver."""
    hu = np.full(SHAPE, -1000, np.int16)
    hu[:, 4:36, 6:46] = rng.integers(-100, 200, (12, 32, 40))
    labels = np.zeros(SHAPE, np.uint8)
    labels[2:9, 10:30, 10:30] = 1
    labels[3:6, 15:20, 15:20] = 2
    return hu, labels


def unpack(text, shape):
    return np.frombuffer(gzip.decompress(base64.b64decode(text)), np.uint8).reshape(shape)


def hu_of(data):
    """The CT as the page shows it, in HU."""
    greys = np.cumsum(unpack(data.ct, data.about["ct"]["shape"]), axis=2, dtype=np.uint8)
    assert greys.max() < GREYS
    return WINDOW[0] + greys * ((WINDOW[1] - WINDOW[0]) / (GREYS - 1))


def test_small_ct_is_packed_as_it_is(case):
    hu, labels = case
    data = viewer_data(Volume(hu, GRID), Segmentation(labels, GRID))
    about = data.about
    assert about["shape"] == list(SHAPE)
    assert (about["ct"]["start"], about["ct"]["stop"]) == ([0, 4, 6], [12, 36, 46])
    np.testing.assert_allclose(hu_of(data), hu[:, 4:36, 6:46], atol=1.6)
    assert (about["labels"]["start"], about["labels"]["stop"]) == ([2, 10, 10], [9, 30, 30])
    found = unpack(data.labels, about["labels"]["shape"])
    np.testing.assert_array_equal(found, labels[2:9, 10:30, 10:30])
    assert "averaged" not in data.note
    assert "cropped to the body: rows 4 to 35, columns 6 to 45." in data.note


def test_large_ct_is_averaged_and_its_labels_are_not(case):
    hu, labels = case
    data = viewer_data(Volume(hu, GRID), Segmentation(labels, GRID), most_voxels=5000)
    shape = tuple(data.about["ct"]["shape"])
    assert np.prod(shape) <= 5000
    assert hu_of(data).mean() == pytest.approx(hu[:, 4:36, 6:46].mean(), abs=1)
    assert data.about["labels"]["shape"] == [7, 20, 20]
    assert f"to {shape[0]} x {shape[1]} x {shape[2]} voxels" in data.note


def test_averages_are_of_what_a_voxel_covers():
    hu = np.zeros((4, 4, 6), np.int16)
    hu[:] = np.arange(6) * 30
    volume = Volume(hu, GRID)
    data = viewer_data(volume, Segmentation(np.ones_like(hu, np.uint8), GRID), most_voxels=64)
    width = data.about["ct"]["shape"][2]
    edges = np.linspace(0, 6, width + 1)
    fine = np.repeat(np.arange(6) * 30.0, 1000)
    expected = [
        fine[round(a * 1000) : round(b * 1000)].mean() for a, b in itertools.pairwise(edges)
    ]
    np.testing.assert_allclose(hu_of(data)[0, 0], expected, atol=1.7)


@pytest.mark.parametrize(
    ("shape", "size", "most", "expected"),
    [
        ((10, 20, 20), (1.0, 1.0, 1.0), 4000, (10, 20, 20)),
        ((10, 20, 20), (5.0, 1.0, 1.0), 1000, (10, 10, 10)),  # thick slices are kept
        ((20, 20, 20), (1.0, 1.0, 1.0), 1000, (10, 10, 10)),
        ((10, 10, 10), (1.0, 1.0, 1.0), 1, (1, 1, 1)),
    ],
)
def test_reduced_shape(shape, size, most, expected):
    assert reduced_shape(shape, size, most) == expected


def test_stored_order_makes_no_difference(case):
    hu, labels = case
    turn = np.array([[2, -1], [0, 1], [1, -1]])
    geometry = Geometry(GRID.affine @ orientations.inv_ornt_aff(turn, SHAPE))
    turned = [orientations.apply_orientation(array, turn) for array in (hu, labels)]
    one = viewer_data(Volume(hu, GRID), Segmentation(labels, GRID), 5000)
    other = viewer_data(Volume(turned[0], geometry), Segmentation(turned[1], geometry), 5000)
    assert (one.ct, one.labels, one.note) == (other.ct, other.labels, other.note)
    np.testing.assert_allclose(one.about["affine"], other.about["affine"])


def test_unknown_spacing_gives_no_affine(case):
    hu, labels = case
    about = viewer_data(Volume(hu, UNKNOWN), Segmentation(labels, UNKNOWN)).about
    assert (about["affine"], about["size"]) == (None, [1.0, 1.0, 1.0])


def test_no_liver_gives_no_labels(case):
    data = viewer_data(Volume(case[0], GRID), Segmentation(np.zeros(SHAPE, np.uint8), GRID))
    assert (data.about["labels"], data.labels) == (None, "")


def test_labels_outside_of_the_body_are_shown(case):
    hu, labels = case
    labels[0, 0, 0] = 1
    about = viewer_data(Volume(hu, GRID), Segmentation(labels, GRID)).about
    assert about["ct"]["start"] == [0, 0, 0]


def test_ct_that_is_shown_whole_is_not_called_cropped(case):
    data = viewer_data(Volume(np.zeros(SHAPE, np.int16), GRID), Segmentation(case[1], GRID))
    assert data.about["ct"]["stop"] == list(SHAPE)
    assert "cropped" not in data.note


def test_oblique_slices_are_told(case):
    hu, labels = case
    angle = np.deg2rad(10)
    turn = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    affine = np.eye(4)
    affine[:3, :3] = turn @ GRID.affine[:3, :3]
    oblique = Geometry(affine)
    data = viewer_data(Volume(hu, oblique), Segmentation(labels, oblique))
    assert "oblique, by 10 degrees" in data.note
    assert "oblique" not in viewer_data(Volume(hu, GRID), Segmentation(labels, GRID)).note


def test_another_grid_is_refused(case):
    hu, labels = case
    with pytest.raises(InputError, match="CT and segmentation"):
        viewer_data(Volume(hu, GRID), Segmentation(labels, UNKNOWN))
