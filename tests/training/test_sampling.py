import numpy as np
import pytest

from liverjax.errors import SplitError
from liverjax.training.sampling import epoch_key, epoch_plan

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


@pytest.mark.parametrize(("share", "rows"), [(0.5, 4), (0.01, 1), (1.0, 8), (0.3, 2)])
def test_batches_hold_the_share_that_was_asked_for(share, rows):
    found = plan(steps=5, batch_size=8, tumor_share=share)
    assert found.shape == (5, 8)
    assert (TUMORS[found].sum(axis=1) == rows).all()


def test_each_kind_is_gone_through_evenly():
    found = plan(steps=5, batch_size=8, tumor_share=0.5)
    counts = np.bincount(found.ravel(), minlength=30)
    assert (counts[TUMORS] == 4).all()  # 20 places for 5 slices
    assert (counts[~TUMORS] <= 1).all()  # 20 places for 25


def test_a_share_of_what_is_not_there_is_refused():
    with pytest.raises(SplitError, match=r"config\.tumor_share"):
        epoch_plan(epoch_key(0, 0), np.zeros(9, bool), steps=2, batch_size=4, tumor_share=0.5)


def test_where_every_slice_shows_tumor_all_take_part():
    found = epoch_plan(epoch_key(0, 0), np.ones(8, bool), steps=2, batch_size=4, tumor_share=0.5)
    assert sorted(np.asarray(found).ravel()) == list(range(8))
