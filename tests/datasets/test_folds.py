import json

import pytest

from liverjax.datasets.folds import (
    Fold,
    check_folds,
    leave_one_out,
    read_folds,
    stratified_folds,
)
from liverjax.errors import InputError, SplitError

BURDEN = {f"patient{n:02d}": b for n, b in enumerate([0.0] * 5 + [0.01] * 5 + [0.3] * 10, 1)}


def test_every_patient_is_tested_on_once_and_on_one_side():
    folds = stratified_folds(BURDEN, folds=5, validation=2, seed=0)
    check_folds(folds)
    assert sorted(name for fold in folds for name in fold.test) == sorted(BURDEN)
    for fold in folds:
        assert sorted(fold.train + fold.validation + fold.test) == sorted(BURDEN)
        assert len(fold.validation) == 2


@pytest.mark.parametrize("seed", range(5))
def test_folds_are_alike_in_size_and_burden(seed):
    folds = stratified_folds(BURDEN, folds=5, validation=0, seed=seed)
    assert [len(fold.test) for fold in folds] == [4] * 5
    # One without tumour, one with little, two with much in each.
    assert {tuple(sorted(BURDEN[n] for n in fold.test)) for fold in folds} == {
        (0.0, 0.01, 0.3, 0.3)
    }


def test_sizes_differ_by_one_at_most_and_an_incomplete_rank_is_dealt_out():
    burden = {name: BURDEN[name] for name in list(BURDEN)[:13]}
    sizes = [len(f.test) for f in stratified_folds(burden, folds=5, validation=1, seed=1)]
    assert sorted(sizes) == [2, 2, 3, 3, 3]


def test_validation_comes_from_all_of_the_ranking():
    for fold in stratified_folds(BURDEN, folds=5, validation=2, seed=3):
        low, high = sorted(BURDEN[name] for name in fold.validation)
        assert low <= 0.01
        assert high == 0.3


def test_the_seed_decides_and_the_order_of_the_patients_does_not():
    reversed_ = dict(reversed(BURDEN.items()))
    first = stratified_folds(BURDEN, folds=4, validation=2, seed=7)
    assert stratified_folds(reversed_, folds=4, validation=2, seed=7) == first
    assert stratified_folds(BURDEN, folds=4, validation=2, seed=8) != first


def test_leave_one_out_has_a_fold_per_patient():
    folds = leave_one_out(BURDEN, validation=3, seed=0)
    assert [fold.test for fold in folds] == [(name,) for name in sorted(BURDEN)]
    assert {len(fold.train) for fold in folds} == {16}


@pytest.mark.parametrize(("folds", "validation"), [(1, 0), (21, 0), (5, 16), (5, -1)])
def test_too_few_patients_are_refused(folds, validation):
    with pytest.raises(SplitError, match="expected at least"):
        stratified_folds(BURDEN, folds=folds, validation=validation, seed=0)


def write(path, entries):
    path.write_text(json.dumps(entries))
    return path


def test_nnunets_val_is_whom_a_fold_is_judged_on(tmp_path):
    names = sorted(BURDEN)
    entries = [{"train": names[2:], "val": names[:2]}, {"train": names[:2], "val": names[2:]}]
    path = write(tmp_path / "splits_final.json", entries)
    folds = read_folds(path, BURDEN, validation=1, seed=0)
    assert [fold.test for fold in folds] == [tuple(names[:2]), tuple(names[2:])]
    assert set(folds[0].train + folds[0].validation) == set(names[2:])
    # Nobody is added who is not in the file.
    assert set(folds[1].train + folds[1].validation) == set(names[:2])
    assert [len(fold.validation) for fold in folds] == [1, 1]


def test_our_own_sides_are_taken_as_they_stand(tmp_path):
    entry = {"train": ["patient03"], "validation": ["patient02"], "test": ["patient01"]}
    (fold,) = read_folds(write(tmp_path / "f.json", [entry]), BURDEN, validation=5, seed=0)
    assert fold == Fold(("patient03",), ("patient02",), ("patient01",))


@pytest.mark.parametrize(
    ("entries", "error", "said"),
    [
        ({"train": []}, InputError, "a list with an entry per fold"),
        ([["patient01"]], InputError, "fold 0: expected the lists train and val"),
        ([{"train": ["patient01"]}], InputError, "fold 0: expected the lists train and val"),
        ([{"train": "patient01", "val": []}], InputError, "train: expected a list of names"),
        ([{"train": ["patient99"], "val": ["patient01"]}], SplitError, "names patient99"),
        (
            [{"train": ["patient02", "patient03"], "val": ["patient02"]}],
            SplitError,
            "patient02",
        ),
        (
            [{"train": ["patient02", "patient03"], "val": ["patient01"]}] * 2,
            SplitError,
            "patient01 is tested on in fold 0 and in fold 1",
        ),
        ([{"train": ["patient02", "patient03"], "val": []}], SplitError, "in test, found none"),
    ],
)
def test_a_file_that_is_wrong_is_refused(tmp_path, entries, error, said):
    with pytest.raises(error, match=said):
        read_folds(write(tmp_path / "f.json", entries), BURDEN, validation=1, seed=0)


def test_a_missing_file_and_no_json_are_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: cannot be read"):
        read_folds(tmp_path / "none.json", BURDEN, validation=1, seed=0)
    (tmp_path / "text.json").write_text("no json")
    with pytest.raises(InputError, match=r"text\.json: expected JSON"):
        read_folds(tmp_path / "text.json", BURDEN, validation=1, seed=0)
