import numpy as np
import pytest

from liverjax.errors import InputError
from liverjax.labels import Label, liver_mask, merge_masks, tumor_mask


def test_liver_mask_includes_tumours():
    labels = np.array([Label.BACKGROUND, Label.LIVER, Label.TUMOR], np.uint8)
    assert liver_mask(labels).tolist() == [False, True, True]
    assert tumor_mask(labels).tolist() == [False, False, True]


def test_merge_masks_drops_tumour_outside_the_liver():
    liver = np.array([False, False, True, True])
    tumor = np.array([False, True, False, True])
    labels = merge_masks(liver, tumor)
    assert labels.dtype == np.uint8
    assert labels.tolist() == [0, 0, 1, 2]


def test_merge_masks_splits_again():
    rng = np.random.default_rng(0)
    liver = rng.random((3, 4, 5)) < 0.6
    tumor = np.logical_and(liver, rng.random((3, 4, 5)) < 0.3)
    labels = merge_masks(liver, tumor)
    np.testing.assert_array_equal(liver_mask(labels), liver)
    np.testing.assert_array_equal(tumor_mask(labels), tumor)


def test_merge_masks_refuses_other_shapes():
    with pytest.raises(InputError, match=r"\(2, 2\).*\(1, 2\)"):
        merge_masks(np.ones((2, 2), bool), np.ones((1, 2), bool))
