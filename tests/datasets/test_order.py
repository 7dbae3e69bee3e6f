import numpy as np
import pytest

from liverjax.datasets.order import (
    Balance,
    epoch_key,
    epoch_plan,
    eval_plan,
    make_balance,
    own_rows,
)
from liverjax.errors import ConfigError, SplitError

TUMORS = np.arange(30) % 6 == 0  # 5 of 30


def plan(epoch=0, seed=0, **fields):
    return np.asarray(epoch_plan(epoch_key(seed, epoch), TUMORS, **fields))


def test_an_epoch_goes_through_the_slices_once():
    found = plan(steps=7, batch_size=4)
    assert found.shape == (7, 4)
    assert len(np.unique(found)) == 28


def test_order_follows_from_seed_and_epoch():
    first = plan(steps=7, batch_size=4)
    np.testing.assert_array_equal(first, plan(steps=7, batch_size=4))
    assert (first != plan(epoch=1, steps=7, batch_size=4)).any()
    assert (first != plan(seed=1, steps=7, batch_size=4)).any()


@pytest.mark.parametrize(("share", "rows"), [(0.5, 4), (0.01, 1), (1.0, 8), (0.3, 2), (0.99, 7)])
def test_batches_hold_the_share_that_was_asked_for(share, rows):
    found = plan(steps=5, batch_size=8, balance=Balance(share=share))
    assert found.shape == (5, 8)
    assert (TUMORS[found].sum(axis=1) == rows).all()


def test_each_kind_is_gone_through_evenly():
    found = plan(steps=5, batch_size=8, balance=Balance(share=0.5))
    counts = np.bincount(found.ravel(), minlength=30)
    assert (counts[TUMORS] == 4).all()  # 20 places for 5 slices
    assert (counts[~TUMORS] <= 1).all()  # 20 places for 25


def test_a_share_of_what_is_not_there_is_refused():
    for shown in ("tumor", "liver"):
        balance = Balance(shown, 0.5)
        with pytest.raises(SplitError, match=rf"config\.{shown}_share: .* with {shown} to train"):
            epoch_plan(epoch_key(0, 0), np.zeros(9, bool), steps=2, batch_size=4, balance=balance)


def test_where_every_slice_shows_tumor_all_take_part():
    found = epoch_plan(
        epoch_key(0, 0), np.ones(8, bool), steps=2, batch_size=4, balance=Balance(share=0.5)
    )
    assert sorted(np.asarray(found).ravel()) == list(range(8))


def test_tumors_stand_anywhere_in_a_batch():
    places = TUMORS[plan(steps=5, batch_size=8, balance=Balance(share=0.3))]
    assert len(set(map(tuple, places.tolist()))) > 1


def test_one_thing_at_most_is_balanced_for_and_the_order_is_the_same_for_each():
    assert make_balance(0.0, 0.0).rows(8) == 0
    assert make_balance(0.5, 0.0) == Balance("tumor", 0.5)
    assert make_balance(0.0, 0.8) == Balance("liver", 0.8)
    both = (
        plan(steps=5, batch_size=8, balance=Balance(shown, 0.8)) for shown in ("tumor", "liver")
    )
    np.testing.assert_array_equal(*both)


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
