import numpy as np
import pytest

from liverjax.datasets.order import Sampling, Shown, epoch_plan, eval_plan, own_rows
from liverjax.errors import ConfigError, SplitError

# 5 of 30 slices show tumour. Patients 0 and 2 have two of them each, patient 1 one.
TUMORS = np.arange(30) % 6 == 0
PATIENTS = np.repeat([0, 1, 2], [12, 3, 15])
SHOWN = Shown(liver=np.arange(30) % 2 == 0, tumor=TUMORS, patient=PATIENTS)


def plan(epoch=0, shown=SHOWN, *, steps=7, batch_size=4, **sampling):
    return epoch_plan(Sampling(**sampling), epoch, shown, steps=steps, batch_size=batch_size)


def test_an_epoch_goes_through_the_slices_once():
    found = plan()
    assert (found.shape, found.dtype) == ((7, 4), np.int32)
    assert len(np.unique(found)) == 28


@pytest.mark.parametrize("balance", [0.0, 0.5])
def test_order_follows_from_seed_and_epoch(balance):
    first = plan(patient_balance=balance)
    np.testing.assert_array_equal(first, plan(patient_balance=balance))
    assert (first != plan(epoch=1, patient_balance=balance)).any()
    assert (first != plan(seed=1, patient_balance=balance)).any()


@pytest.mark.parametrize("balance", [0.0, 1.0])
@pytest.mark.parametrize(("share", "rows"), [(0.5, 4), (0.01, 1), (1.0, 8), (0.3, 2), (0.99, 7)])
def test_batches_hold_the_share_that_was_asked_for(share, rows, balance):
    found = plan(steps=5, batch_size=8, tumor_share=share, patient_balance=balance)
    assert found.shape == (5, 8)
    assert (TUMORS[found].sum(axis=1) == rows).all()
    found = plan(steps=5, batch_size=8, liver_share=share, patient_balance=balance)
    assert (SHOWN.liver[found].sum(axis=1) == rows).all()


def test_each_kind_is_gone_through_evenly():
    found = plan(steps=5, batch_size=8, tumor_share=0.5)
    counts = np.bincount(found.ravel(), minlength=30)
    assert (counts[TUMORS] == 4).all()  # 20 places for 5 slices
    assert (counts[~TUMORS] <= 1).all()  # 20 places for 25


@pytest.mark.parametrize("name", ["tumor_share", "liver_share"])
def test_a_share_of_what_is_not_there_is_refused(name):
    nothing = Shown(np.zeros(9, bool), np.zeros(9, bool), np.zeros(9, int))
    with pytest.raises(SplitError, match=rf"config\.{name}: .* with {name[:5]} to train"):
        plan(shown=nothing, steps=2, **{name: 0.5})


def test_where_every_slice_shows_tumor_all_take_part():
    every = Shown(np.ones(8, bool), np.ones(8, bool), np.zeros(8, int))
    found = plan(shown=every, steps=2, tumor_share=0.5)
    assert sorted(found.ravel()) == list(range(8))


@pytest.mark.parametrize("balance", [0.0, 1.0])
def test_tumors_stand_anywhere_in_a_batch(balance):
    found = plan(steps=5, batch_size=8, tumor_share=0.3, patient_balance=balance)
    assert len(set(map(tuple, TUMORS[found].tolist()))) > 1


def places(found):
    return np.bincount(PATIENTS[found.ravel()], minlength=3)


def test_balanced_patients_are_seen_equally_often_and_each_goes_through_its_slices():
    found = plan(steps=5, batch_size=6, patient_balance=1.0)
    assert places(found).tolist() == [10, 10, 10]
    counts = np.bincount(found.ravel(), minlength=30)
    assert counts[PATIENTS == 0].max() == 1  # 10 places for 12 slices
    assert set(counts[PATIENTS == 1]) == {3, 4}  # for 3
    # Which patient comes when is left to chance.
    assert len({tuple(PATIENTS[row]) for row in found}) > 1


def test_patients_are_balanced_in_part_and_on_average():
    every = [plan(epoch, steps=5, batch_size=6, patient_balance=0.5) for epoch in range(40)]
    wanted = 30 * np.sqrt([12, 3, 15]) / np.sqrt([12, 3, 15]).sum()
    found = np.array([places(each) for each in every])
    assert (np.abs(found - wanted) < 1).all()  # rounded either way
    np.testing.assert_allclose(found.mean(axis=0), wanted, atol=0.2)


def test_each_kind_of_slices_is_balanced_on_its_own():
    found = plan(steps=6, batch_size=4, tumor_share=0.5, patient_balance=1.0)
    with_tumor = TUMORS[found]
    assert places(found[with_tumor]).tolist() == places(found[~with_tumor]).tolist() == [4, 4, 4]


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
