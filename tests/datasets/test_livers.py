import numpy as np
import pytest

from liverjax.datasets.livers import PackedMasks, check_livers, within
from liverjax.datasets.slices import PatientSummary
from liverjax.errors import InputError

HELD = {"patient01": PatientSummary("f", 4, 6, 2), "patient02": PatientSummary("f", 4, 6, 3)}


def test_the_given_liver_stands_for_the_true_one_and_tumour_outside_is_left_out():
    labels = np.array([0, 1, 2, 0, 1, 2], np.uint8)
    liver = np.array([0, 0, 0, 1, 1, 1], bool)
    np.testing.assert_array_equal(within(labels, liver), [0, 0, 0, 1, 1, 2])


def test_packed_masks_are_the_masks(rng):
    masks = [rng.random((slices, 5, 7)) > 0.6 for slices in (2, 3)]
    whole = np.concatenate(masks)
    packed = PackedMasks(masks)
    np.testing.assert_array_equal([packed[n] for n in range(5)], whole)
    np.testing.assert_array_equal(packed.pixels, whole.sum(axis=(1, 2)))
    labels = rng.integers(0, 3, (5, 5, 7, 1)).astype(np.uint8)
    numbers = np.array([4, 1])
    for number, found in zip(numbers, packed.restrict(numbers, iter(labels[numbers])), strict=True):
        np.testing.assert_array_equal(found, within(labels[number], whole[number][..., None]))


def test_livers_of_others_are_refused():
    livers = {"patient01": np.zeros((2, 4, 6), bool), "patient02": np.zeros((2, 4, 6), bool)}
    check_livers(livers, ["patient01"], HELD)
    with pytest.raises(InputError, match=r"patient02: expected a mask \(3, 4, 6\), found \(2, 4"):
        check_livers(livers, ["patient01", "patient02"], HELD)
    with pytest.raises(InputError, match=r"patient02: .* found None"):
        check_livers({"patient01": livers["patient01"]}, ["patient02"], HELD)
