import dataclasses

import numpy as np
import pytest

from liverjax.datasets.batches import make_batches, make_table
from liverjax.datasets.slices import PatientSummary
from liverjax.errors import InputError

SUMMARY = PatientSummary("", height=2, width=3, liver_slices=1)
SELECTED = {
    "patient01": dataclasses.replace(SUMMARY, slices=3),
    "patient02": dataclasses.replace(SUMMARY, slices=2),
}
EXAMPLES = {
    "slice_index": np.array([0, 1, 2, 0, 1]),
    "spacing": np.array([[5, 1, 2]] * 3 + [[5, 3, 4]] * 2, np.float32),
    "liver_pixels": np.array([0, 2, 0, 0, 9]),
    "tumor_pixels": np.array([0, 0, 0, 0, 1]),
}


class Pixels:
    """Slice n has the pixels n + 1; keeps what was asked for."""

    def __init__(self):
        self.asked = {}

    def __call__(self, name, numbers):
        self.asked[name] = numbers.tolist()
        dtype = {"image": np.int16, "label": np.uint8}[name]
        return (np.full((2, 3, 1), number + 1, dtype) for number in numbers)


def batches(plan, neighbors=0, **options):
    table = make_table("tiny", SELECTED, EXAMPLES, **{"liver_only": False, **options})
    pixels = Pixels()
    return list(make_batches(np.array(plan), table, neighbors, pixels)), pixels.asked


def values(batch, name):
    """The value of each channel of each slice."""
    flat = batch[name].reshape(len(batch[name]), -1, batch[name].shape[-1])
    assert (flat == flat[:, :1]).all()
    return flat[:, 0].tolist()


def test_the_table_says_which_slices_are_used_and_where_patients_end():
    table = make_table("tiny", SELECTED, EXAMPLES, liver_only=True)
    assert table.chosen.tolist() == [1, 4]
    assert table.ends.tolist() == [[0, 0, 0, 3, 3], [2, 2, 2, 4, 4]]
    assert table.shown.tumor.tolist() == [False, True]
    assert table.shown.liver.tolist() == [True, True]
    assert table.copies is None
    assert table.spacing.tolist() == [[1, 2]] * 3 + [[3, 4]] * 2
    every = make_table("tiny", SELECTED, EXAMPLES, liver_only=False)
    assert every.chosen.tolist() == [0, 1, 2, 3, 4]
    assert every.shown.patient.tolist() == [0, 0, 0, 1, 1]
    assert every.shown.liver.tolist() == [False, True, False, False, True]


@pytest.mark.parametrize("numbers", [[0, 1, 2, 0], [0, 1, 2, 1, 0], [0, 1, 2, 0, 1, 2]])
def test_slices_that_are_not_the_patients_in_order_are_refused(numbers):
    examples = EXAMPLES | {"slice_index": np.array(numbers)}
    with pytest.raises(InputError, match="tiny: the slices of patient01, patient02 are not compl"):
        make_table("tiny", SELECTED, examples, liver_only=False)


def test_neighbours_are_of_the_same_patient():
    (batch,), _ = batches([[2, 3, 1]], neighbors=1)
    assert batch["image"].shape == (3, 2, 3, 3)
    assert (batch["image"].dtype, batch["label"].dtype) == (np.int16, np.uint8)
    assert values(batch, "image") == [[2, 3, 3], [4, 4, 5], [1, 2, 3]]
    assert values(batch, "label") == [[3], [4], [2]]
    assert batch["spacing"].tolist() == [[1, 2], [3, 4], [1, 2]]
    assert batch["spacing"].dtype == batch["weight"].dtype == np.float32


def test_padding_is_zero_and_asks_for_nothing():
    (first, last), asked = batches([[4, 4], [0, -1]], neighbors=1)
    assert values(first, "image") == [[4, 5, 5]] * 2
    assert values(last, "image") == [[1, 1, 2], [0, 0, 0]]
    assert last["weight"].tolist() == [1, 0]
    assert last["spacing"].tolist() == [[1, 2], [0, 0]]
    assert asked == {"image": [3, 4, 0, 1], "label": [4, 0]}


def test_a_plan_counts_the_slices_that_are_used():
    (batch,), asked = batches([[1, 0]], neighbors=1, liver_only=True)
    assert values(batch, "image") == [[4, 5, 5], [1, 2, 3]]
    assert values(batch, "label") == [[5], [2]]
    assert asked == {"image": [0, 1, 2, 3, 4], "label": [1, 4]}


def test_copies_say_which_they_are_and_inflate_nothing_twice():
    table = make_table("tiny", SELECTED, EXAMPLES, liver_only=True, with_copies=True)
    assert table.chosen.tolist() == [1, 4] + [4] * 36
    assert table.shown.tumor.tolist() == [False] + [True] * 37
    (batch,), asked = batches([[0, 1, 2, 37, -1]], liver_only=True, with_copies=True)
    assert batch["copy"].tolist() == [0, 0, 1, 36, 0]
    assert batch["copy"].dtype == np.int32
    assert values(batch, "image") == [[2], [5], [5], [5], [0]]
    assert asked == {"image": [1, 4], "label": [1, 4]}


def test_a_batch_may_be_all_padding_and_a_plan_empty():
    (batch,), _ = batches([[-1, -1]])
    assert batch["weight"].tolist() == [0, 0]
    assert batches(np.zeros((0, 2), int)) == ([], {"image": [], "label": []})
