from collections import Counter

import numpy as np
import pytest

from liverjax.datasets.order import eval_plan, own_rows, train_plan
from liverjax.errors import ConfigError

ORDER = np.random.default_rng(3).permutation(np.arange(5, 28))  # 23 of 30 slices are used


def plan(tumor, tumor_slices, batch_size=4, seed=0):
    shows_tumor = np.zeros(30, bool)
    shows_tumor[tumor] = True
    rng = np.random.default_rng(seed)
    return train_plan(ORDER, shows_tumor, batch_size=batch_size, tumor_slices=tumor_slices, rng=rng)


def test_without_a_minimum_the_order_is_kept():
    assert plan([6], 0).ravel().tolist() == ORDER[:20].tolist()


@pytest.mark.parametrize("tumor", [[6], [5, 9, 20], list(range(5, 15)), list(range(5, 28))])
@pytest.mark.parametrize("tumor_slices", [1, 3, 4])
def test_every_batch_holds_its_tumours_and_the_epoch_as_many_slices(tumor, tumor_slices):
    batches = plan(tumor, tumor_slices)
    assert batches.shape == (5, 4)
    assert set(batches.ravel()) <= set(ORDER.tolist())
    assert np.isin(batches, tumor).sum(axis=1).min() >= tumor_slices
    seen = Counter(batches.ravel().tolist())
    assert all(count == 1 for number, count in seen.items() if number not in tumor)
    # Passes over the slices with tumour: none is drawn twice more than another.
    passes = -(-5 * tumor_slices // len(tumor))
    assert max(seen.values()) <= passes


def test_enough_tumours_are_drawn_once_each():
    batches = plan(list(range(5, 15)), 2)
    assert len(set(batches.ravel().tolist())) == 20


def test_tumours_stand_anywhere_in_a_batch_and_follow_from_the_draws():
    tumor = [5, 9, 20, 11, 12]
    places = np.isin(plan(tumor, 1), tumor)
    assert len(set(map(tuple, places.tolist()))) > 1
    np.testing.assert_array_equal(plan(tumor, 2, seed=1), plan(tumor, 2, seed=1))
    assert (plan(tumor, 2, seed=1) != plan(tumor, 2, seed=2)).any()


def test_evaluation_keeps_the_order_and_pads():
    assert eval_plan(np.array([4, 5, 8]), 2).tolist() == [[4, 5], [8, -1]]
    assert eval_plan(np.array([4, 5]), 2).tolist() == [[4, 5]]


def test_rows_of_all_processes_are_the_whole():
    whole = np.arange(24).reshape(4, 6)
    parts = [own_rows(whole, (index, 3)) for index in range(3)]
    assert {part.shape for part in parts} == {(4, 2)}
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)
    with pytest.raises(ConfigError, match="multiple of the 4 processes that share it, found 6"):
        own_rows(whole, (0, 4))
