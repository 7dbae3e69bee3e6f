"""Who is trained, selected and tested on in each part of a cross-validation."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from liverjax.datasets.splits import check_disjoint
from liverjax.errors import InputError, SplitError


class Fold(NamedTuple):
    """One division of the patients; each is on one side only.

    Attributes:
        train: whom the networks learn from.
        validation: whom checkpoints, thresholds and post-processing are chosen on.
        test: whom the result is judged on.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


Burden = Mapping[str, float | None]
"""Tumour over liver with tumours, by patient; None where tumours were not annotated."""


def stratified_folds(burden: Burden, *, folds: int, validation: int, seed: int) -> list[Fold]:
    """Folds of nearly equal size and tumour burden; every patient is tested on exactly once.

    The patients are ranked by burden and dealt out rank by rank, so that no fold holds all of the
    heavy cases, all of those without tumour, or all whose tumours were not annotated.

    Args:
        burden: of every patient.
        folds: how many.
        validation: patients of each fold's rest that are kept for selection, drawn from as many
            equal parts of its ranking; at least one whose tumours were annotated.
        seed: not negative; the same gives the same folds, whatever the order of the patients.

    Raises:
        SplitError: the patients are too few.
    """
    if not 2 <= folds <= len(burden):
        raise SplitError(
            f"folds: expected at least 2 and at most {len(burden)}, the patients there are; "
            f"found {folds}"
        )
    rng = np.random.default_rng(seed)
    ranked = _rank(burden, rng)
    groups: list[list[str]] = [[] for _ in range(folds)]
    for first in range(0, len(ranked), folds):
        members = ranked[first : first + folds]
        for fold, patient in zip(rng.permutation(folds).tolist(), members, strict=False):
            groups[fold].append(patient)
    # The last rank is incomplete, and who got none of it is left to chance.
    return [_fold(ranked, tuple(group), validation, rng, burden) for group in groups]


def leave_one_out(burden: Burden, *, validation: int, seed: int) -> list[Fold]:
    """A fold for every patient; see `stratified_folds`."""
    rng = np.random.default_rng(seed)
    ranked = _rank(burden, rng)
    return [_fold(ranked, (patient,), validation, rng, burden) for patient in sorted(burden)]


def read_folds(path: Path, burden: Burden, *, validation: int, seed: int) -> list[Fold]:
    """Folds from a JSON file: a list with an entry for each.

    nnU-Net's `splits_final.json` has "train" and "val" in each entry. Its "val" is whom a fold is
    judged on, which is called test here; whom to select by is drawn from its "train". An entry
    with "train", "validation" and "test" is taken as it stands.

    Args:
        path: of the file.
        burden: of every patient that there is.
        validation, seed: see `stratified_folds`, for entries that do not say.

    Raises:
        InputError: no such file, or another structure; names the entry.
        SplitError: a patient who is not there, on two sides, or tested on twice.
    """
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: expected JSON, found {error}") from error
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: expected a list with an entry per fold")
    rng = np.random.default_rng(seed)
    ranked = _rank(burden, rng)
    folds = []
    for number, entry in enumerate(entries):
        where = f"{path}: fold {number}"
        sides = _sides(entry, where)
        unknown = sorted({name for side in sides.values() for name in side} - set(burden))
        if unknown:
            raise SplitError(f"{where}: names {', '.join(unknown)}, whom the dataset does not hold")
        try:
            check_disjoint(sides)
        except SplitError as error:
            raise SplitError(f"{where}: {error}") from error
        if "validation" in sides:
            folds.append(Fold(**sides))
        else:
            known = [name for name in ranked if name in (*sides["train"], *sides["test"])]
            folds.append(_fold(known, sides["test"], validation, rng, burden))
    check_folds(folds)
    return folds


def check_folds(folds: Sequence[Fold]) -> None:
    """Refuses folds that share a patient between sides, test one twice, or lack a side.

    Raises:
        SplitError: names the fold and the patient.
    """
    tested: dict[str, int] = {}
    for number, fold in enumerate(folds):
        try:
            check_disjoint(fold._asdict())
        except SplitError as error:
            raise SplitError(f"fold {number}: {error}") from error
        empty = [side for side in ("train", "test") if not getattr(fold, side)]
        if empty:
            raise SplitError(f"fold {number}: expected a patient in {empty[0]}, found none")
        for patient in fold.test:
            if patient in tested:
                raise SplitError(
                    f"{patient} is tested on in fold {tested[patient]} and in fold {number}; a "
                    "patient counts once"
                )
            tested[patient] = number


def _rank(burden: Burden, rng: np.random.Generator) -> list[str]:
    """The patients by burden, first those without one; those of equal burden in random order."""
    shuffled: list[str] = rng.permutation(sorted(burden)).tolist()
    known = {patient: value for patient, value in burden.items() if value is not None}
    return sorted(shuffled, key=lambda patient: known.get(patient, -1.0))


def _fold(
    ranked: Sequence[str],
    test: Sequence[str],
    validation: int,
    rng: np.random.Generator,
    burden: Burden,
) -> Fold:
    """A fold with this test side; whom to select by is drawn from all parts of the ranking."""
    rest = [patient for patient in ranked if patient not in test]
    if not 0 <= validation < len(rest):
        raise SplitError(
            f"validation: expected at least 0 and fewer than the {len(rest)} patients that are "
            f"not tested on; found {validation}"
        )
    pieces = np.array_split(np.array(rest, dtype=object), validation) if validation else []
    parts: list[list[str]] = [each.tolist() for each in pieces]
    if parts:
        # The tumour stage is selected, too: in the last part are those of the largest burden.
        parts[-1] = [name for name in parts[-1] if burden[name] is not None] or parts[-1]
    chosen = {str(rng.choice(part)) for part in parts}
    return Fold(
        train=tuple(sorted(name for name in rest if name not in chosen)),
        validation=tuple(sorted(chosen)),
        test=tuple(sorted(test)),
    )


def _sides(entry: Any, where: str) -> dict[str, tuple[str, ...]]:
    """The sides of one entry of a file, by our names."""
    names = set(entry) if isinstance(entry, dict) else set()
    if names not in ({"train", "val"}, {"train", "validation", "test"}):
        raise InputError(
            f"{where}: expected the lists train and val, or train, validation and test; found "
            f"{', '.join(sorted(map(str, names))) or type(entry).__name__}"
        )
    for name, members in entry.items():
        if not isinstance(members, list) or not all(isinstance(m, str) for m in members):
            raise InputError(f"{where}: {name}: expected a list of names, found {members!r}")
    if "val" in entry:
        return {"train": tuple(entry["train"]), "test": tuple(entry["val"])}
    return {name: tuple(members) for name, members in entry.items()}
