import numpy as np
import pytest
from scipy import ndimage

from liverjax.errors import InputError
from liverjax.inference.postprocess import (
    fill_holes,
    largest_component,
    liver_from_probability,
    tumor_from_probability,
)

SHAPE = (6, 12, 14)


def box(*sides):
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(*side) for side in sides)] = True
    return mask


def test_largest_component_drops_the_rest():
    large = box((1, 4), (2, 7), (2, 7))
    small = box((0, 6), (10, 12), (11, 14))
    np.testing.assert_array_equal(largest_component(large | small), large)


def test_largest_component_keeps_what_touches_at_a_corner():
    joined = box((0, 2), (0, 3), (0, 3)) | box((2, 4), (3, 6), (3, 6))
    np.testing.assert_array_equal(largest_component(joined), joined)
    apart = box((0, 2), (0, 3), (0, 3)) | box((2, 5), (4, 7), (4, 7))
    np.testing.assert_array_equal(largest_component(apart), box((2, 5), (4, 7), (4, 7)))


def test_largest_component_of_equal_ones_is_the_first():
    first = box((0, 1), (0, 2), (0, 2))
    np.testing.assert_array_equal(largest_component(first | box((4, 5), (5, 7), (5, 7))), first)


def test_fill_holes_fills_cavities_but_neither_notch_nor_channel():
    solid = box((1, 5), (2, 10), (2, 12))
    cavity = box((2, 3), (4, 6), (4, 6))
    vessel = box((0, 6), (7, 8), (7, 8))  # surrounded in every slice, open above and below
    notch = box((3, 4), (2, 5), (9, 10))
    filled = fill_holes(solid & ~(cavity | vessel | notch))
    np.testing.assert_array_equal(filled, solid & ~(vessel | notch))


def test_fill_holes_matches_scipy():
    mask = np.random.default_rng(0).random((12, 30, 40)) < 0.7
    expected = ndimage.binary_fill_holes(mask)
    assert np.count_nonzero(expected) > np.count_nonzero(mask)
    np.testing.assert_array_equal(fill_holes(mask), expected)


def test_whole_volume_stays():
    mask = np.ones(SHAPE, bool)
    np.testing.assert_array_equal(fill_holes(largest_component(mask)), mask)


def test_inputs_are_left_alone():
    mask = box((1, 5), (2, 10), (2, 12)) & ~box((2, 3), (4, 6), (4, 6))
    before = mask.copy()
    fill_holes(largest_component(mask))
    np.testing.assert_array_equal(mask, before)


def test_liver_from_probability():
    probability = np.full(SHAPE, 0.1, np.float32)
    probability[1:5, 2:10, 2:12] = 0.5
    probability[2, 4, 4] = 0.2
    probability[0, 0, 13] = 0.9
    solid = box((1, 5), (2, 10), (2, 12))
    np.testing.assert_array_equal(liver_from_probability(probability), solid)
    assert not liver_from_probability(probability, threshold=0.95).any()


def test_tumor_from_probability_stays_in_the_liver_and_drops_specks():
    liver = box((1, 5), (2, 10), (2, 12))
    probability = np.zeros(SHAPE, np.float32)
    probability[0:3, 4:6, 4:6] = 0.8  # 8 voxels of 12 in the liver
    probability[4, 8, 8:11] = 0.8  # 3 voxels
    probability[5, 11, 0:14] = 0.8  # outside
    tumor = tumor_from_probability(probability, liver, min_voxels=4)
    np.testing.assert_array_equal(tumor, box((1, 3), (4, 6), (4, 6)))
    assert np.count_nonzero(tumor_from_probability(probability, liver, min_voxels=3)) == 11
    assert np.count_nonzero(tumor_from_probability(probability, liver, min_voxels=0)) == 11
    assert not tumor_from_probability(probability, liver, min_voxels=9).any()


def test_several_tumours_are_kept():
    liver = np.ones(SHAPE, bool)
    tumors = box((0, 2), (0, 3), (0, 3)) | box((3, 6), (5, 9), (5, 9))
    np.testing.assert_array_equal(tumor_from_probability(tumors.astype(float), liver), tumors)


def test_empty_gives_empty():
    empty = np.zeros(SHAPE, bool)
    probability = np.zeros(SHAPE, np.float32)
    for found in (
        largest_component(empty),
        fill_holes(empty),
        liver_from_probability(probability),
        tumor_from_probability(probability + 1, empty),
        tumor_from_probability(probability, ~empty),
    ):
        assert found.shape == SHAPE
        assert found.dtype == bool
        assert not found.any()


def test_tumor_refuses_another_shape():
    with pytest.raises(InputError, match=r"\(1, 2, 3\)"):
        tumor_from_probability(np.zeros((1, 2, 3)), np.zeros(SHAPE, bool))
