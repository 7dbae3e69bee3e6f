"""Patient-level divisions: a patient's slices are never on two sides."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from liverjax.errors import SplitError


def patient_split(number: int) -> str:
    """Name of a patient's split in a prepared dataset: 4 becomes "patient04"."""
    return f"patient{number:02d}"


def patient_number(split: str) -> int:
    """Inverse of `patient_split`.

    Raises:
        SplitError: no such name.
    """
    digits = split.removeprefix("patient")
    if digits == split or not digits.isdecimal():
        raise SplitError(f"expected a patient such as patient04, found {split!r}")
    return int(digits)


def check_disjoint(splits: Mapping[str, Sequence[str]]) -> None:
    """Refuses a patient that is named twice, on two sides or on one.

    Args:
        splits: the patients of each side, e.g. {"train": ("patient01",), "test": ("patient04",)}.

    Raises:
        SplitError: names the patient and the sides.
    """
    side_of: dict[str, str] = {}
    for side, patients in splits.items():
        for patient in patients:
            if side_of.get(patient) == side:
                raise SplitError(f"{patient} is named twice in {side}; name it once")
            if patient in side_of:
                raise SplitError(
                    f"{patient} is in both {side_of[patient]} and {side}; slices of one patient "
                    "resemble each other, so keep each patient on one side"
                )
            side_of[patient] = side


def hold_out(
    numbers: Iterable[int], *, validation: Sequence[int], test: Sequence[int]
) -> dict[str, tuple[str, ...]]:
    """Division with chosen patients held out; whoever else is in `numbers` is for training.

    Returns:
        Names under "train", "validation" and "test".
    """
    train = [number for number in numbers if number not in (*validation, *test)]
    sides = {"train": train, "validation": validation, "test": test}
    return {side: tuple(map(patient_split, members)) for side, members in sides.items()}


def divide(
    patients: Sequence[str], *, validation: int, test: int, seed: int
) -> dict[str, tuple[str, ...]]:
    """Random division of patients, the same for the same set of patients and seed.

    Args:
        patients: names in any order.
        validation, test: how many patients these sides get; the rest is for training.
        seed: not negative.

    Returns:
        Sorted names under "train", "validation" and "test".

    Raises:
        SplitError: a name occurs twice, a count is negative, or no patient is left for training.
    """
    check_disjoint({"patients": patients})
    if min(validation, test) < 0 or validation + test >= len(patients):
        raise SplitError(
            f"{len(patients)} patients cannot give {validation} for validation and {test} for "
            "test and leave one for training"
        )
    order = np.random.default_rng(seed).permutation(sorted(patients)).tolist()
    return {
        "train": tuple(sorted(order[validation + test :])),
        "validation": tuple(sorted(order[:validation])),
        "test": tuple(sorted(order[validation : validation + test])),
    }
