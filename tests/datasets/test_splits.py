import pytest

from liverjax.datasets.splits import (
    check_disjoint,
    divide,
    hold_out,
    patient_number,
    patient_split,
)
from liverjax.errors import SplitError

PATIENTS = [patient_split(number) for number in range(1, 11)]


def test_patient_split_sorts_as_numbers():
    assert patient_split(4) == "patient04"
    assert sorted(patient_split(n) for n in (10, 2)) == ["patient02", "patient10"]


def test_disjoint_sides_pass():
    check_disjoint({"train": PATIENTS[:5], "validation": PATIENTS[5:7], "test": PATIENTS[7:]})


def test_patient_on_two_sides_is_named_with_both():
    with pytest.raises(SplitError, match="patient04 is in both train and test"):
        check_disjoint(
            {
                "train": ["patient01", "patient04"],
                "validation": ["patient02"],
                "test": ["patient04"],
            }
        )


def test_patient_twice_on_one_side_is_refused():
    with pytest.raises(SplitError, match="patient01 is named twice in train"):
        check_disjoint({"train": ["patient01", "patient02", "patient01"]})


def test_divide_is_a_partition_that_only_the_seed_changes():
    sides = divide(PATIENTS, validation=2, test=3, seed=1)
    check_disjoint(sides)
    assert {side: len(names) for side, names in sides.items()} == {
        "train": 5,
        "validation": 2,
        "test": 3,
    }
    assert sorted(name for names in sides.values() for name in names) == PATIENTS
    assert divide(PATIENTS[::-1], validation=2, test=3, seed=1) == sides
    assert divide(PATIENTS, validation=2, test=3, seed=2) != sides


@pytest.mark.parametrize(("validation", "test"), [(5, 5), (-1, 2)])
def test_divide_refuses_impossible_counts(validation, test):
    with pytest.raises(SplitError, match="10 patients cannot give"):
        divide(PATIENTS, validation=validation, test=test, seed=0)


def test_hold_out_leaves_the_rest_for_training():
    assert hold_out(range(1, 6), validation=(2,), test=(5, 4)) == {
        "train": ("patient01", "patient03"),
        "validation": ("patient02",),
        "test": ("patient05", "patient04"),
    }


def test_patient_number_is_the_inverse_of_patient_split():
    assert [patient_number(name) for name in PATIENTS] == list(range(1, 11))
    for name in ("4", "patient", "patient4a", "train"):
        with pytest.raises(SplitError, match=name):
            patient_number(name)
