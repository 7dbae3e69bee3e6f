import numpy as np
import pytest

from liverjax.errors import InputError
from liverjax.evaluation.confusion import Confusion, count, pool

THESIS = Confusion(true_negative=62930, false_positive=216, false_negative=38, true_positive=2352)


def mask(*values):
    return np.array(values, bool)


def test_each_voxel_falls_into_one_of_four():
    found = count(mask(0, 1, 1, 0, 0, 1, 1), mask(0, 0, 0, 1, 1, 1, 1))
    assert found == Confusion(true_negative=1, false_positive=2, false_negative=2, true_positive=2)
    assert count(mask(0, 1, 1), mask(0, 0, 0)) == Confusion(1, 2, 0, 0)
    assert count(mask(0, 0, 0), mask(0, 1, 1)) == Confusion(1, 0, 2, 0)


def test_counts_are_plain_numbers_that_add_up(rng):
    prediction, reference = rng.random((2, 5, 6, 7)) > 0.6
    found = count(prediction, reference)
    assert {type(value) for value in vars(found).values()} == {int}
    assert sum(vars(found).values()) == prediction.size
    assert found.true_positive + found.false_positive == prediction.sum()
    assert found.true_positive + found.false_negative == reference.sum()


def test_dice_of_counts_is_the_dice_of_the_masks(rng):
    prediction, reference = rng.random((2, 5, 6, 7)) > 0.6
    shared, total = (prediction & reference).sum(), prediction.sum() + reference.sum()
    assert count(prediction, reference).dice == pytest.approx(2 * shared / total)
    assert THESIS.dice == pytest.approx(0.9488, abs=5e-5)


def test_dice_of_what_is_not_there():
    assert Confusion(9, 0, 0, 0).dice is None
    assert Confusion(9, 3, 0, 0).dice is None
    assert Confusion(9, 0, 3, 0).dice == 0.0


def test_pooled_counts_are_sums():
    assert pool([THESIS, Confusion(1, 2, 3, 4)]) == Confusion(62931, 218, 41, 2356)
    assert pool([THESIS]) == THESIS
    assert pool([]) == Confusion(0, 0, 0, 0)


def test_other_shapes_are_refused():
    with pytest.raises(InputError, match=r"\(2,\).*\(3,\)"):
        count(np.ones(2, bool), np.ones(3, bool))
